//! Whether two described values are the same, but for the order of sets and maps.

use super::{
    codec::take,
    kind::{Kind, on_a_large_stack},
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Whether the bytes of two values in the described form stand for the same value. The order of the elements of a
/// sequence does not count, since a set is written as one and may be read in another order.
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    a == b || a.len() == b.len() && fingerprint(&mut &*a) == fingerprint(&mut &*b)
}

/// A number that is the same for equal items; nothing if they end early.
fn fingerprint(bytes: &mut &[u8]) -> Option<u64> {
    let (&kind, rest) = bytes.split_first()?;
    *bytes = rest;
    let kind = *Kind::ALL.get(usize::from(kind))?;
    let number = match kind {
        Kind::Unit | Kind::None | Kind::End => 0,
        Kind::Bool | Kind::I8 | Kind::U8 => raw(bytes, 1)?,
        Kind::I16 | Kind::U16 => raw(bytes, 2)?,
        Kind::I32 | Kind::U32 | Kind::F32 => raw(bytes, 4)?,
        Kind::I64 | Kind::U64 | Kind::F64 => raw(bytes, 8)?,
        Kind::I128 | Kind::U128 => raw(bytes, 16)?,
        Kind::Char => u64::from(u32::from(take::<char>(bytes).ok()?)),
        Kind::Text | Kind::Bytes | Kind::UnitVariant => text(bytes)?,
        Kind::Some => inner(bytes)?,
        Kind::Variant => mix(text(bytes)?, inner(bytes)?),
        Kind::Tuple => items(bytes, |all, item, _| Some(mix(all, item)))?,
        Kind::Sequence => items(bytes, |all, item, _| Some(all.wrapping_add(mix(1, item))))?,
        Kind::Map => items(bytes, |all, key, bytes| Some(all.wrapping_add(mix(key, inner(bytes)?))))?,
    };
    Some(mix(kind as u64, number))
}

fn inner(bytes: &mut &[u8]) -> Option<u64> {
    on_a_large_stack(|| fingerprint(bytes))
}

/// Brings together the items up to the end.
fn items(bytes: &mut &[u8], join: impl Fn(u64, u64, &mut &[u8]) -> Option<u64>) -> Option<u64> {
    let mut all = 0;
    while *bytes.first()? != Kind::End as u8 {
        let item = inner(bytes)?;
        all = join(all, item, bytes)?;
    }
    *bytes = &bytes[1..];
    Some(all)
}

fn raw(bytes: &mut &[u8], count: usize) -> Option<u64> {
    let (number, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(xxh3_64(number))
}

fn text(bytes: &mut &[u8]) -> Option<u64> {
    let length = usize::try_from(take::<u64>(bytes).ok()?).ok()?;
    raw(bytes, length)
}

fn mix(a: u64, b: u64) -> u64 {
    xxh3_64_with_seed(&b.to_le_bytes(), a)
}
