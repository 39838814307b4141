//! The kinds of things that serde tells apart, and what can be wrong with them.

/// What is read or written without a name; in the described form, the byte with which an item begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Bool,
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
    Unit,
    None,
    Some,
    Sequence,
    /// A sequence whose length is that of its type.
    Tuple,
    Map,
    /// A variant of an enum without content: its name.
    UnitVariant,
    /// A variant with content: its name, then the content.
    Variant,
    /// Behind the last item of a sequence or a map.
    End,
}

impl Kind {
    pub(super) const ALL: [Kind; 25] = [
        Kind::Bool,
        Kind::I8,
        Kind::I16,
        Kind::I32,
        Kind::I64,
        Kind::I128,
        Kind::U8,
        Kind::U16,
        Kind::U32,
        Kind::U64,
        Kind::U128,
        Kind::F32,
        Kind::F64,
        Kind::Char,
        Kind::Text,
        Kind::Bytes,
        Kind::Unit,
        Kind::None,
        Kind::Some,
        Kind::Sequence,
        Kind::Tuple,
        Kind::Map,
        Kind::UnitVariant,
        Kind::Variant,
        Kind::End,
    ];
}

/// Why a value cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Wrong(std::borrow::Cow<'static, str>);

impl Wrong {
    pub(super) const fn new(what: &'static str) -> Self {
        Wrong(std::borrow::Cow::Borrowed(what))
    }
}

impl serde::ser::Error for Wrong {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Wrong(message.to_string().into())
    }
}

impl serde::de::Error for Wrong {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Wrong(message.to_string().into())
    }
}

/// Runs what may call itself as often as a value is deep.
pub(super) fn on_a_large_stack<R>(work: impl FnOnce() -> R) -> R {
    const LEFT: usize = 128 << 10;
    const MORE: usize = 4 << 20;
    stacker::maybe_grow(LEFT, MORE, work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_its_own_number() {
        for (number, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
        }
    }
}
