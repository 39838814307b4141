//! Reading a value with serde: from either form, or from a source that makes everything up for the probe.
//!
//! One type of deserializer for all three, so that the program's types are compiled for one.

use super::{
    codec::take,
    kind::{Kind, Wrong, on_a_large_stack},
    shape::{Made, MadeItems, MadeVariant},
};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
    value::{StrDeserializer, U32Deserializer},
};

/// Reads a compact value from the front of `bytes` and moves the slice behind it.
pub(super) fn read_compact<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, Wrong> {
    T::deserialize(Reader::Compact(bytes))
}

/// Reads a value that describes itself.
pub(super) fn read_described<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, Wrong> {
    T::deserialize(Reader::Described(bytes))
}

/// Where an item is read.
pub(super) enum Reader<'a, 'b> {
    Compact(&'a mut &'b [u8]),
    Described(&'a mut &'b [u8]),
    Made(Made<'a>),
}

const ENDS: Wrong = Wrong::new("the message ends inside it");

fn kind(bytes: &mut &[u8]) -> Result<Kind, Wrong> {
    let (&kind, rest) = bytes.split_first().ok_or(ENDS)?;
    *bytes = rest;
    Kind::ALL.get(usize::from(kind)).copied().ok_or(Wrong::new("an item of an unknown kind"))
}

/// The kind of the next item, which stays there.
fn next_kind(bytes: &[u8]) -> Option<Kind> {
    Kind::ALL.get(usize::from(*bytes.first()?)).copied()
}

fn long<'b>(bytes: &mut &'b [u8]) -> Result<&'b [u8], Wrong> {
    let length: u64 = take(bytes)?;
    let (long, rest) = usize::try_from(length).ok().and_then(|at| bytes.split_at_checked(at)).ok_or(ENDS)?;
    *bytes = rest;
    Ok(long)
}

fn text<'b>(bytes: &mut &'b [u8]) -> Result<&'b str, Wrong> {
    std::str::from_utf8(long(bytes)?).map_err(|_| Wrong::new("a text that is not UTF-8"))
}

/// An item of the described form, whatever it is.
fn item<'de, V: Visitor<'de>>(bytes: &mut &[u8], visitor: V) -> Result<V::Value, Wrong> {
    match kind(bytes)? {
        Kind::Bool => visitor.visit_bool(take(bytes)?),
        Kind::I8 => visitor.visit_i8(take(bytes)?),
        Kind::I16 => visitor.visit_i16(take(bytes)?),
        Kind::I32 => visitor.visit_i32(take(bytes)?),
        Kind::I64 => visitor.visit_i64(take(bytes)?),
        Kind::I128 => visitor.visit_i128(take(bytes)?),
        Kind::U8 => visitor.visit_u8(take(bytes)?),
        Kind::U16 => visitor.visit_u16(take(bytes)?),
        Kind::U32 => visitor.visit_u32(take(bytes)?),
        Kind::U64 => visitor.visit_u64(take(bytes)?),
        Kind::U128 => visitor.visit_u128(take(bytes)?),
        Kind::F32 => visitor.visit_f32(take(bytes)?),
        Kind::F64 => visitor.visit_f64(take(bytes)?),
        Kind::Char => visitor.visit_char(take(bytes)?),
        Kind::Text | Kind::UnitVariant => visitor.visit_str(text(bytes)?),
        Kind::Bytes => visitor.visit_bytes(long(bytes)?),
        Kind::Unit => visitor.visit_unit(),
        Kind::None => visitor.visit_none(),
        Kind::Some => visitor.visit_some(Reader::Described(bytes)),
        Kind::Sequence | Kind::Tuple => {
            let value = visitor.visit_seq(Items::Described(bytes))?;
            end(bytes)?;
            Ok(value)
        }
        Kind::Map => {
            let value = visitor.visit_map(Items::Described(bytes))?;
            end(bytes)?;
            Ok(value)
        }
        // As others see an enum: a map of one entry.
        Kind::Variant => {
            let name = text(bytes)?;
            visitor.visit_map(Items::Entry(Some(name), bytes))
        }
        Kind::End => Err(Wrong::new("it has fewer items than are read")),
    }
}

fn end(bytes: &mut &[u8]) -> Result<(), Wrong> {
    match kind(bytes)? {
        Kind::End => Ok(()),
        _ => Err(Wrong::new("it has more items than are read")),
    }
}

