//! How many elements lie between given edges.

use super::array::Array;
use super::compile::{Fusion, Work};
use super::error::ArrayProblem;
use super::expression::{Evaluation, Fault, Inputs, Kernel, Program, TILE};
use super::layout::Layout;
use super::node::{Node, Reader};
use super::order::tree;
use super::traits::Number;
use crate::random::Elements;
use crate::{Block, DType, Delayed};
use serde::{Deserialize, Serialize};
use std::{panic::Location, sync::Arc};

/// The most bins: every chunk counts in all of them.
const MOST: usize = 1 << 24;

/// Intervals side by side, which a [histogram](Array::histogram) counts elements in.
///
/// Each has its lower edge in it and not its upper one, but for the last, which has both: NumPy's rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bins {
    edges: Vec<f64>,
    /// How many bins a unit has, if all have the same width.
    density: Option<f64>,
}

impl Bins {
    /// `count` intervals of equal width from `low` to `high`, at most 16,777,216 of them.
    ///
    /// ```
    /// use serried::array::Bins;
    ///
    /// assert_eq!(Bins::uniform(4, 0.0, 1.0).edges(), [0.0, 0.25, 0.5, 0.75, 1.0]);
    /// ```
    #[must_use]
    pub fn uniform(count: usize, low: f64, high: f64) -> Self {
        if count > MOST {
            // The histogram says so.
            return Bins { edges: Vec::new(), density: None };
        }
        // As NumPy's `linspace`, to the last bit.
        let step = (high - low) / count as f64;
        let mut edges: Vec<f64> = (0..=count).map(|edge| edge as f64 * step + low).collect();
        if let Some(last) = edges.last_mut() {
            *last = high;
        }
        Bins { edges, density: Some(count as f64 / (high - low)) }
    }

    /// Intervals between `edges`, which ascend.
    #[must_use]
    pub fn new(edges: impl Into<Vec<f64>>) -> Self {
        Bins { edges: edges.into(), density: None }
    }

    /// The edges, one more than there are bins.
    #[must_use]
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    fn check(&self) -> Result<(), ArrayProblem> {
        let ascend = self.edges.windows(2).all(|pair| pair[0] <= pair[1]);
        let finite = self.edges.first() < self.edges.last() && self.density.is_none_or(f64::is_finite);
        match ascend && finite && (2..=MOST + 1).contains(&self.edges.len()) {
            true => Ok(()),
            false => Err(ArrayProblem::Argument(format!(
                "bins have at least two edges, each no smaller than the one before, and the first smaller \
                     than the last; there are at most {MOST} bins"
            ))),
        }
    }

    /// The bin of a number.
    #[inline]
    fn find(&self, value: f64) -> Option<usize> {
        let (&first, &last) = (self.edges.first()?, self.edges.last()?);
        // False for NaN.
        if !(value >= first && value <= last) {
            return None;
        }
        let bins = self.edges.len() - 1;
        let Some(density) = self.density else {
            let above = self.edges.partition_point(|&edge| edge <= value);
            return Some(above.clamp(1, bins) - 1);
        };
        let mut bin = (((value - first) * density) as usize).min(bins - 1);
        // Rounding may have led beside it; the edges decide.
        while value < self.edges[bin] {
            bin -= 1;
        }
        while bin + 1 < bins && value >= self.edges[bin + 1] {
            bin += 1;
        }
        Some(bin)
    }
}

impl<T: Number> Array<T> {
    /// How many elements lie in each of `bins`; others, and NaN, are not counted.
    ///
    /// ```
    /// use serried::array::{Array, Bins};
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::random(client, [1000, 1000], [300, 1000]);
    ///     let counts = x.histogram(&Bins::uniform(10, 0.0, 1.0)).compute()?;
    ///     assert_eq!(counts.sum(), 1_000_000);
    ///     assert!(counts.iter().all(|count| (98_500..101_500).contains(count)));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn histogram(&self, bins: &Bins) -> Array<i64> {
        self.derive("histogram", Location::caller(), |node| {
            bins.check()?;
            let (input, bins) = (Reader::new(node), bins.clone());
            let layout = Layout::whole(&[bins.edges.len() - 1]);
            Ok(Node::tasks_of(&node.client, DType::I64, layout, "histogram", move || {
                vec![histogram::<T>(&input, &bins)]
            }))
        })
    }

    /// For each element the number of the `edges` that are not larger, as if NaN were larger than all: NumPy's
    /// `digitize(x, edges)` and `searchsorted(edges, x, side="right")`.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::arange(client, 0.0, 6.0, 1.0, 4);
    ///     let bins = x.digitize(&[1.0, 2.5, 4.0]).compute()?;
    ///     assert_eq!(bins, ndarray::array![0, 1, 1, 2, 3, 3].into_dyn());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn digitize(&self, edges: &[f64]) -> Array<i64> {
        self.derive("digitize", Location::caller(), |node| {
            if !edges.is_sorted() {
                return Err(ArrayProblem::Argument("the edges of digitize ascend, and none is NaN".into()));
            }
            let (input, edges) = (Reader::new(node), edges.to_vec());
            let layout = node.layout.clone();
            Ok(Node::tasks_of(&node.client, DType::I64, layout, "digitize", move || {
                let task =
                    |block| input.client.delayed(digitize::<T>, (block, edges.clone())).label("digitize");
                input.tasks().iter().map(task).collect()
            }))
        })
    }
}

fn histogram<T: Number>(input: &Arc<Node>, bins: &Bins) -> Delayed<Block> {
    let client = &input.client;
    let fusion = Fusion::reading(input);
    let counts = input.layout.chunks().map(|chunk| {
        let Work { program, functions, streams, blocks } = fusion.work(&chunk);
        let arguments = (bins.clone(), program, functions, streams, &blocks);
        client.try_delayed(count::<T>, arguments).label("histogram")
    });
    let add = |sums: &mut Vec<i64>, counts: &Vec<i64>| {
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    };
    let counts = tree(client, "histogram", counts.collect(), add);
    client
        .delayed(|(counts,): (Vec<i64>,)| Block::from_vec(&[counts.len()], counts), (counts,))
        .label("histogram")
}

type Chunk = (Bins, Program, Vec<Kernel>, Vec<Elements>, Vec<Arc<Block>>);

fn count<T: Number>((bins, program, kernels, streams, blocks): Chunk) -> Result<Vec<i64>, Fault> {
    let total: usize = program.shape.iter().product();
    let inputs = Inputs { program, kernels, streams, blocks };
    let mut evaluation = Evaluation::new(&inputs);
    let mut counts = vec![0; bins.edges.len() - 1];
    for start in (0..total).step_by(TILE) {
        for value in evaluation.tile::<T>(start, TILE.min(total - start))? {
            if let Some(bin) = bins.find(value.to_f64()) {
                counts[bin] += 1;
            }
        }
    }
    Ok(counts)
}

fn digitize<T: Number>((block, edges): (Arc<Block>, Vec<f64>)) -> Block {
    let place = |value: f64| {
        let not_larger = |&edge: &f64| value.is_nan() || edge <= value;
        edges.partition_point(not_larger) as i64
    };
    Block::from(block.view::<T>().mapv(|value| place(value.to_f64())))
}
