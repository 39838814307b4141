//! What a type that looks before it reads makes of each field.
//!
//! A type with `flatten` or `tag` is given its fields before anyone knows what it makes of them, and serde has no number of
//! a text afterwards. So such a type is tried out on the first record: every field is a mark in place of its text, and
//! what refuses the mark says what it would have liked. The fields of other types say that by themselves.

use super::fields::{Record, Wrong};
use crate::bag::singles::{is_better, single};
use serde::{
    Serialize,
    de::{DeserializeOwned, Expected, Unexpected},
};
use std::{collections::BTreeMap, marker::PhantomData};

/// What a field is given as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A text that no file has, for a trial; then a number, a truth value and nothing, as no file has them there.
    Mark,
    Number,
    Truth,
    Nothing,
    Text,
    /// The name of a variant, on which it depends what other fields are.
    Tag,
    Bool,
    Char,
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
    F32,
    F64,
    /// What it looks like.
    Anything,
    /// A number as the `f64` that leads to the nearest `f32`.
    Single,
}

/// How a field is given to a type that takes whatever there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) asked: Asked,
    /// It may be missing.
    pub(super) optional: bool,
}

/// What stands for a number in a trial, and the column.
const MARKS: u64 = 1 << 63;
const MARK: &str = "\u{1}serried\u{1}";

pub(super) fn mark(column: usize) -> String {
    format!("{MARK}{column}")
}

pub(super) fn mark_number(column: usize) -> u64 {
    MARKS + column as u64
}

fn column_of(mark: &str) -> Option<usize> {
    mark.strip_prefix(MARK)?.parse().ok()
}

/// What was asked for where a mark was refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused {
    column: usize,
    asked: Asked,
}

impl Refused {
    pub(super) fn of(found: &Unexpected, expected: &dyn Expected) -> Option<Refused> {
        match *found {
            Unexpected::Str(text) => {
                Some(Refused { column: column_of(text)?, asked: Asked::by_name(&expected.to_string()) })
            }
            Unexpected::Unsigned(number) => {
                let column = usize::try_from(number.checked_sub(MARKS)?).ok()?;
                Some(Refused { column, asked: Asked::Text })
            }
            _ => None,
        }
    }

    pub(super) fn of_variant(name: &str) -> Option<Refused> {
        Some(Refused { column: column_of(name)?, asked: Asked::Tag })
    }
}

impl Asked {
    /// By what serde says that it expects.
    fn by_name(expected: &str) -> Asked {
        match expected {
            "a boolean" => Asked::Bool,
            "a character" => Asked::Char,
            "u8" => Asked::U8,
            "u16" => Asked::U16,
            "u32" => Asked::U32,
            "u64" | "usize" => Asked::U64,
            "i8" => Asked::I8,
            "i16" => Asked::I16,
            "i32" => Asked::I32,
            "i64" | "isize" => Asked::I64,
            "f32" => Asked::F32,
            "f64" => Asked::F64,
            _ => Asked::Anything,
        }
    }

    /// Whether a trial can do with the text of a field.
    pub(super) fn fits(self, field: &str) -> bool {
        let field = field.trim_ascii();
        match self {
            Asked::Mark | Asked::Number | Asked::Truth | Asked::Nothing => false,
            Asked::Text | Asked::Tag | Asked::Anything | Asked::Single => true,
            Asked::Bool => matches!(field, "true" | "false"),
            Asked::Char => field.len() == 1,
            Asked::F32 | Asked::F64 => field.parse::<f64>().is_ok(),
            // Small enough for all of them.
            _ => field.parse::<u64>().is_ok_and(|number| number < 1 << 7),
        }
    }
}

/// Variants of which it is kept what their fields are.
const MOST_KNOWN: usize = 1 << 10;

/// What has been found out about a type.
#[derive(Debug, Default)]
pub(super) struct Asking {
    /// Columns that have the names of variants.
    tags: Vec<usize>,
    /// By these names, what each column is.
    known: BTreeMap<Vec<String>, Vec<Column>>,
}

