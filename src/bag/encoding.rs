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

/// Bytes of whole lines as text; the bytes again if they are not.
pub(super) fn decode(bytes: Vec<u8>, encoding: Encoding) -> Result<String, Vec<u8>> {
    let bytes = match String::from_utf8(bytes) {
        // ASCII is the same in all three.
        Ok(text) if encoding != Encoding::Latin1 || text.is_ascii() => return Ok(text),
        Ok(text) => text.into_bytes(),
        Err(wrong) => wrong.into_bytes(),
    };
    match encoding {
        Encoding::Utf8 => Err(bytes),
        Encoding::Replace => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Encoding::Latin1 => Ok(bytes.into_iter().map(char::from).collect()),
    }
}

/// The UTF-8 lines of these bytes, the number of lines that are left out, and where the first of them begins.
pub(super) fn valid_lines(bytes: &[u8]) -> (String, u64, usize) {
    let mut text = String::with_capacity(bytes.len());
    let (mut skipped, mut first, mut start) = (0, 0, 0);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        match std::str::from_utf8(line) {
            Ok(line) => text.push_str(line),
            Err(_) => {
                if skipped == 0 {
                    first = start;
                }
                skipped += 1;
            }
        }
        start += line.len();
    }
    (text, skipped, first)
}
