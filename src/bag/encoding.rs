//! From bytes to text.

use serde::{Deserialize, Serialize};

/// What the bytes of text files mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8; a byte that does not belong is a fault of its line.
    #[default]
    Utf8,
    /// UTF-8; what does not belong becomes U+FFFD.
    Replace,
    /// ISO 8859-1: every byte is the character of its number, so nothing is ever wrong.
    Latin1,
}

/// Text, and where its lines stand in the bytes that it was made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) text: String,
    /// Where lines begin in the text, and in the bytes; nothing if that is the same everywhere.
    pub(super) starts: Vec<(u32, u32)>,
}

/// Bytes of whole lines as text; the bytes again if they are not.
pub(super) fn decode(bytes: Vec<u8>, encoding: Encoding) -> Result<Decoded, Vec<u8>> {
    let bytes = match String::from_utf8(bytes) {
        // ASCII is the same in all three.
        Ok(text) if encoding != Encoding::Latin1 || text.is_ascii() => {
            return Ok(Decoded { text, starts: Vec::new() });
        }
        Ok(text) => text.into_bytes(),
        Err(wrong) => wrong.into_bytes(),
    };
    if encoding == Encoding::Utf8 {
        return Err(bytes);
    }
    let mut decoded = Decoded::default();
    for (start, line) in lines(&bytes) {
        decoded.starts.push((decoded.text.len() as u32, start as u32));
        push(&mut decoded.text, line, encoding);
    }
    Ok(decoded)
}

/// Appends bytes that no encoding but UTF-8 finds wrong.
pub(super) fn push(text: &mut String, bytes: &[u8], encoding: Encoding) {
    match encoding {
        Encoding::Latin1 => text.extend(bytes.iter().copied().map(char::from)),
        Encoding::Utf8 | Encoding::Replace => text.push_str(&String::from_utf8_lossy(bytes)),
    }
}

/// The UTF-8 lines of these bytes, the number of lines that are left out, and where the first of them begins.
pub(super) fn valid_lines(bytes: &[u8]) -> (Decoded, u64, usize) {
    let mut decoded = Decoded::default();
    let (mut skipped, mut first) = (0, 0);
    for (start, line) in lines(bytes) {
        match std::str::from_utf8(line) {
            Ok(line) => {
                decoded.starts.push((decoded.text.len() as u32, start as u32));
                decoded.text.push_str(line);
            }
            Err(_) => {
                if skipped == 0 {
                    first = start;
                }
                skipped += 1;
            }
        }
    }
    (decoded, skipped, first)
}

/// The lines of these bytes with their ends, and where each begins.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    bytes.split_inclusive(|&byte| byte == b'\n').scan(0, |start, line| {
        let begin = *start;
        *start += line.len();
        Some((begin, line))
    })
}
