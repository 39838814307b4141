//! A user's own work on whole chunks: with or without a border of their neighbours, and down to one value.

use super::array::Array;
use super::error::ArrayProblem;
use super::layout::{Chunks, Layout};
use super::movement::{Run, arrange};
use super::node::{Node, Reader};
use super::traits::Element;
use crate::{Bind, Block, Delayed, Function, List, Value};
use ndarray::{ArrayD, ArrayViewD, Slice};
use serde::{Deserialize, Serialize};
use std::panic::Location;
use std::sync::Arc;

/// Which chunk of an array it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockPlace {
    /// Its position in the grid of chunks.
    pub position: Vec<usize>,
    /// The index of its first element in the array.
    pub origin: Vec<usize>,
    /// The length of each axis.
    pub shape: Vec<usize>,
}

/// What lies beyond the ends of an array for [`Array::map_overlap`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Boundary<T> {
    /// Nothing: chunks at an end have no border there.
    Open,
    /// The same value everywhere.
    Constant(T),
    /// The outermost element, again and again.
    Nearest,
    /// The elements in front of the end, in reverse order, the outermost one first.
    Reflect,
    /// The elements from the other end.
    Periodic,
}

/// A function of a chunk that has forgotten its types.
type ByChunk = Box<dyn Fn(&Block, &BlockPlace) -> Block + Send + Sync>;

struct OfChunk;

