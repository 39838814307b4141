//! The fields of a record as a value of the user's type.

use super::asked::{Asked, Column, Refused, mark, mark_number};
use crate::bag::singles::single;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected,
    IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor, value,
    value::BorrowedStrDeserializer,
};
use std::{fmt, num::ParseIntError, str::FromStr};

/// A record, and what its fields are called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    /// The fields, one behind the other.
    pub(super) text: &'a str,
    /// Where each field ends.
    pub(super) ends: &'a [usize],
    pub(super) columns: &'a [String],
    /// What stands for a missing value.
    pub(super) missing: &'a [String],
}

impl<'a> Record<'a> {
    pub(super) fn field(&self, number: usize) -> Option<&'a str> {
        let end = *self.ends.get(number)?;
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[start..end])
    }

    /// The record as a value, or what is wrong with it.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, String> {
        self.read_as(&[])
    }

    /// As [`read`](Self::read), where it is known how columns are given to a type that takes whatever there is.
    pub(super) fn read_as<T: DeserializeOwned>(self, columns: &[Column]) -> Result<T, String> {
        let mut fields = Fields { given: columns, ..Fields::of(self) };
        T::deserialize(&mut fields).map_err(|wrong| match wrong.field {
            // Of a field that has no column.
            None => format!("{}; the columns are `{}`", wrong.problem, cut(&self.columns.join("`, `"))),
            Some(number) => {
                let column = self.columns.get(number).map_or("", |name| name);
                let text = self.field(number).unwrap_or_default();
                format!("column `{}`: {}: `{}`", cut(column), wrong.problem, cut(text))
            }
        })
    }

    /// Whether a type reads the record with marks in it; fields that are no numbers are ones where it asks for a number.
    pub(super) fn try_out<T: DeserializeOwned>(self, columns: &[Column]) -> Result<(), Wrong> {
        T::deserialize(&mut Fields { given: columns, trial: true, ..Fields::of(self) }).map(drop)
    }
}

/// Characters of a text that an error shows.
const SHOWN: usize = 60;

/// A text as an error shows it: on one line, and not all of it.
pub(in crate::bag) fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// What is wrong, and with which field.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) field: Option<usize>,
    pub(super) problem: String,
    /// The mark that was refused.
    pub(super) refused: Option<Refused>,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Wrong { field: None, problem: problem.to_string(), refused: None }
    }

    fn invalid_type(found: Unexpected, expected: &dyn Expected) -> Self {
        let refused = Refused::of(&found, expected);
        Wrong { refused, ..Wrong::custom(value::Error::invalid_type(found, expected)) }
    }

    fn invalid_value(found: Unexpected, expected: &dyn Expected) -> Self {
        let refused = Refused::of(&found, expected);
        Wrong { refused, ..Wrong::custom(value::Error::invalid_value(found, expected)) }
    }

    fn unknown_variant(name: &str, expected: &'static [&'static str]) -> Self {
        let refused = Refused::of_variant(name);
        Wrong { refused, ..Wrong::custom(value::Error::unknown_variant(name, expected)) }
    }
}

/// The fields that have not been read.
struct Fields<'a> {
    record: Record<'a>,
    next: usize,
    /// Where the next one begins.
    start: usize,
    /// How columns are given to a type that takes whatever there is; those behind them as what they look like.
    given: &'a [Column],
    /// It is a trial of a type.
    trial: bool,
    /// Something within the record is read, not all of it.
    within: bool,
}

impl<'a> Fields<'a> {
    fn of(record: Record<'a>) -> Self {
        Fields { record, next: 0, start: 0, given: &[], trial: false, within: false }
    }