#[cold]
fn looks() -> Wrong {
    Wrong::new("it looks at what has come, and this does not say what it is")
}

macro_rules! scalars {
    ($($method:ident $kind:ident $visit:ident $one:expr;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            match self {
                Reader::Compact(bytes) => visitor.$visit(take(bytes)?),
                Reader::Described(_) => self.deserialize_any(visitor),
                Reader::Made(made) => {
                    made.scalar(Kind::$kind)?;
                    visitor.$visit($one)
                }
            }
        }
    )*};
}

impl<'de> Reader<'_, '_> {
    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Reader::Compact(bytes) => visitor.visit_str(text(bytes)?),
            Reader::Described(_) => self.deserialize_any(visitor),
            Reader::Made(made) => {
                made.scalar(Kind::Text)?;
                visitor.visit_str("1")
            }
        }
    }

    fn long<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Reader::Compact(bytes) => visitor.visit_bytes(long(bytes)?),
            Reader::Described(_) => self.deserialize_any(visitor),
            Reader::Made(made) => {
                made.scalar(Kind::Bytes)?;
                visitor.visit_bytes(&[1])
            }
        }
    }

    /// The fields of a tuple or a struct, one after the other.
    #[inline]
    fn fields<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Reader::Compact(bytes) => visitor.visit_seq(Items::Compact { bytes, left: count }),
            Reader::Described(_) => self.deserialize_any(visitor),
            Reader::Made(made) => visitor.visit_seq(Items::Made(made.fields(count)?)),
        }
    }
}

impl<'de> Deserializer<'de> for Reader<'_, '_> {
    type Error = Wrong;

