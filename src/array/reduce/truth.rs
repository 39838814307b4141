//! Whether any or all elements are true, and how many are not zero.

use super::super::traits::Element;
use super::fold::{Fold, Parameters};

/// Whether any element is true.
pub(in crate::array) struct Any;
/// Whether all elements are true.
pub(in crate::array) struct All;
/// How many elements are true, or not zero.
pub(in crate::array) struct NotZero;

impl Fold<bool> for Any {
    type State = bool;
    type Output = bool;
    fn start() -> bool {
        false
    }
    fn row(state: &mut bool, values: &[bool], _: u64) {
        *state |= values.contains(&true);
    }
    fn merge(into: &mut bool, from: &bool) {
        *into |= from;
    }
    fn finish(state: bool, _: u64, _: Parameters) -> bool {
        state
    }
}

impl Fold<bool> for All {
    type State = bool;
    type Output = bool;
    fn start() -> bool {
        true
    }
    fn row(state: &mut bool, values: &[bool], _: u64) {
        *state &= !values.contains(&false);
    }
    fn merge(into: &mut bool, from: &bool) {
        *into &= from;
    }
    fn finish(state: bool, _: u64, _: Parameters) -> bool {
        state
    }
}

impl<T: Element> Fold<T> for NotZero {
    type State = i64;
    type Output = i64;
    fn start() -> i64 {
        0
    }
    fn row(state: &mut i64, values: &[T], _: u64) {
        *state += values.iter().filter(|&value| *value != T::default()).count() as i64;
    }
    fn merge(into: &mut i64, from: &i64) {
        *into += from;
    }
    fn finish(state: i64, _: u64, _: Parameters) -> i64 {
        state
    }
}