impl<T: Element, U: Element> Bind<fn(ArrayViewD<'_, T>, &BlockPlace) -> ArrayD<U>> for OfChunk {
    type Output = ByChunk;
    fn bind(f: fn(ArrayViewD<'_, T>, &BlockPlace) -> ArrayD<U>) -> ByChunk {
        Box::new(move |block, place| Block::from(f(block.view(), place)))
    }
}

/// What a user's function returned does not fit.
#[derive(Debug, thiserror::Error)]
#[error("the function made a chunk of shape {found:?} where one of shape {expected:?} belongs")]
struct WrongShape {
    found: Vec<usize>,
    expected: Vec<usize>,
}

impl<T: Element> Array<T> {
    /// Applies a function to each chunk; it returns a chunk of the same shape. See
    /// [`map_blocks_to`](Self::map_blocks_to) for other shapes.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::<f64>::ones(client, [4, 6], [2, 3]);
    ///     let numbered = x.map_blocks(|chunk, place| &chunk * (place.position[0] * 2 + place.position[1]) as f64);
    ///     assert_eq!(numbered.sum().compute()?, 36.0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn map_blocks<U: Element>(&self, f: fn(ArrayViewD<'_, T>, &BlockPlace) -> ArrayD<U>) -> Array<U> {
        self.derive("map_blocks", Location::caller(), |node| {
            Ok(map_blocks::<U>(node, Function::bound::<_, OfChunk>(f), node.layout.clone()))
        })
    }

    /// Applies a function to each chunk, which makes a chunk of the given shape: `chunks` are the lengths
    /// along each axis, as many as before ([`Chunks::Exact`]).
    #[track_caller]
    #[must_use]
    pub fn map_blocks_to<U: Element>(
        &self,
        chunks: Vec<Vec<usize>>,
        f: fn(ArrayViewD<'_, T>, &BlockPlace) -> ArrayD<U>,
    ) -> Array<U> {
        self.derive("map_blocks_to", Location::caller(), |node| {
            let shape: Vec<usize> = chunks.iter().map(|chunks| super::layout::sum(chunks)).collect();
            let layout = Layout::new(&shape, &Chunks::Exact(chunks), U::DTYPE.size())?;
            if layout.count() != node.layout.count() {
                let text = format!("{} chunks are to be made of {}", layout.count(), node.layout.count());
                return Err(ArrayProblem::Argument(text));
            }
            Ok(map_blocks::<U>(node, Function::bound::<_, OfChunk>(f), layout))
        })
    }

    /// Applies a function to each chunk together with a border of its neighbours' elements, `depth` elements
    /// wide along each axis. The function returns a chunk with the border, which is cut off again.
    ///
    /// ```
    /// use serried::array::{Array, Boundary};
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::arange(client, 0.0, 100.0, 1.0, 30);
    ///     let smooth = x.map_overlap([1], Boundary::Nearest, |chunk, _| {
    ///         ndarray::ArrayD::from_shape_fn(chunk.raw_dim(), |i| {
    ///             let at = |k: usize| chunk[[k.min(chunk.len() - 1)]];
    ///             (at(i[0].saturating_sub(1)) + at(i[0]) + at(i[0] + 1)) / 3.0
    ///         })
    ///     });
    ///     assert_eq!(smooth.compute()?[[50]], 50.0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn map_overlap<U: Element>(
        &self,
        depth: impl AsRef<[usize]>,
        boundary: Boundary<T>,
        f: fn(ArrayViewD<'_, T>, &BlockPlace) -> ArrayD<U>,
    ) -> Array<U> {
        let depth = depth.as_ref();
        self.derive("map_overlap", Location::caller(), |node| {
            let shape = &node.layout.shape;
            if depth.len() != shape.len() {
                let text = format!("{} depths for an array of {} axes", depth.len(), shape.len());
                return Err(ArrayProblem::Argument(text));
            }
            if let Some(axis) = (0..shape.len()).find(|&axis| depth[axis] > shape[axis]) {
                let text = format!(
                    "a border of {} elements is wider than axis {axis}, which has {}",
                    depth[axis], shape[axis]
                );
                return Err(ArrayProblem::Argument(text));
            }
            Ok(map_overlap::<T, U>(node, depth, boundary, Function::bound::<_, OfChunk>(f)))
        })
    }

    /// Brings the array down to one value: `chunk` makes a value of each chunk, and `merge` merges them along a
    /// tree whose shape depends on the number of chunks alone.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::arange(client, 0i64, 1000, 1, 100);
    ///     let digits = x.fold_blocks(
    ///         |chunk| chunk.iter().map(|x| x.to_string().len()).sum::<usize>(),
    ///         |a, b| a + b,
    ///     );
    ///     assert_eq!(digits.compute()?, 10 + 90 * 2 + 900 * 3);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn fold_blocks<S: Value + Clone>(
        &self,
        chunk: fn(ArrayViewD<'_, T>) -> S,
        merge: fn(S, S) -> S,
    ) -> Delayed<S> {
        let client = &self.node.client;
        let mut level: Vec<Delayed<S>> = self
            .node
            .tasks()
            .iter()
            .map(|block| {
                client.delayed(fold_block::<T, S>, (Function::new(chunk), block)).label("fold_blocks")
            })
            .collect();
        while level.len() > 1 {
            let merged = level.chunks(FAN_IN).map(|group| {
                let group: List<S> = group.iter().collect();
                client.delayed(merge_folds::<S>, (Function::new(merge), group)).label("fold_blocks")
            });
            level = merged.collect();
        }
        level.remove(0)
    }
}

/// Values that a task merges.
const FAN_IN: usize = 8;

type FoldChunk<T, S> = fn(ArrayViewD<'_, T>) -> S;

fn fold_block<T: Element, S>((fold, block): (FoldChunk<T, S>, Arc<Block>)) -> S {
    fold(block.view())
}

fn merge_folds<S>((merge, values): (fn(S, S) -> S, Vec<S>)) -> S {
    values.into_iter().reduce(merge).expect("a group has values")
}

fn map_blocks<U: Element>(node: &Arc<Node>, function: Function<ByChunk>, layout: Layout) -> Arc<Node> {
    let input = Reader::new(node);
    let made = layout.clone();
    Node::tasks_of(&node.client, U::DTYPE, layout, "map_blocks", move || {
        let chunks = input.layout.chunks().zip(made.chunks());
        input
            .tasks()
            .iter()
            .zip(chunks)
            .map(|(block, (chunk, expected))| {
                let place = BlockPlace { position: chunk.position, origin: chunk.origin, shape: chunk.shape };
                let arguments = (function.clone(), block, place, expected.shape);
                input.client.try_delayed(map_block, arguments).label("map_blocks")
            })
            .collect()
    })
}

fn map_block(
    (function, block, place, expected): (ByChunk, Arc<Block>, BlockPlace, Vec<usize>),
) -> Result<Block, WrongShape> {
    let made = function(&block, &place);
    match made.shape() == expected {
        true => Ok(made),
        false => Err(WrongShape { found: made.shape().to_vec(), expected }),
    }
}

fn map_overlap<T: Element, U: Element>(
    node: &Arc<Node>,
    depth: &[usize],
    boundary: Boundary<T>,
    function: Function<ByChunk>,
) -> Arc<Node> {
    let layout = &node.layout;
    let wide: Vec<Vec<Wide>> =
        (0..depth.len()).map(|axis| widened(&layout.chunks[axis], depth[axis], boundary)).collect();
    let runs =
        wide.iter().map(|chunks| chunks.iter().flat_map(|chunk| chunk.runs.clone()).collect()).collect();
    let lengths = wide.iter().map(|chunks| chunks.iter().map(Wide::length).collect()).collect();
    let fill = match boundary {
        Boundary::Constant(value) => Some(value.number()),
        _ => None,
    };
    let inputs = std::slice::from_ref(node);
    let bordered =
        Reader::new(&arrange(&node.client, "border", inputs, runs, Layout::of_chunks(lengths), fill));
    let made = layout.clone();
    Node::tasks_of(&node.client, U::DTYPE, layout.clone(), "map_overlap", move || {
        bordered
            .tasks()
            .iter()
            .zip(made.chunks())
            .map(|(block, chunk)| {
                let before =
                    chunk.position.iter().zip(&wide).map(|(&at, chunks)| chunks[at].before).collect();
                let place = BlockPlace { position: chunk.position, origin: chunk.origin, shape: chunk.shape };
                let arguments: (_, _, _, Vec<usize>) = (function.clone(), block, place, before);
                bordered.client.try_delayed(map_bordered, arguments).label("map_overlap")
            })
            .collect()
    })
}

/// A chunk with its border along one axis.
struct Wide {
    before: usize,
    runs: Vec<Run>,
}

impl Wide {
    fn length(&self) -> usize {
        self.runs.iter().map(|run| run.count).sum()
    }
}

fn widened<T>(chunks: &[usize], depth: usize, boundary: Boundary<T>) -> Vec<Wide> {
    let length: usize = chunks.iter().sum();
    let run = |start: usize, step: isize, count: usize| Run { input: Some(0), start, step, count };
    // The border beyond an end: `wanted` elements, next to element `edge`.
    let beyond = |wanted: usize, at_start: bool| -> Vec<Run> {
        if wanted == 0 {
            // Nothing lies beside an axis without elements, either.
            return Vec::new();
        }
        let edge = if at_start { 0 } else { length - 1 };
        match boundary {
            Boundary::Open => Vec::new(),
            Boundary::Constant(_) => vec![Run { input: None, start: 0, step: 1, count: wanted }],
            Boundary::Nearest => vec![run(edge, 1, 1); wanted],
            Boundary::Reflect if at_start => vec![run(wanted - 1, -1, wanted)],
            Boundary::Reflect => vec![run(edge, -1, wanted)],
            Boundary::Periodic if at_start => vec![run(length - wanted, 1, wanted)],
            Boundary::Periodic => vec![run(0, 1, wanted)],
        }
    };
    super::layout::starts(chunks)
        .into_iter()
        .zip(chunks)
        .map(|(start, &count)| {
            let (low, high) = (start.saturating_sub(depth), (start + count + depth).min(length));
            let mut runs = beyond(depth - (start - low), true);
            let before = runs.iter().map(|run| run.count).sum::<usize>() + start - low;
            runs.push(run(low, 1, high - low));
            runs.extend(beyond(depth - (high - start - count), false));
            Wide { before, runs }
        })
        .collect()
}

fn map_bordered(
    (function, block, place, before): (ByChunk, Arc<Block>, BlockPlace, Vec<usize>),
) -> Result<Block, WrongShape> {
    let made = function(&block, &place);
    if made.shape() != block.shape() {
        return Err(WrongShape { found: made.shape().to_vec(), expected: block.shape().to_vec() });
    }
    Ok(super::expression::with_type!(made.dtype(), T => {
        let view = made.view::<T>();
        let inner = view.slice_each_axis(|axis| {
            let axis = axis.axis.index();
            Slice::from(before[axis]..before[axis] + place.shape[axis])
        });
        Block::from(inner.to_owned())
    }))
}
