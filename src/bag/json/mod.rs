//! JSON values of lines, with the numbers of their text.
//!
//! `serde_json` reads a float as the one nearest to its text only with its feature `float_roundtrip`, which serried
//! turns on for all crates of a program. Another crate may turn on `arbitrary_precision`, which shows numbers to some
//! types as maps; `numbers` takes that back. What both do to an `f32` of some types, `singles` mends.

mod numbers;
mod singles;

use super::{csv::cut, floats};
use crate::wire;
use serde::{Serialize, de::DeserializeOwned};

/// The value of a line, or what is wrong with it.
pub(super) fn read<T: Serialize + DeserializeOwned + 'static>(line: &str) -> Result<T, String> {
    let value = read_once(line).map_err(|error| describe::<T>(line, &error))?;
    Ok(match wire::looks::<T>() {
        false => value,
        true => singles::settle(line, value, |line| read_once(line).ok()),
    })
}

fn read_once<T: DeserializeOwned>(line: &str) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_str(line);
    let value = match numbers::are_maps() {
        false => T::deserialize(&mut deserializer),
        true => T::deserialize(numbers::plain(&mut deserializer)),
    };
    value.and_then(|value| deserializer.end().map(|()| value))
}

/// What is wrong, with which part of the value, and the text that is wrong.
fn describe<T: DeserializeOwned>(line: &str, error: &serde_json::Error) -> String {
    // Places in the line would be taken for places in the file.
    let place = format!(" at line {} column {}", error.line(), error.column());
    let problem = error.to_string();
    let problem = problem.strip_suffix(&place).unwrap_or(&problem);
    let text = cut(near(line, error.column()));
    let mut deserializer = serde_json::Deserializer::from_str(line);
    let path = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(error) if error.inner().is_data() => error.path().to_string(),
        _ => ".".into(),
    };
    match &*path {
        "." => format!("{problem}: `{text}`"),
        path => format!("field `{}`: {problem}: `{text}`", cut(path)),
    }
}

/// Characters before a fault that are shown.
const BEFORE: usize = 40;

/// The part of a line that a fault at its `column`th byte is in.
fn near(line: &str, column: usize) -> &str {
    if line.len() <= BEFORE {
        return line;
    }
    let start = (0..=column.saturating_sub(BEFORE)).rev().find(|start| line.is_char_boundary(*start));
    &line[start.unwrap_or(0)..]
}

