//! The form that describes itself: each item says what it is, and fields and variants have their names.
//!
//! For types that look at what has come before they decide what it is, or that leave something out (see
//! [`shape`](super::shape)). It keeps apart whatever serde does: `None`, `Some(None)` and `()`, numbers of each width,
//! the order of maps. Formats for exchange, CBOR or MessagePack say, do not.

mod read;
mod write;

pub(super) use read::read;
pub(super) use write::write;

/// What an item is: the byte that it begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Tag {
    /// Behind the last item of a sequence or a map.
    End,
    Unit,
    None,
    Some,
    False,
    True,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Text,
    Bytes,
    Sequence,
    Map,
    /// A variant of an enum without content: its name.
    UnitVariant,
    /// A variant with content: its name, then the content.
    Variant,
}

impl Tag {
    const ALL: [Tag; 25] = [
        Tag::End,
        Tag::Unit,
        Tag::None,
        Tag::Some,
        Tag::False,
        Tag::True,
        Tag::I8,
        Tag::I16,
        Tag::I32,
        Tag::I64,
        Tag::I128,
        Tag::U8,
        Tag::U16,
        Tag::U32,
        Tag::U64,
        Tag::U128,
        Tag::F32,
        Tag::F64,
        Tag::Char,
        Tag::Text,
        Tag::Bytes,
        Tag::Sequence,
        Tag::Map,
        Tag::UnitVariant,
        Tag::Variant,
    ];
}

/// Runs what may call itself as often as a value is deep.
fn on_a_large_stack<R>(work: impl FnOnce() -> R) -> R {
    const LEFT: usize = 128 << 10;
    const MORE: usize = 4 << 20;
    stacker::maybe_grow(LEFT, MORE, work)
}

/// What is wrong with an item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Wrong(String);

impl serde::ser::Error for Wrong {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Wrong(message.to_string())
    }
}

impl serde::de::Error for Wrong {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Wrong(message.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_its_own_number() {
        for (number, tag) in Tag::ALL.into_iter().enumerate() {
            assert_eq!(tag as usize, number);
        }
    }
}