    #[inline]
    fn peek(&self) -> Option<&'a str> {
        let end = *self.record.ends.get(self.next)?;
        Some(&self.record.text[self.start..end])
    }

    /// Goes on behind the next field, if there is one.
    #[inline]
    fn pass(&mut self) {
        self.start = self.record.ends.get(self.next).copied().unwrap_or(self.start);
        self.next += 1;
    }

    #[inline]
    fn take(&mut self) -> Result<&'a str, Wrong> {
        let field = self.peek().ok_or_else(|| Wrong::custom("the record has too few fields"))?;
        self.pass();
        Ok(field)
    }

    #[inline]
    fn is_missing(&self, field: &str) -> bool {
        self.record.missing.iter().any(|word| word == field)
    }

    /// The field that was taken last is wrong.
    fn wrong(&self, problem: impl fmt::Display) -> Wrong {
        Wrong { field: Some(self.next - 1), ..Wrong::custom(problem) }
    }

    /// The next field as a number or truth value; blanks around it do not count.
    #[inline]
    fn parse<N: FromStr<Err: fmt::Display>>(&mut self) -> Result<N, Wrong> {
        let field = self.take()?;
        field.trim_ascii().parse().map_err(|error| self.not_read(field, error))
    }

    #[inline]
    fn integer<N: FromStr<Err: fmt::Display>>(
        &mut self,
        hexadecimal: fn(&str, u32) -> Result<N, ParseIntError>,
    ) -> Result<N, Wrong> {
        match self.peek().and_then(|field| field.trim_ascii().strip_prefix("0x")) {
            None => self.parse(),
            Some(digits) => {
                self.pass();
                hexadecimal(digits, 16).map_err(|error| self.wrong(error))
            }
        }
    }

    /// The next field as a number that may be missing.
    #[inline]
    fn float<N: FromStr<Err: fmt::Display>>(&mut self, not_a_number: N) -> Result<N, Wrong> {
        match self.peek() {
            Some(field) if self.is_missing(field) => {
                self.pass();
                Ok(not_a_number)
            }
            _ => self.parse(),
        }
    }

    /// The next field as what it looks like.
    fn guess<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value, Wrong> {
        let field = self.take()?;
        if self.is_missing(field) {
            visitor.visit_none()
        } else if let Ok(truth) = field.parse() {
            visitor.visit_bool(truth)
        } else if !is_number(field) {
            visitor.visit_borrowed_str(field)
        } else if let Ok(number) = field.parse() {
            visitor.visit_u64(number)
        } else if let Ok(number) = field.parse() {
            // The sign of zero is that of a float.
            if number == 0 { visitor.visit_f64(-0.0) } else { visitor.visit_i64(number) }
        } else if let Ok(number) = field.parse() {
            visitor.visit_u128(number)
        } else if let Ok(number) = field.parse() {
            visitor.visit_i128(number)
        } else if let Ok(number) = field.parse() {
            visitor.visit_f64(number)
        } else {
            visitor.visit_borrowed_str(field)
        }
    }

    #[cold]
    fn not_read(&self, field: &str, error: impl fmt::Display) -> Wrong {
        match field.is_empty() || self.is_missing(field) {
            true => self.wrong("the value is missing, and the type is no `Option`"),
            false => self.wrong(error),
        }
    }
}

/// Whether a text may be a number as JSON has them: `007`, `+1`, `inf` and `nan` are none.
fn is_number(text: &str) -> bool {
    match text.strip_prefix('-').unwrap_or(text).as_bytes() {
        [b'0', b'0'..=b'9', ..] => false,
        [b'0'..=b'9', .., last] => *last != b'.',
        [first] => first.is_ascii_digit(),
        _ => false,
    }
}

