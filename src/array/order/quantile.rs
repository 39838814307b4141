//! Medians and other quantiles, exactly.

use super::super::array::{Array, Scalar};
use super::super::error::ArrayProblem;
use super::super::layout::Layout;
use super::super::node::{Node, Reader};
use super::super::traits::Number;
use super::rounds::{Elements, keys_of_ranks};
use super::{Nan, in_one_chunk};
use crate::{Block, DType};
use ndarray::{ArrayD, Axis};
use serde::{Deserialize, Serialize};
use std::{panic::Location, sync::Arc};

/// A place between two ranks.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Place {
    /// The rank below, and how far it is from there to the next one.
    rank: u64,
    part: f64,
    /// Whether it is the middle of as many elements as NumPy takes the mean of.
    median: bool,
}

impl Place {
    fn of_median(count: u64) -> Self {
        Place { rank: (count - 1) / 2, part: if count.is_multiple_of(2) { 0.5 } else { 0.0 }, median: true }
    }

    fn of_quantile(q: f64, count: u64) -> Self {
        let place = q * (count - 1) as f64;
        Place { rank: (place.floor() as u64).min(count - 1), part: place - place.floor(), median: false }
    }

    /// The ranks of which the value is made.
    fn ranks(self) -> impl Iterator<Item = u64> {
        self.rank..=self.rank + u64::from(self.part > 0.0)
    }

    /// The value between those of both ranks, to the last bit that of NumPy.
    fn value(self, low: f64, high: f64) -> f64 {
        match (self.median, self.part) {
            (_, 0.0) => low,
            (true, _) => (low + high) / 2.0,
            // Beside an infinity, where NumPy has NaN.
            (_, part) if !(high - low).is_finite() => low * (1.0 - part) + high * part,
            // Both ways, so that the value grows with `part` all the way.
            (_, part) if part >= 0.5 => high - (high - low) * (1.0 - part),
            (_, part) => low + (high - low) * part,
        }
    }
}

fn check(qs: &[f64], count: usize) -> Result<(), ArrayProblem> {
    if count == 0 {
        return Err(ArrayProblem::Argument("no elements have no quantiles".into()));
    }
    match qs.iter().find(|q| !(0.0..=1.0).contains(*q)) {
        Some(q) => Err(ArrayProblem::Argument(format!("a quantile is between 0 and 1, not {q}"))),
        None => Ok(()),
    }
}

impl<T: Number> Array<T> {
    /// The median of all elements, exactly: the middle one, or the mean of both in the middle; NaN if there is
    /// a NaN.
    ///
    /// The elements stay where they are. They are looked at once in general (a small sample of them twice),
    /// and up to six times if that sample misleads.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::arange(client, 0i64, 1_000_000, 1, 100_000);
    ///     assert_eq!(x.median().compute()?, 499_999.5);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn median(&self) -> Scalar<f64> {
        let array = self.derive("median", Location::caller(), |node| {
            let count = node.layout.elements();
            check(&[], count)?;
            Ok(over_all::<T>(node, "median", &[], vec![Place::of_median(count as u64)]))
        });
        Scalar::of(array)
    }

    /// The quantile of all elements, exactly, between two elements on the straight line between them: NumPy's
    /// `quantile(x, q)`. NaN if there is a NaN. An infinite element makes no NaN, as it does in NumPy, unless the
    /// quantile lies between two that are opposite.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::arange(client, 0.0, 1001.0, 1.0, 100);
    ///     assert_eq!(x.quantile(0.9).compute()?, 900.0);
    ///     assert!(x.quantile(90.0).compute().is_err());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn quantile(&self, q: f64) -> Scalar<f64> {
        let array = self.derive("quantile", Location::caller(), |node| {
            let count = node.layout.elements();
            check(&[q], count)?;
            Ok(over_all::<T>(node, "quantile", &[], vec![Place::of_quantile(q, count as u64)]))
        });
        Scalar::of(array)
    }

    /// Several quantiles of all elements. The more there are, the more elements have to be looked at twice.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::arange(client, 0.0, 1001.0, 1.0, 100);
    ///     let quartiles = x.quantiles(&[0.25, 0.5, 0.75]).compute()?;
    ///     assert_eq!(quartiles, ndarray::array![250.0, 500.0, 750.0].into_dyn());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn quantiles(&self, qs: &[f64]) -> Array<f64> {
        self.derive("quantiles", Location::caller(), |node| {
            let count = node.layout.elements();
            check(qs, count)?;
            if qs.is_empty() {
                return Err(ArrayProblem::Argument("name at least one quantile".into()));
            }
            let places = qs.iter().map(|&q| Place::of_quantile(q, count as u64)).collect();
            Ok(over_all::<T>(node, "quantiles", &[qs.len()], places))
        })
    }

    /// As [`median`](Self::median), along one axis.
    ///
    /// The axis is brought into one chunk.
    #[track_caller]
    #[must_use]
    pub fn median_axis(&self, axis: usize) -> Array<f64> {
        self.derive("median_axis", Location::caller(), |node| {
            along::<T>(node, "median_axis", axis, &[], Place::of_median)
        })
    }

    /// As [`quantile`](Self::quantile), along one axis.
    ///
    /// The axis is brought into one chunk.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::from_fn(client, |index| (100 * index[0] + index[1]) as f64, [3, 5], [1, 2]);
    ///     assert_eq!(x.quantile_axis(0.5, 1).compute()?, ndarray::array![2.0, 102.0, 202.0].into_dyn());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn quantile_axis(&self, q: f64, axis: usize) -> Array<f64> {
        self.derive("quantile_axis", Location::caller(), |node| {
            along::<T>(node, "quantile_axis", axis, &[q], |count| Place::of_quantile(q, count))
        })
    }
}

