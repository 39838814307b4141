//! What a reduction is.

use super::super::error::ArrayProblem;
use super::super::traits::Element;
use crate::Value;
use serde::{Deserialize, Serialize};

/// Numbers that a reduction needs at its end.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(in crate::array) struct Parameters {
    /// What is taken off the number of elements before a variance is divided by it.
    pub(in crate::array) ddof: u64,
    /// Whether the square root of the result is wanted.
    pub(in crate::array) root: bool,
}

/// A reduction of elements of type `T`.
pub(in crate::array) trait Fold<T: Element>: 'static {
    /// What is known of the elements seen so far.
    type State: Value + Clone;
    type Output: Element;

    /// Whether the index of an element matters.
    const NEEDS_INDEX: bool = false;

    /// Whether `count` elements along the axes of `reduced` can be reduced at all.
    fn check(_count: usize, _reduced: &[bool], _parameters: Parameters) -> Result<(), ArrayProblem> {
        Ok(())
    }

    /// Before the first element.
    fn start() -> Self::State;

    /// Takes elements that follow each other, at most a tile of them; `index` is that of the first.
    fn row(state: &mut Self::State, values: &[T], index: u64);

    /// Takes an element for each of several states, all with the same index.
    fn column(states: &mut [Self::State], values: &[T], index: u64) {
        for (state, value) in states.iter_mut().zip(values) {
            Self::row(state, std::slice::from_ref(value), index);
        }
    }

    /// Takes what is known of elements that come after those of `into`.
    fn merge(into: &mut Self::State, from: &Self::State);

    /// The result for `count` elements.
    fn finish(state: Self::State, count: u64, parameters: Parameters) -> Self::Output;
}
