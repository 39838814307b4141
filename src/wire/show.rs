//! Values as short texts, for messages to people: whatever can travel can be shown.

use super::{Value, codec::take, kind::Kind, write::write};

/// The characters of a text, at most.
const LONGEST: usize = 60;

/// A value as a person would write it down, cut where it is long.
pub(crate) fn show<T: Value>(value: &T) -> String {
    let mut bytes = Vec::new();
    let mut text = String::new();
    // What cannot be written out ends where that was noticed.
    let _ = write(value, None, &mut bytes);
    let complete = item(&mut &*bytes, &mut text).is_some();
    if !complete || text.chars().count() > LONGEST {
        text = text.chars().take(LONGEST).collect::<String>() + "...";
    }
    text
}

/// Adds the next item; nothing if it is not there, or if there is text enough.
fn item(bytes: &mut &[u8], text: &mut String) -> Option<()> {
    if text.len() > 4 * LONGEST {
        return None;
    }
    let (&kind, rest) = bytes.split_first()?;
    *bytes = rest;
    macro_rules! number {
        ($number:ty) => {
            text.push_str(&format!("{:?}", take::<$number>(bytes).ok()?))
        };
    }
    match *Kind::ALL.get(usize::from(kind))? {
        Kind::Bool => number!(bool),
        Kind::I8 => number!(i8),
        Kind::I16 => number!(i16),
        Kind::I32 => number!(i32),
        Kind::I64 => number!(i64),
        Kind::I128 => number!(i128),
        Kind::U8 => number!(u8),
        Kind::U16 => number!(u16),
        Kind::U32 => number!(u32),
        Kind::U64 => number!(u64),
        Kind::U128 => number!(u128),
        Kind::F32 => number!(f32),
        Kind::F64 => number!(f64),
        Kind::Char => number!(char),
        Kind::Text => text.push_str(&format!("{:?}", name(bytes)?)),
        Kind::Bytes => {
            let length = name_bytes(bytes)?.len();
            text.push_str(&format!("{length} bytes"));
        }
        Kind::Unit => text.push_str("()"),
        Kind::None => text.push_str("None"),
        Kind::Some => {
            text.push_str("Some(");
            item(bytes, text)?;
            text.push(')');
        }
        Kind::Sequence => items(bytes, text, ["[", "]"], false)?,
        Kind::Tuple => items(bytes, text, ["(", ")"], false)?,
        Kind::Map => items(bytes, text, ["{ ", " }"], true)?,
        Kind::UnitVariant => text.push_str(name(bytes)?),
        Kind::Variant => {
            text.push_str(name(bytes)?);
            match bytes.first() {
                Some(&kind) if kind == Kind::Tuple as u8 => {
                    *bytes = &bytes[1..];
                    items(bytes, text, ["(", ")"], false)?;
                }
                Some(&kind) if kind == Kind::Map as u8 => {
                    text.push(' ');
                    item(bytes, text)?;
                }
                _ => {
                    text.push('(');
                    item(bytes, text)?;
                    text.push(')');
                }
            }
        }
        Kind::End => return None,
    }
    Some(())
}

/// Adds the items up to the end, or the entries.
fn items(bytes: &mut &[u8], text: &mut String, [open, close]: [&str; 2], entries: bool) -> Option<()> {
    text.push_str(open);
    let mut first = true;
    while *bytes.first()? != Kind::End as u8 {
        if !std::mem::take(&mut first) {
            text.push_str(", ");
        }
        if entries {
            key(bytes, text)?;
            text.push_str(": ");
        }
        item(bytes, text)?;
    }
    *bytes = &bytes[1..];
    text.push_str(close);
    Some(())
}

/// Adds a key, the name of a field without quotation marks.
fn key(bytes: &mut &[u8], text: &mut String) -> Option<()> {
    if *bytes.first()? != Kind::Text as u8 {
        return item(bytes, text);
    }
    *bytes = &bytes[1..];
    text.push_str(name(bytes)?);
    Some(())
}

fn name_bytes<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(take::<u64>(bytes).ok()?).ok()?;
    let (name, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(name)
}

fn name<'b>(bytes: &mut &'b [u8]) -> Option<&'b str> {
    std::str::from_utf8(name_bytes(bytes)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    enum Distribution {
        Normal,
        Exponential(f64),
        Mixture { weights: (f32, f32), of: Box<Distribution> },
        Pair(u8, char),
    }

    #[test]
    fn values_look_as_they_are_written_in_a_program() {
        let mixture = Distribution::Mixture { weights: (0.1, 0.9), of: Box::new(Distribution::Normal) };
        assert_eq!(show(&mixture), "Mixture { weights: (0.1, 0.9), of: Normal }");
        assert_eq!(show(&(7u64, -1.5, "x".to_owned())), "(7, -1.5, \"x\")");
        assert_eq!(show(&Distribution::Exponential(2.0)), "Exponential(2.0)");
        assert_eq!(show(&Distribution::Pair(1, 'a')), "Pair(1, 'a')");
        assert_eq!(show(&Some(Some(f64::NAN))), "Some(Some(NaN))");
        assert_eq!(show(&(None::<u8>, (), vec![true])), "(None, (), [true])");
    }

    #[test]
    fn long_values_are_cut() {
        let text = show(&vec![1.25f64; 1_000_000]);
        assert!(text.starts_with("[1.25, 1.25, ") && text.ends_with("..."), "{text}");
        assert!(text.len() < 80);
        assert!(show(&"\u{e4}".repeat(1000)).chars().count() <= LONGEST + 3);
    }
}