impl Asking {
    pub(super) fn read<T: Serialize + DeserializeOwned>(&mut self, record: Record) -> Result<T, String> {
        let key = self.key(record);
        if let Some(columns) = self.known.get(&key) {
            return read_once_rounded(record, columns);
        }
        let (columns, certain) = Trial::<T>::new(record).learn();
        let value = read_once_rounded(record, &columns);
        // A record that is wrong by itself may have shown nothing.
        if certain || value.is_ok() {
            self.learn(record, columns);
        }
        value
    }

    fn key(&self, record: Record) -> Vec<String> {
        self.tags.iter().map(|tag| record.field(*tag).unwrap_or_default().to_owned()).collect()
    }

    fn learn(&mut self, record: Record, columns: Vec<Column>) {
        let tags = self.tags.len();
        for (column, _) in columns.iter().enumerate().filter(|(_, column)| column.asked == Asked::Tag) {
            if !self.tags.contains(&column) {
                self.tags.push(column);
            }
        }
        if self.tags.len() > tags || self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        self.known.insert(self.key(record), columns);
    }
}

/// The value of a record, every `f32` in it rounded once.
fn read_once_rounded<T: Serialize + DeserializeOwned>(
    record: Record,
    columns: &[Column],
) -> Result<T, String> {
    let mut value = record.read_as(columns)?;
    let is_hard = |(number, column): &(usize, &Column)| {
        column.asked == Asked::Anything && record.field(*number).is_some_and(|field| single(field).is_some())
    };
    let hard: Vec<usize> = columns.iter().enumerate().filter(is_hard).map(|(number, _)| number).collect();
    if !hard.is_empty() {
        let mut columns = columns.to_vec();
        for number in hard {
            columns[number].asked = Asked::Single;
            match record.read_as(&columns) {
                Ok(other) if is_better(&other, &value) => value = other,
                _ => columns[number].asked = Asked::Anything,
            }
        }
    }
    Ok(value)
}

/// A type that is tried out on a record.
struct Trial<'a, T> {
    record: Record<'a>,
    columns: Vec<Column>,
    value: PhantomData<T>,
}

impl<'a, T: DeserializeOwned> Trial<'a, T> {
    fn new(record: Record<'a>) -> Self {
        let columns = vec![Column { asked: Asked::Mark, optional: false }; record.ends.len()];
        Trial { record, columns, value: PhantomData }
    }

    /// What each column is, and whether that is certain.
    fn learn(mut self) -> (Vec<Column>, bool) {
        // What takes a text and a number takes anything, or is not read.
        let certain = self.give(Asked::Mark) && {
            self.replace(Asked::Mark, Asked::Number);
            self.give(Asked::Number)
        };
        self.replace(Asked::Mark, Asked::Anything);
        self.replace(Asked::Number, Asked::Anything);
        if certain {
            for number in 0..self.columns.len() {
                if self.columns[number].asked != Asked::Anything {
                    self.columns[number].optional = self.run_with(number, Asked::Nothing).is_ok();
                }
            }
        }
        (self.columns, certain)
    }

    fn run(&self) -> Result<(), Wrong> {
        self.record.try_out::<T>(&self.columns)
    }

    /// A run in which one column is something else.
    fn run_with(&mut self, number: usize, asked: Asked) -> Result<(), Wrong> {
        let before = std::mem::replace(&mut self.columns[number].asked, asked);
        let result = self.run();
        self.columns[number].asked = before;
        result
    }

    fn replace(&mut self, asked: Asked, by: Asked) {
        self.columns.iter_mut().filter(|column| column.asked == asked).for_each(|column| column.asked = by);
    }

    /// Gives marks until all of them are taken; false if that does not come about.
    fn give(&mut self, marked: Asked) -> bool {
        while let Err(wrong) = self.run() {
            let located = || Some(Refused { column: wrong.field?, asked: Asked::Anything });
            let is_marked = |refused: &Refused| {
                self.columns.get(refused.column).is_some_and(|column| column.asked == marked)
            };
            match wrong.refused.or_else(located).filter(is_marked) {
                Some(refused) => self.columns[refused.column].asked = refused.asked,
                None if self.give_texts(marked, &wrong) => {}
                None => return false,
            }
        }
        true
    }

