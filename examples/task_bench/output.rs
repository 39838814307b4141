//! What a task hands to its readers.

use super::{
    execute::{PAIR, pair},
    tally::Tally,
};
use serde::{Deserialize, Serialize};

/// An output, and the tally that its first reader takes along: that of this task, and of those whose tally it took
/// along itself. So no task is run for counting, and the outputs that nobody reads have together met every task.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Output {
    pub(crate) tally: Tally,
    payload: Payload,
}

/// The bytes of an output. A single pair needs no memory of its own.
#[derive(Debug, Serialize, Deserialize)]
enum Payload {
    Pair([u64; 2]),
    Bytes(#[serde(with = "whole")] Vec<u8>),
}

impl Output {
    #[inline]
    pub(crate) fn of(tally: Tally, t: u32, i: u32, length: usize) -> Self {
        let pair = pair(t, i);
        let payload = match length {
            PAIR => Payload::Pair(bytemuck::cast(pair)),
            _ => {
                let mut bytes = pair.repeat(length.div_ceil(PAIR));
                bytes.truncate(length);
                Payload::Bytes(bytes)
            }
        };
        Output { tally, payload }
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.payload {
            Payload::Pair(words) => bytemuck::bytes_of(words),
            Payload::Bytes(bytes) => bytes,
        }
    }
}

/// Bytes that travel in one piece; `serde` would write a vector of them one by one.
mod whole {
    use serde::{Deserializer, Serializer, de::Visitor};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(Whole)
    }
}

#[cfg(test)]
mod tests {
    use super::super::execute::consists_of;
    use super::*;

    #[test]
    fn outputs_have_their_length_and_their_name() {
        for length in [16, 17, 32, 100, 4096] {
            let output = Output::of(Tally::of(0, 5, 6), 5, 6, length);
            assert_eq!(output.bytes().len(), length);
            assert!(consists_of(output.bytes(), pair(5, 6)));
        }
    }
}
