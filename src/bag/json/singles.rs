//! The numbers of a line that lead to another `f32` by way of an `f64`.

use crate::bag::singles::{is_better, single};
use serde::Serialize;
use std::ops::Range;

/// The value of a line, read again with other text for such numbers where the type has an `f32`.
pub(super) fn settle<T: Serialize>(line: &str, mut value: T, read: impl Fn(&str) -> Option<T>) -> T {
    let hard: Vec<_> =
        numbers(line).filter_map(|place| single(&line[place.clone()]).map(|once| (place, once))).collect();
    if hard.is_empty() {
        return value;
    }
    let mut line = line.to_owned();
    // From the last one on, so that the places of the others stay.
    for (place, once) in hard.into_iter().rev() {
        let mut other = line.clone();
        other.replace_range(place, &format!("{:?}", f64::from(once)));
        if let Some(with_single) = read(&other)
            && is_better(&with_single, &value)
        {
            (line, value) = (other, with_single);
        }
    }
    value
}

/// Where the numbers of a line are, which is valid JSON.
fn numbers(line: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = line.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            match bytes.get(at)? {
                b'"' => at = behind_text(bytes, at + 1),
                b'-' | b'0'..=b'9' => {
                    let is_of_number =
                        |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                    let start = at;
                    at += bytes[at..].iter().take_while(is_of_number).count();
                    return Some(start..at);
                }
                _ => at += 1,
            }
        }
    })
}

/// The place behind a text that goes on at a place.
fn behind_text(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}