/// Appends a value as JSON, which every reader of JSON gives back. Floats are the shortest text that is theirs alone.
pub(super) fn write<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), String> {
    let before = out.len();
    serde_json::to_writer(&mut *out, value).map_err(|error| error.to_string())?;
    // What is not finite has become a null.
    if memchr::memmem::find(&out[before..], b"null").is_some() {
        floats::check_finite(value).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    fn again<T: Serialize + DeserializeOwned + 'static>(value: &T) -> T {
        let mut line = Vec::new();
        write(value, &mut line).expect("JSON");
        read(std::str::from_utf8(&line).expect("text")).expect("a value")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        #[test]
        fn numbers_are_read_as_they_were_written(
            double in any::<u64>().prop_map(f64::from_bits),
            uniform in 0.0..1.0f64,
            single in any::<u32>().prop_map(f32::from_bits),
            large in any::<(u64, i64, u128, i128)>(),
        ) {
            if double.is_finite() && single.is_finite() {
                let (x, y, z) = again(&(double, uniform, single));
                prop_assert_eq!((x.to_bits(), y.to_bits(), z.to_bits()), (double.to_bits(), uniform.to_bits(), single.to_bits()));
                prop_assert_eq!(again(&vec![Some(double), None]), vec![Some(double), None]);
            }
            prop_assert_eq!(again(&large), large);
        }

        /// The standard library rounds correctly.
        #[test]
        fn numbers_are_those_nearest_to_their_text(text in "-?[1-9][0-9]{0,25}(\\.[0-9]{1,40})?(e-?[0-9]{1,2})?") {
            prop_assert_eq!(read::<f64>(&text).ok(), text.parse().ok(), "{}", text);
            prop_assert_eq!(read::<f32>(&text).ok(), text.parse().ok().filter(|x: &f32| x.is_finite()), "{}", text);
        }
    }

    #[test]
    fn numbers_that_are_hard_to_read() {
        for text in
            ["-0.0", "-0", "5e-324", "2.2250738585072011e-308", "1.7976931348623157e308", "9007199254740993"]
        {
            assert_eq!(
                read::<f64>(text).map(f64::to_bits),
                Ok(text.parse::<f64>().expect("a number").to_bits())
            );
        }
        // By way of an f64 it would be the next f32.
        assert_eq!(read("1.00000017881393432617187499"), Ok(f32::from_bits(0x3F80_0001)));
        assert_eq!(read(&u64::MAX.to_string()), Ok(u64::MAX));
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Count(u64),
        Number(f64),
        Numbers(Vec<f64>),
        Words(BTreeMap<String, String>),
        Flat(Flat),
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Flat {
        name: Option<String>,
        #[serde(flatten)]
        others: BTreeMap<String, f64>,
    }

    /// Tests are built with `arbitrary_precision`, as another crate might want it.
    #[test]
    fn what_other_crates_turn_on_changes_nothing() {
        assert!(numbers::are_maps());
        assert_eq!(read("18446744073709551615"), Ok(Untagged::Count(u64::MAX)));
        assert_eq!(read("0.1234567890123456789"), Ok(Untagged::Number(0.123_456_789_012_345_68)));
        assert_eq!(read("[1, -2.5e-3]"), Ok(Untagged::Numbers(vec![1.0, -2.5e-3])));
        let words = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        assert_eq!(read(r#"{"a": "b"}"#), Ok(Untagged::Words(words)));
        let others = BTreeMap::from([("x".to_owned(), 0.1), ("y".to_owned(), 3.0)]);
        let flat = Flat { name: Some("n".into()), others };
        assert_eq!(read(r#"{"x": 0.1, "name": "n", "y": 3}"#), Ok(Untagged::Flat(flat)));
        let keys = BTreeMap::from([(3u64, 0.5), (4, -1.0)]);
        assert_eq!(read(r#"{"3": 0.5, "4": -1}"#), Ok(keys));
        assert_eq!(
            read::<serde_json::Value>("[1.50, {\"a\": 1e2}]"),
            Ok(serde_json::json!([1.5, {"a": 100.0}]))
        );
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Point {
        x: f32,
        y: f64,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Place {
        name: String,
        #[serde(flatten)]
        point: Point,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Singles { of: Vec<f32> },
        Doubles { of: Vec<f64> },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Place(Place),
        Single(f32),
    }

    /// Texts whose nearest `f64` lies in the middle between two `f32`s, of which it is rounded to the wrong one.
    const ROUNDED_TWICE: [&str; 4] = [
        "7.038531e-26",
        "1.00000017881393432617187499",
        "-1.00000017881393432617187499",
        "36893490346442358784.000001",
    ];

    #[test]
    fn a_number_is_rounded_once_whatever_the_type_looks_at() {
        for text in ROUNDED_TWICE {
            let (x, y): (f32, f64) = (text.parse().expect("a number"), text.parse().expect("a number"));
            assert_ne!(y as f32, x, "{text}");
            let place = || Place { name: text.into(), point: Point { x, y } };
            let line = format!(r#"{{"y": {text}, "name": "{text}", "x": {text}}}"#);
            assert_eq!(read(&line), Ok(place()));
            assert_eq!(read(&line), Ok(Either::Place(place())));
            assert_eq!(read(text), Ok(Either::Single(x)));
            let tagged = |kind: &str| read(&format!(r#"{{"of": [1.5, {text}, {text}], "kind": "{kind}"}}"#));
            assert_eq!(tagged("Singles"), Ok(Tagged::Singles { of: vec![1.5, x, x] }));
            assert_eq!(tagged("Doubles"), Ok(Tagged::Doubles { of: vec![1.5, y, y] }));
            assert_eq!(again(&place()), place());
            assert_eq!(again(&Either::Single(x)), Either::Single(x));
        }
    }

    #[test]
    fn what_json_has_no_word_for_is_refused() {
        let refused =
            |value: &dyn Fn(&mut Vec<u8>) -> Result<(), String>| value(&mut Vec::new()).expect_err("refused");
        let problem = "JSON has no word for NaN; write an `Option` that is `None`, or text";
        assert_eq!(refused(&|out| write(&f64::NAN, out)), problem);
        assert!(
            refused(&|out| write(&BTreeMap::from([("a", Some(vec![1.0, f32::INFINITY]))]), out))
                .contains("inf;")
        );
        let mut out = Vec::new();
        write(&(None::<f64>, "null", Some(1.5f32)), &mut out).expect("JSON");
        assert_eq!(out, br#"[null,"null",1.5]"#);
    }

    #[test]
    fn errors_name_the_field_and_show_the_text() {
        let error = read::<BTreeMap<String, Vec<u8>>>(r#"{"a": [1], "b": [1, -7]}"#).expect_err("a fault");
        assert_eq!(
            error,
            r#"field `b[1]`: invalid value: integer `-7`, expected u8: `{\"a\": [1], \"b\": [1, -7]}`"#
        );
        let long = format!("[{}x]", "1,".repeat(500));
        let error = read::<Vec<u8>>(&long).expect_err("a fault");
        assert!(error.starts_with("expected value: `") && error.ends_with("1,x]`"), "{error}");
        assert!(error.len() < 80, "{error}");
    }
}