/// Values at places among all elements.
fn over_all<T: Number>(
    node: &Arc<Node>,
    name: &'static str,
    shape: &[usize],
    places: Vec<Place>,
) -> Arc<Node> {
    let input = Reader::new(node);
    let layout = Layout::whole(shape);
    let shape = shape.to_vec();
    Node::tasks_of(&node.client, DType::F64, layout, name, move || {
        let client = &input.client;
        let mut ranks: Vec<u64> = places.iter().flat_map(|place| place.ranks()).collect();
        ranks.sort_unstable();
        ranks.dedup();
        let keys = keys_of_ranks::<T>(&input, &ranks, Nan::IsAll, Elements::AreAnyhow, name);
        vec![client.delayed(values::<T>, (keys, ranks, places.clone(), shape.clone())).label(name)]
    })
}

fn values<T: Number>((keys, ranks, places, shape): (Vec<u64>, Vec<u64>, Vec<Place>, Vec<usize>)) -> Block {
    let value = |rank: u64| ranks.binary_search(&rank).map_or(f64::NAN, |at| T::of_key(keys[at]).to_f64());
    let values = places.iter().map(|&place| {
        let high = place.ranks().last().unwrap_or(place.rank);
        place.value(value(place.rank), value(high))
    });
    Block::from_vec(&shape, values.collect())
}

/// The value at a place along an axis.
fn along<T: Number>(
    node: &Arc<Node>,
    name: &'static str,
    axis: usize,
    qs: &[f64],
    place: impl FnOnce(u64) -> Place,
) -> Result<Arc<Node>, ArrayProblem> {
    let shape = &node.layout.shape;
    let Some(&count) = shape.get(axis) else {
        return Err(ArrayProblem::NoSuchAxis { axis, shape: shape.clone() });
    };
    check(qs, count)?;
    let place = place(count as u64);
    let node = &in_one_chunk(node, axis);
    let input = Reader::new(node);
    let mut chunks = node.layout.chunks.clone();
    chunks.remove(axis);
    let layout = Layout::of_chunks(chunks);
    Ok(Node::tasks_of(&node.client, DType::F64, layout, name, move || {
        let task = |block| input.client.delayed(along_axis::<T>, (block, axis as u64, place)).label(name);
        input.tasks().iter().map(task).collect()
    }))
}

fn along_axis<T: Number>((block, axis, place): (Arc<Block>, u64, Place)) -> Block {
    let view = block.view::<T>();
    let mut keys = Vec::new();
    let values: ArrayD<f64> = view.map_axis(Axis(axis as usize), |lane| {
        keys.clear();
        keys.extend(lane.iter().map(|value| value.key()));
        if lane.iter().any(|value| value.is_nan()) {
            return f64::NAN;
        }
        let (_, &mut low, above) = keys.select_nth_unstable(place.rank as usize);
        let high = if place.part > 0.0 { above.iter().copied().min().unwrap_or(low) } else { low };
        place.value(T::of_key(low).to_f64(), T::of_key(high).to_f64())
    });
    Block::from(values)
}