macro_rules! numbers {
    ($($deserialize:ident $visit:ident $parse:expr;)*) => {
        $(#[inline]
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            let parse: fn(&mut Fields<'de>) -> Result<_, Wrong> = $parse;
            visitor.$visit(parse(self)?)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Fields<'de> {
    type Error = Wrong;

    numbers! {
        deserialize_u8 visit_u8 |fields| fields.integer(u8::from_str_radix);
        deserialize_u16 visit_u16 |fields| fields.integer(u16::from_str_radix);
        deserialize_u32 visit_u32 |fields| fields.integer(u32::from_str_radix);
        deserialize_u64 visit_u64 |fields| fields.integer(u64::from_str_radix);
        deserialize_u128 visit_u128 |fields| fields.integer(u128::from_str_radix);
        deserialize_i8 visit_i8 |fields| fields.integer(i8::from_str_radix);
        deserialize_i16 visit_i16 |fields| fields.integer(i16::from_str_radix);
        deserialize_i32 visit_i32 |fields| fields.integer(i32::from_str_radix);
        deserialize_i64 visit_i64 |fields| fields.integer(i64::from_str_radix);
        deserialize_i128 visit_i128 |fields| fields.integer(i128::from_str_radix);
        deserialize_f32 visit_f32 |fields| fields.float(f32::NAN);
        deserialize_f64 visit_f64 |fields| fields.float(f64::NAN);
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if !self.within {
            return visitor.visit_map(self);
        }
        let (number, field) = (self.next, self.peek().unwrap_or_default());
        let given = self.given.get(number).copied();
        let Column { asked, optional } = given.unwrap_or(Column { asked: Asked::Anything, optional: false });
        if self.trial && !asked.fits(field) {
            self.pass();
            return match asked {
                Asked::Mark => visitor.visit_string(mark(number)),
                Asked::Number => visitor.visit_u64(mark_number(number)),
                Asked::Nothing => visitor.visit_none(),
                Asked::Truth | Asked::Bool => visitor.visit_bool(true),
                Asked::Char => visitor.visit_char('1'),
                _ => visitor.visit_u8(1),
            };
        }
        if optional && (field.is_empty() || self.is_missing(field)) {
            self.pass();
            return visitor.visit_none();
        }
        match asked {
            Asked::Text | Asked::Tag => self.deserialize_str(visitor),
            Asked::Bool => self.deserialize_bool(visitor),
            Asked::Char => self.deserialize_char(visitor),
            Asked::U8 => self.deserialize_u8(visitor),
            Asked::U16 => self.deserialize_u16(visitor),
            Asked::U32 => self.deserialize_u32(visitor),
            Asked::U64 => self.deserialize_u64(visitor),
            Asked::I8 => self.deserialize_i8(visitor),
            Asked::I16 => self.deserialize_i16(visitor),
            Asked::I32 => self.deserialize_i32(visitor),
            Asked::I64 => self.deserialize_i64(visitor),
            Asked::F32 => self.deserialize_f32(visitor),
            Asked::F64 => self.deserialize_f64(visitor),
            Asked::Single => visitor.visit_f64(single(self.take()?).map_or(f64::NAN, f64::from)),
            Asked::Anything | Asked::Mark | Asked::Number | Asked::Truth | Asked::Nothing => {
                self.guess(visitor)
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let field = self.take()?;
        match field.trim_ascii() {
            "true" | "True" | "TRUE" => visitor.visit_bool(true),
            "false" | "False" | "FALSE" => visitor.visit_bool(false),
            _ => Err(self.not_read(field, "neither `true` nor `false`")),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let field = self.take()?;
        let mut characters = field.chars();
        match (characters.next(), characters.next()) {
            (Some(character), None) => visitor.visit_char(character),
            _ => Err(self.not_read(field, "not one character")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_borrowed_str(self.take()?)
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_borrowed_str(self.take()?)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_borrowed_bytes(self.take()?.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.peek() {
            None => visitor.visit_none(),
            Some(field) if field.is_empty() || self.is_missing(field) => {
                self.pass();
                visitor.visit_none()
            }
            Some(_) => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_seq(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_seq(self)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_seq(self)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_map(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_map(self)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        // The tag of an enum that is a record.
        match self.given.get(self.next) {
            Some(Column { asked: Asked::Mark, .. }) if self.trial => self.deserialize_any(visitor),
            _ => self.deserialize_str(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_enum(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.take()?;
        visitor.visit_unit()
    }
}

impl<'de> MapAccess<'de> for &mut Fields<'de> {
    type Error = Wrong;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let name = self.record.columns.get(self.next);
        name.map(|name| seed.deserialize(BorrowedStrDeserializer::new(name))).transpose()
    }

    #[inline]
    fn next_value_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<K::Value, Wrong> {
        let field = self.next;
        self.within = true;
        // What the type itself finds wrong does not say where.
        let located = |wrong: Wrong| Wrong { field: wrong.field.or(Some(field)), ..wrong };
        let value = seed.deserialize(&mut **self).map_err(located)?;
        // A unit reads nothing, but has a column.
        if self.next == field {
            self.pass();
        }
        Ok(value)
    }
}

impl<'de> SeqAccess<'de> for &mut Fields<'de> {
    type Error = Wrong;

    fn next_element_seed<U: DeserializeSeed<'de>>(&mut self, seed: U) -> Result<Option<U::Value>, Wrong> {
        if self.peek().is_none() {
            return Ok(None);
        }
        self.next_value_seed(seed).map(Some)
    }
}

impl<'de> EnumAccess<'de> for &mut Fields<'de> {
    type Error = Wrong;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Wrong> {
        let name = self.take()?;
        let variant = seed.deserialize(name.into_deserializer());
        Ok((variant.map_err(|wrong: Wrong| self.wrong(wrong))?, self))
    }
}

/// A field has no room for the contents of a variant.
impl<'de> VariantAccess<'de> for &mut Fields<'de> {
    type Error = Wrong;

    fn unit_variant(self) -> Result<(), Wrong> {
        Ok(())
    }

    fn newtype_variant_seed<U: DeserializeSeed<'de>>(self, _: U) -> Result<U::Value, Wrong> {
        Err(Wrong::invalid_type(Unexpected::UnitVariant, &"newtype variant"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Wrong> {
        Err(Wrong::invalid_type(Unexpected::UnitVariant, &"tuple variant"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Wrong> {
        Err(Wrong::invalid_type(Unexpected::UnitVariant, &"struct variant"))
    }
}