    /// Something is wrong with a mark, and does not say which: a date, say, has to be one. What refuses a truth value
    /// in its place, where that error comes from or before, is a text.
    fn give_texts(&mut self, marked: Asked, wrong: &Wrong) -> bool {
        let mut found = false;
        for number in 0..self.columns.len() {
            if self.columns[number].asked == marked {
                let result = self.run_with(number, Asked::Truth);
                if result.err().is_none_or(|other| other.problem != wrong.problem) {
                    self.columns[number].asked = Asked::Text;
                    found = true;
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::Record;
    use super::*;
    use serde::Deserialize;
    use std::fmt::Debug;

    /// The values of the lines behind the first one, which has the columns.
    fn read<T: Serialize + DeserializeOwned>(text: &str) -> Vec<Result<T, String>> {
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        let columns = lines.next().expect("columns");
        let missing = ["NA".to_owned()];
        let mut asking = Asking::default();
        let mut read = |fields: Vec<String>| {
            let ends: Vec<usize> = (1..=fields.len()).map(|n| fields[..n].concat().len()).collect();
            let record = Record { text: &fields.concat(), ends: &ends, columns: &columns, missing: &missing };
            asking.read(record)
        };
        lines.map(&mut read).collect()
    }

    /// The table of docs/bags.md.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inner {
        number: Option<f64>,
        single: f32,
        word: String,
        note: Option<String>,
        count: u8,
        yes: bool,
        letter: char,
        host: std::net::Ipv4Addr,
        kind: Kind,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Good,
        Bad,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Outer {
        id: u64,
        #[serde(flatten)]
        inner: Inner,
    }

    const COLUMNS: &str = "number,single,id,word,note,count,yes,letter,host,kind,other\n";

    fn outer() -> Outer {
        let inner = Inner {
            number: Some(2.5),
            single: 7.038531e-26,
            word: "007".into(),
            note: Some("1".into()),
            count: 0x1F,
            yes: true,
            letter: '7',
            host: [127, 0, 0, 1].into(),
            kind: Kind::Bad,
        };
        Outer { id: 3, inner }
    }

    #[test]
    fn flattened_fields_follow_the_same_table_as_others() {
        let lines = " 2.5 ,7.038531e-26,3,007,1,0x1F,True,7,127.0.0.1,bad,x\n\
                     ,NA,3,NA,,1,FALSE,é,10.0.0.1,good,\n\
                     NA,1.00000017881393432617187499,3,,NA,255,true,x,1.1.1.1,bad,1\n";
        let read: Vec<Outer> =
            read(&[COLUMNS, lines].concat()).into_iter().collect::<Result<_, _>>().expect("values");
        assert_eq!(read[0], outer());
        let second = &read[1].inner;
        assert!(second.number.is_none() && second.single.is_nan() && second.note.is_none());
        assert_eq!((&second.word[..], second.yes, second.letter), ("NA", false, 'é'));
        let third = &read[2].inner;
        assert_eq!((third.number, third.single), (None, f32::from_bits(0x3F80_0001)));
        assert_eq!((&third.word[..], third.note.as_deref(), third.count), ("", None, 255));
    }

    #[test]
    fn errors_of_flattened_fields_name_the_column() {
        let good = "2.5,1,3,a,b,1,true,x,1.1.1.1,bad,1";
        let table = [
            ("2x,1,3,a,b,1,true,x,1.1.1.1,bad,1", "column `number`: invalid float literal: `2x`"),
            (
                "1,,3,a,b,1,true,x,1.1.1.1,bad,1",
                "column `single`: the value is missing, and the type is no `Option`: ``",
            ),
            (
                "1,1,3,a,b,256,true,x,1.1.1.1,bad,1",
                "column `count`: number too large to fit in target type: `256`",
            ),
            (
                "1,1,3,a,b,NA,true,x,1.1.1.1,bad,1",
                "column `count`: the value is missing, and the type is no `Option`: `NA`",
            ),
            ("1,1,3,a,b,1,1,x,1.1.1.1,bad,1", "column `yes`: neither `true` nor `false`: `1`"),
            ("1,1,3,a,b,1,true,xy,1.1.1.1,bad,1", "column `letter`: not one character: `xy`"),
        ];
        for (wrong, problem) in table {
            // Whether it is the first record or not.
            for (lines, at) in [([wrong, good], 0), ([good, wrong], 1)] {
                let mut read = read::<Outer>(&[COLUMNS, &lines.join("\n")].concat());
                assert!(read[1 - at].is_ok(), "{lines:?}: {read:?}");
                assert_eq!(read.remove(at).expect_err("a fault"), problem);
            }
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Number { value: f64 },
        Single { value: f32 },
        Word { value: String },
        Maybe { value: Option<u8> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct WithTag {
        id: u64,
        #[serde(flatten)]
        tagged: Tagged,
    }

    #[test]
    fn fields_of_tagged_variants_are_what_their_variant_has() {
        let text = "id,kind,value\n1,Number,007\n2,Word,007\n3,Single,7.038531e-26\n4,Maybe,NA\n\
                    5,Number,7.038531e-26\n6,Word,NA\n7,Maybe,7\n8,Word,\n9,Odd,1\n";
        let expected = [
            Tagged::Number { value: 7.0 },
            Tagged::Word { value: "007".into() },
            Tagged::Single { value: 7.038531e-26 },
            Tagged::Maybe { value: None },
            Tagged::Number { value: 7.038531e-26 },
            Tagged::Word { value: "NA".into() },
            Tagged::Maybe { value: Some(7) },
            Tagged::Word { value: String::new() },
        ];
        let mut flattened = read::<WithTag>(text);
        let mut whole = read::<Tagged>(text);
        let error = flattened.pop().expect("a record").expect_err("a fault");
        assert!(error.starts_with("unknown variant `Odd`, expected one of `Number`"), "{error}");
        let error = whole.pop().expect("a record").expect_err("a fault");
        assert!(error.starts_with("column `kind`: unknown variant `Odd`"), "{error}");
        for (((found, whole), tagged), id) in flattened.into_iter().zip(whole).zip(expected).zip(1..) {
            assert_eq!(whole.as_ref(), Ok(&tagged));
            assert_eq!(found, Ok(WithTag { id, tagged }));
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Any {
        Count(u64),
        Single(f32),
        Word(String),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Others<T> {
        id: u64,
        #[serde(flatten)]
        others: BTreeMap<String, T>,
    }

    fn others<T: Serialize + DeserializeOwned + PartialEq + Debug>(line: &str, expected: [T; 2]) {
        let others = ["a", "b"].map(str::to_owned).into_iter().zip(expected).collect();
        assert_eq!(read(&format!("id,a,b\n1,{line}")), [Ok(Others { id: 1, others })]);
    }

    #[test]
    fn what_takes_anything_is_given_what_a_field_looks_like() {
        let word = |word: &str| Any::Word(word.into());
        others("1,1.5", [Any::Count(1), Any::Single(1.5)]);
        others("7.038531e-26,007", [Any::Single(7.038531e-26), word("007")]);
        others("nan,+1", [word("nan"), word("+1")]);
        others("007,1.5", ["007".to_owned(), "1.5".to_owned()]);
        others("007, 1.5", [7.0f64, 1.5]);
        others("-0,18446744073709551616", [-0.0, 18_446_744_073_709_551_616.0f64]);
        let values = [serde_json::json!(true), serde_json::json!("x")];
        others("true,x", values);
        assert_eq!(read("a,b\n1,x"), [Ok(serde_json::json!({"a": 1, "b": "x"}))]);
    }
}
