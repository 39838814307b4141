//! Numbers that a type reads as an `f32` by way of an `f64`.
//!
//! A type with `flatten`, `untagged` or `tag` is given numbers before anyone knows what it makes of them, so they are the
//! nearest `f64`, and serde rounds that again for an `f32`. Twice is not once where the `f64` lies in the middle between
//! two `f32`s, as that of `7.038531e-26` does. Another `f64` then leads to the right `f32`, and would be wrong for an
//! `f64`: which of them the type has is seen when its value is taken apart.

use super::floats::Floats;
use serde::Serialize;

/// The nearest `f32` of a text, if the nearest `f64` does not lead to it.
pub(super) fn single(text: &str) -> Option<f32> {
    let double: f64 = text.parse().ok()?;
    // Most often it is in the middle of nothing.
    let twice = double as f32;
    if f64::from(twice) == double {
        return None;
    }
    let once: f32 = text.parse().ok()?;
    (once != twice && once.is_finite()).then_some(once)
}

/// Whether a value that was read with the `f32` of such a text differs in an `f32`, and in no `f64`.
pub(super) fn is_better<T: Serialize>(with_single: &T, with_double: &T) -> bool {
    match (Floats::of(with_single), Floats::of(with_double)) {
        (Ok(a), Ok(b)) => a.doubles == b.doubles && a.singles != b.singles,
        _ => false,
    }
}
