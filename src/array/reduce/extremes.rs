//! Smallest and largest elements, and where they are.

use super::super::error::ArrayProblem;
use super::super::traits::{Float, Number};
use super::fold::{Fold, Parameters};
use std::marker::PhantomData;

/// Which of two elements is the extreme.
pub(in crate::array) trait Order: 'static {
    /// Whether `new` goes before `old`.
    fn before<T: PartialOrd>(new: &T, old: &T) -> bool;
}

/// The smallest.
pub(in crate::array) struct Smallest;
/// The largest.
pub(in crate::array) struct Largest;

impl Order for Smallest {
    fn before<T: PartialOrd>(new: &T, old: &T) -> bool {
        new < old
    }
}

impl Order for Largest {
    fn before<T: PartialOrd>(new: &T, old: &T) -> bool {
        new > old
    }
}

/// The extreme element; NaN if there is one.
pub(in crate::array) struct Extreme<O>(PhantomData<O>);
/// The extreme element of those that are not NaN; NaN if there is none.
pub(in crate::array) struct NanExtreme<O>(PhantomData<O>);
/// The index of the first extreme element, or of the first NaN.
pub(in crate::array) struct Argument<O>(PhantomData<O>);

fn not_empty(count: usize) -> Result<(), ArrayProblem> {
    match count {
        0 => Err(ArrayProblem::Argument("no elements have no smallest or largest".into())),
        _ => Ok(()),
    }
}

/// Whether `new` replaces `old`.
#[inline]
fn replaces<T: Number, O: Order>(new: T, old: T) -> bool {
    O::before(&new, &old) || (new.is_nan() && !old.is_nan())
}

fn better<T: Number, O: Order>(old: Option<T>, new: T) -> T {
    match old {
        Some(old) if !replaces::<T, O>(new, old) => old,
        _ => new,
    }
}

impl<T: Number, O: Order> Fold<T> for Extreme<O> {
    type State = Option<T>;
    type Output = T;
    fn check(count: usize, _: &[bool], _: Parameters) -> Result<(), ArrayProblem> {
        not_empty(count)
    }
    fn start() -> Option<T> {
        None
    }
    fn row(state: &mut Option<T>, values: &[T], _: u64) {
        let Some(&first) = values.first() else { return };
        // Lanes, so that one comparison need not wait for the last.
        let mut lanes = [state.unwrap_or(first); 8];
        let (whole, rest) = values.as_chunks::<8>();
        for values in whole {
            for (lane, &value) in lanes.iter_mut().zip(values) {
                *lane = if replaces::<T, O>(value, *lane) { value } else { *lane };
            }
        }
        *state = lanes.iter().chain(rest).copied().fold(None, |old, new| Some(better::<T, O>(old, new)));
    }
    fn column(states: &mut [Option<T>], values: &[T], _: u64) {
        for (state, &value) in states.iter_mut().zip(values) {
            *state = Some(better::<T, O>(*state, value));
        }
    }
    fn merge(into: &mut Option<T>, from: &Option<T>) {
        if let Some(value) = from {
            *into = Some(better::<T, O>(*into, *value));
        }
    }
    fn finish(state: Option<T>, _: u64, _: Parameters) -> T {
        state.unwrap_or_default()
    }
}

impl<T: Float, O: Order> Fold<T> for NanExtreme<O> {
    type State = Option<T>;
    type Output = T;
    fn check(count: usize, _: &[bool], _: Parameters) -> Result<(), ArrayProblem> {
        not_empty(count)
    }
    fn start() -> Option<T> {
        None
    }
    fn row(state: &mut Option<T>, values: &[T], _: u64) {
        for &value in values.iter().filter(|value| !value.is_nan()) {
            *state = Some(better::<T, O>(*state, value));
        }
    }
    fn merge(into: &mut Option<T>, from: &Option<T>) {
        <Extreme<O> as Fold<T>>::merge(into, from);
    }
    fn finish(state: Option<T>, _: u64, _: Parameters) -> T {
        state.unwrap_or(T::of_f64(f64::NAN))
    }
}

impl<T: Number, O: Order> Fold<T> for Argument<O> {
    type State = Option<(T, u64)>;
    type Output = i64;
    const NEEDS_INDEX: bool = true;
    fn check(count: usize, reduced: &[bool], _: Parameters) -> Result<(), ArrayProblem> {
        let axes = reduced.iter().filter(|reduced| **reduced).count();
        if axes != 1 && axes != reduced.len() {
            let rule = "the place of an extreme is an index along one axis, or one over all axes";
            return Err(ArrayProblem::Argument(rule.into()));
        }
        not_empty(count)
    }
    fn start() -> Self::State {
        None
    }
    fn row(state: &mut Self::State, values: &[T], index: u64) {
        for (index, &value) in (index..).zip(values) {
            if state.is_none_or(|(old, _)| replaces::<T, O>(value, old)) {
                *state = Some((value, index));
            }
        }
    }
    fn merge(into: &mut Self::State, from: &Self::State) {
        let (Some((new, at)), old) = (*from, *into) else { return };
        // Chunks are not merged in the order of indices.
        let goes_first = old.is_none_or(|(old, old_at)| {
            replaces::<T, O>(new, old) || (at < old_at && !replaces::<T, O>(old, new))
        });
        if goes_first {
            *into = Some((new, at));
        }
    }
    fn finish(state: Self::State, _: u64, _: Parameters) -> i64 {
        state.map_or(0, |(_, index)| index as i64)
    }
}