    scalars! {
        deserialize_bool Bool visit_bool true;
        deserialize_i8 I8 visit_i8 1;
        deserialize_i16 I16 visit_i16 1;
        deserialize_i32 I32 visit_i32 1;
        deserialize_i64 I64 visit_i64 1;
        deserialize_i128 I128 visit_i128 1;
        deserialize_u8 U8 visit_u8 1;
        deserialize_u16 U16 visit_u16 1;
        deserialize_u32 U32 visit_u32 1;
        deserialize_u64 U64 visit_u64 1;
        deserialize_u128 U128 visit_u128 1;
        deserialize_f32 F32 visit_f32 1.0;
        deserialize_f64 F64 visit_f64 1.0;
        deserialize_char Char visit_char '1';
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Reader::Compact(_) => Err(looks()),
            // Types that contain themselves are described, as deep as they may be.
            Reader::Described(bytes) => on_a_large_stack(|| item(bytes, visitor)),
            Reader::Made(_) => Err(looks()),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_any(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        // Where the names of fields come in a map, it is a struct that was flattened.
        self.deserialize_any(visitor)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.long(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.long(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Reader::Compact(bytes) => match take(bytes)? {
                0u8 => visitor.visit_none(),
                1 => visitor.visit_some(Reader::Compact(bytes)),
                _ => Err(Wrong::new("neither nothing nor something")),
            },
            Reader::Described(ref bytes) => match next_kind(bytes) {
                Some(Kind::None | Kind::Some | Kind::Unit) | None => self.deserialize_any(visitor),
                Some(_) => visitor.visit_some(self),
            },
            Reader::Made(made) => visitor.visit_some(Reader::Made(made.option()?)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Reader::Compact(_) => visitor.visit_unit(),
            Reader::Described(_) => self.deserialize_any(visitor),
            Reader::Made(made) => {
                made.scalar(Kind::Unit)?;
                visitor.visit_unit()
            }
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Reader::Compact(bytes) => {
                let left = usize::try_from(take::<u64>(bytes)?).map_err(|_| ENDS)?;
                visitor.visit_seq(Items::Compact { bytes, left })
            }
            Reader::Described(_) => self.deserialize_any(visitor),
            Reader::Made(made) => visitor.visit_seq(Items::Made(made.sequence()?)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Reader::Compact(bytes) => {
                let left = usize::try_from(take::<u64>(bytes)?).map_err(|_| ENDS)?;
                visitor.visit_map(Items::Compact { bytes, left })
            }
            Reader::Described(_) => self.deserialize_any(visitor),
            Reader::Made(made) => visitor.visit_map(Items::Made(made.map()?)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.fields(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.fields(len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.fields(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match self {
            Reader::Compact(bytes) => {
                let number = take(bytes)?;
                visitor.visit_enum(Variant::Compact(number, bytes))
            }
            Reader::Described(ref bytes)
                if !matches!(next_kind(bytes), Some(Kind::Text | Kind::UnitVariant | Kind::Variant)) =>
            {
                self.deserialize_any(visitor)
            }
            Reader::Described(bytes) => {
                let has_content = kind(bytes)? == Kind::Variant;
                let name = text(bytes)?;
                visitor.visit_enum(Variant::Described { name, has_content, bytes })
            }
            Reader::Made(made) => {
                let (number, made) = made.variant(variants.len())?;
                visitor.visit_enum(Variant::Made(number, made))
            }
        }
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The items of a sequence, of a group or of a map.
enum Items<'a, 'b> {
    Compact {
        bytes: &'a mut &'b [u8],
        left: usize,
    },
    /// Up to the end, which stays there.
    Described(&'a mut &'b [u8]),
    Made(MadeItems<'a>),
    /// A variant with content as a map of one entry.
    Entry(Option<&'b str>, &'a mut &'b [u8]),
}

impl Items<'_, '_> {
    #[inline]
    fn next<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Wrong> {
        let reader = match self {
            Items::Compact { left: 0, .. } => return Ok(None),
            Items::Compact { bytes, left } => {
                *left -= 1;
                Reader::Compact(bytes)
            }
            Items::Made(items) => match items.next() {
                Some(made) => Reader::Made(made),
                None => return Ok(None),
            },
            Items::Described(bytes) => match next_kind(bytes) {
                Some(Kind::End) => return Ok(None),
                _ => Reader::Described(bytes),
            },
            Items::Entry(name, _) => {
                let Some(name) = name.take() else { return Ok(None) };
                let name: StrDeserializer<'_, Wrong> = name.into_deserializer();
                return seed.deserialize(name).map(Some);
            }
        };
        seed.deserialize(reader).map(Some)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Wrong;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Wrong> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        match self {
            Items::Compact { left, .. } => Some(*left),
            Items::Made(items) => Some(items.left()),
            Items::Described(_) | Items::Entry(..) => None,
        }
    }
}

impl<'de> MapAccess<'de> for Items<'_, '_> {
    type Error = Wrong;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Wrong> {
        self.next(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Wrong> {
        seed.deserialize(match self {
            Items::Compact { bytes, .. } => Reader::Compact(bytes),
            Items::Described(bytes) | Items::Entry(_, bytes) => Reader::Described(bytes),
            Items::Made(items) => Reader::Made(items.next().ok_or(ENDS)?),
        })
    }

    fn size_hint(&self) -> Option<usize> {
        SeqAccess::size_hint(self)
    }
}

/// A variant of an enum, and its content.
enum Variant<'a, 'b> {
    Compact(u32, &'a mut &'b [u8]),
    Described { name: &'b str, has_content: bool, bytes: &'a mut &'b [u8] },
    Made(u32, MadeVariant<'a>),
}

impl<'de> Variant<'_, '_> {
    fn fields<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Wrong> {
        match self {
            Variant::Compact(_, bytes) => visitor.visit_seq(Items::Compact { bytes, left: count }),
            Variant::Described { bytes, .. } => Reader::Described(bytes).deserialize_any(visitor),
            Variant::Made(_, made) => visitor.visit_seq(Items::Made(made.fields(count)?)),
        }
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, '_> {
    type Error = Wrong;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Wrong> {
        let variant = match &self {
            Variant::Compact(number, _) | Variant::Made(number, _) => {
                let number: U32Deserializer<Wrong> = number.into_deserializer();
                seed.deserialize(number)?
            }
            Variant::Described { name, .. } => {
                let name: StrDeserializer<'_, Wrong> = name.into_deserializer();
                seed.deserialize(name)?
            }
        };
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, '_> {
    type Error = Wrong;

    fn unit_variant(self) -> Result<(), Wrong> {
        match self {
            Variant::Described { has_content: true, bytes, .. } => {
                serde::Deserialize::deserialize(Reader::Described(bytes))
            }
            Variant::Described { .. } | Variant::Compact(..) => Ok(()),
            Variant::Made(_, made) => made.fields(0).map(drop),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Wrong> {
        seed.deserialize(match self {
            Variant::Compact(_, bytes) => Reader::Compact(bytes),
            Variant::Described { bytes, .. } => Reader::Described(bytes),
            Variant::Made(_, made) => Reader::Made(made.newtype()?),
        })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.fields(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.fields(fields.len(), visitor)
    }
}
