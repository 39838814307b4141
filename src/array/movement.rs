//! Elements in other places and in other chunks: slices, joins, other chunks, other shapes.
//!
//! All of these come down to one thing: along each axis, a list of [`Run`]s says which elements of which input
//! follow each other, and [`arrange`] makes chunks of them. A part of a part, or of an array in other chunks, is
//! taken from where its elements come from: what is not wanted in the end is not moved before.

use super::error::ArrayProblem;
use super::expression::Number;
use super::layout::{Layout, positions, starts};
use super::node::{Kind, Node, Reader, count_visit, deeply, keeps, view};
use super::room::check_room;
use crate::{Block, Client, DType, Delayed, List};
use ndarray::{Array, ArrayD, IxDyn, SliceInfoElem};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};

/// Elements of one input along an axis: from `start` on, every `step`th. Without an input, `count` elements
/// that are to be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) input: Option<usize>,
    pub(super) start: usize,
    pub(super) step: isize,
    pub(super) count: usize,
}

/// A part of a run: within one chunk of the input and one chunk of the result.
#[derive(Debug, Clone, Copy)]
struct Piece {
    input: Option<usize>,
    /// The position of the chunk along the axis.
    chunk: usize,
    start: usize,
    step: isize,
    count: usize,
    /// Where it goes in the chunk of the result.
    target: usize,
}

/// The part of a block that goes to a part of a chunk.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Transfer {
    block: u32,
    /// Start, step and number of elements along each axis of the block.
    from: Vec<(usize, isize, usize)>,
    /// Where they begin along each axis of the chunk.
    to: Vec<usize>,
}

/// The array in the chunks of `layout`, which has the same shape. As long as somebody reads it, whoever asks for
/// the same gets the same array: what is shared stays shared.
pub(super) fn fit(node: &Arc<Node>, layout: &Layout) -> Arc<Node> {
    if node.layout == *layout {
        return Arc::clone(node);
    }
    // Not by way of other chunks: there are as many ways as a graph has chunks in turn.
    let origin = node.origin.get().filter(|_| !node.is_kept()).unwrap_or(node);
    if origin.layout == *layout {
        return Arc::clone(origin);
    }
    origin.fitted(layout, || {
        count_visit();
        let fitted = cut_anew(origin, layout);
        let _ = fitted.origin.set(Arc::clone(origin));
        fitted
    })
}

fn cut_anew(node: &Arc<Node>, layout: &Layout) -> Arc<Node> {
    let kind = match &node.kind {
        _ if node.is_kept() => return rechunk(node, layout),
        Kind::Generate(source) => Kind::Generate(source.clone()),
        Kind::Elementwise(operation, inputs) => {
            let inputs = inputs.iter().map(|input| Reader::new(&fit(input, layout))).collect();
            Kind::Elementwise(operation.clone(), inputs)
        }
        Kind::View(input, axes) => {
            let chunks = (0..input.layout.axes()).map(|own| {
                let at = axes.iter().position(|&axis| axis == Some(own));
                at.map_or_else(|| input.layout.chunks[own].clone(), |at| layout.chunks[at].clone())
            });
            let input = fit(input, &Layout::of_chunks(chunks.collect()));
            Kind::View(Reader::new(&input), axes.clone())
        }
        Kind::Arrange(_) | Kind::Tasks(_) | Kind::Broken(_) => return rechunk(node, layout),
    };
    Node::new(&node.client, node.dtype, layout.clone(), node.name, kind)
}

fn rechunk(node: &Arc<Node>, layout: &Layout) -> Arc<Node> {
    let runs = layout.shape.iter().map(|&count| whole(count)).collect();
    arrange(&node.client, "rechunk", std::slice::from_ref(node), runs, layout.clone(), None)
}

/// The part of an array that `runs` take along each axis, in the chunks of `layout`.
pub(super) fn part_of(
    node: &Arc<Node>,
    name: &'static str,
    runs: Vec<Vec<Run>>,
    layout: Layout,
) -> Arc<Node> {
    let (input, axes) = match &node.kind {
        Kind::View(input, axes) if !node.is_kept() => (input, axes),
        _ => return arrange(&node.client, name, std::slice::from_ref(node), runs, layout, None),
    };
    // Of what is only looked at in another way, the same part is looked at in this way.
    let (runs, chunks) = (0..input.layout.axes())
        .map(|own| match axes.iter().position(|&axis| axis == Some(own)) {
            Some(at) => (runs[at].clone(), layout.chunks[at].clone()),
            None => (whole(input.layout.shape[own]), input.layout.chunks[own].clone()),
        })
        .unzip();
    let part = part_of(input, name, runs, Layout::of_chunks(chunks));
    let kind = Kind::View(Reader::new(&part), axes.clone());
    Node::new(&node.client, node.dtype, layout, name, kind)
}

/// All of an axis.
pub(super) fn whole(count: usize) -> Vec<Run> {
    vec![Run { input: Some(0), start: 0, step: 1, count }]
}

/// The array whose elements along each axis are those of `runs`, in the chunks of `layout`. All inputs have
/// the same lengths along all axes but one, the only one whose runs may name another input than the first.
pub(super) fn arrange(
    client: &Client,
    name: &'static str,
    inputs: &[Arc<Node>],
    runs: Vec<Vec<Run>>,
    layout: Layout,
    fill: Option<Number>,
) -> Arc<Node> {
    let dtype = inputs[0].dtype;
    let parts = Parts { inputs: inputs.iter().map(Reader::new).collect(), runs, fill };
    let arrangement = Arrangement { parts, flat: Mutex::default() };
    Node::new(client, dtype, layout, name, Kind::Arrange(arrangement))
}

/// What [`arrange`] makes an array of.
pub(super) struct Arrangement {
    parts: Parts,
    /// The same, taken from where the elements come from, if an array that is made of this one has asked; and
    /// how many arrays had been kept then.
    flat: Mutex<Option<(u64, Parts)>>,
}

/// Elements of other arrays, along each axis as runs.
#[derive(Clone)]
struct Parts {
    inputs: Arc<[Reader]>,
    runs: Vec<Vec<Run>>,
    fill: Option<Number>,
}

impl Parts {
    /// The same elements, taken from what the only input is made of.
    fn within(&self, inner: &Parts) -> Option<Parts> {
        if self.fill.is_some() && inner.fill.is_some() {
            return None;
        }
        let runs = self.runs.iter().zip(&inner.runs).map(|(runs, inner)| within(runs, inner)).collect();
        Some(Parts { inputs: Arc::clone(&inner.inputs), runs, fill: self.fill.or(inner.fill) })
    }
}

impl Arrangement {
    /// The tasks of `node`, which is arranged in this way.
    pub(super) fn tasks(&self, node: &Node) -> Vec<Delayed<Block>> {
        let Parts { inputs, runs, fill } = self.flatten();
        tasks(node.name, &inputs, &runs, &node.layout, fill)
    }

    /// The parts, taken from where the elements come from.
    fn flatten(&self) -> Parts {
        count_visit();
        let [input] = &*self.parts.inputs else { return self.parts.clone() };
        let Kind::Arrange(inner) = &input.kind else { return self.parts.clone() };
        if input.is_kept() {
            return self.parts.clone();
        }
        let flat = inner.flat();
        self.parts
            .within(&flat)
            .or_else(|| self.parts.within(&inner.parts))
            .unwrap_or_else(|| self.parts.clone())
    }

    /// As `flatten`, for an array that is made of this one: other arrays may be, too.
    fn flat(&self) -> Parts {
        let keeps = keeps();
        let known = self.flat.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some((then, flat)) if then == keeps => flat,
            _ => {
                let flat = deeply(|| self.flatten());
                *self.flat.lock().unwrap_or_else(PoisonError::into_inner) = Some((keeps, flat.clone()));
                flat
            }
        }
    }
}

/// The elements that `runs` take along an axis which is made of the runs of `axis`, as runs of what these are
/// taken from.
fn within(runs: &[Run], axis: &[Run]) -> Vec<Run> {
    let starts = starts(&axis.iter().map(|run| run.count).collect::<Vec<usize>>());
    let mut result = Vec::with_capacity(runs.len());
    for run in runs {
        if run.input.is_none() {
            result.push(*run);
            continue;
        }
        let mut done = 0;
        while done < run.count {
            let at = run.start.wrapping_add_signed(run.step * done as isize);
            let number = starts.partition_point(|&start| start <= at) - 1;
            let (from, first) = (&axis[number], at - starts[number]);
            let count = steps_inside(first, run.step, from.count).min(run.count - done);
            let start = from.start.wrapping_add_signed(first as isize * from.step);
            result.push(Run { input: from.input, start, step: run.step * from.step, count });
            done += count;
        }
    }
    result
}

/// How many elements from `first` on, `step` apart, are among the first `length`.
fn steps_inside(first: usize, step: isize, length: usize) -> usize {
    match step {
        step if step > 0 => (length - first).div_ceil(step as usize),
        step => first / step.unsigned_abs() + 1,
    }
}

fn tasks(
    name: &'static str,
    inputs: &[Reader],
    runs: &[Vec<Run>],
    layout: &Layout,
    fill: Option<Number>,
) -> Vec<Delayed<Block>> {
    let pieces: Vec<Vec<Vec<Piece>>> = runs
        .iter()
        .enumerate()
        .map(|(axis, runs)| pieces(runs, &layout.chunks[axis], |input| &inputs[input].layout.chunks[axis]))
        .collect();
    let client = &inputs[0].client;
    let several_ranks = client.ranks() > 1;
    let dtype = inputs[0].dtype;
    layout
        .chunks()
        .map(|chunk| {
            let along: Vec<&Vec<Piece>> =
                chunk.position.iter().zip(&pieces).map(|(&at, pieces)| &pieces[at]).collect();
            let counts: Vec<usize> = along.iter().map(|pieces| pieces.len()).collect();
            let mut blocks = Vec::new();
            let mut transfers = Vec::new();
            for choice in positions(&counts) {
                let pieces: Vec<Piece> = choice.iter().zip(&along).map(|(&at, pieces)| pieces[at]).collect();
                if pieces.iter().any(|piece| piece.input.is_none()) {
                    continue;
                }
                let input = &inputs[pieces.iter().filter_map(|piece| piece.input).max().unwrap_or(0)];
                let position: Vec<usize> = pieces.iter().map(|piece| piece.chunk).collect();
                let block = &input.tasks()[input.layout.number(&position)];
                let mut from: Vec<_> =
                    pieces.iter().map(|piece| (piece.start, piece.step, piece.count)).collect();
                // What is left out of a block need not travel.
                let used: usize = pieces.iter().map(|piece| piece.count).product();
                let size: usize =
                    position.iter().zip(&input.layout.chunks).map(|(&at, chunks)| chunks[at]).product();
                let block = if several_ranks && 2 * used <= size {
                    let part = client.delayed(part, (block, from.clone())).label(name);
                    from = pieces.iter().map(|piece| (0, 1, piece.count)).collect();
                    part
                } else {
                    block.clone()
                };
                let to = pieces.iter().map(|piece| piece.target).collect();
                transfers.push(Transfer { block: blocks.len() as u32, from, to });
                blocks.push(block);
            }
            let blocks: List<Block> = blocks.into_iter().collect();
            client.try_delayed(gather, (dtype, chunk.shape, transfers, fill, &blocks)).label(name)
        })
        .collect()
}

/// Cuts runs at the ends of chunks, of the inputs and of the result.
fn pieces<'a>(
    runs: &[Run],
    result: &[usize],
    chunks_of: impl Fn(usize) -> &'a Vec<usize>,
) -> Vec<Vec<Piece>> {
    let mut chunks = vec![Vec::new(); result.len()];
    let (mut chunk, mut target) = (0, 0);
    for run in runs {
        let input_starts = run.input.map(|input| starts(chunks_of(input)));
        let mut done = 0;
        while done < run.count {
            while target == result[chunk] {
                (chunk, target) = (chunk + 1, 0);
            }
            let room = (run.count - done).min(result[chunk] - target);
            let piece = match (&input_starts, run.input) {
                (Some(starts), Some(input)) => {
                    let at = run.start.wrapping_add_signed(run.step * done as isize);
                    let source = starts.partition_point(|&start| start <= at) - 1;
                    // An empty chunk has the start of the next one; that is the last of equal starts.
                    let (low, high) = (starts[source], starts[source] + chunks_of(input)[source]);
                    let count = room.min(steps_inside(at - low, run.step, high - low));
                    Piece { input: run.input, chunk: source, start: at - low, step: run.step, count, target }
                }
                _ => Piece { input: None, chunk: 0, start: 0, step: 1, count: room, target },
            };
            chunks[chunk].push(piece);
            done += piece.count;
            target += piece.count;
        }
    }
    chunks
}

/// A part of a block.
fn part((block, from): (Arc<Block>, Vec<(usize, isize, usize)>)) -> Block {
    super::expression::with_type!(block.dtype(), T => {
        Block::from(slice(&block.view::<T>(), &from).to_owned())
    })
}

/// Element type, shape, what goes where, what is filled in, and the blocks.
type Gathering = (DType, Vec<usize>, Vec<Transfer>, Option<Number>, Vec<Arc<Block>>);

/// A chunk of parts of blocks.
fn gather((dtype, shape, transfers, fill, blocks): Gathering) -> Result<Block, ArrayProblem> {
    check_room(shape.iter().product(), dtype.size())?;
    super::expression::with_type!(dtype, T => {
        let fill = fill.map_or_else(T::default, <T as super::expression::Lane>::of_number);
        let mut chunk: ArrayD<T> = Array::from_elem(IxDyn(&shape), fill);
        for transfer in &transfers {
            let block = blocks[transfer.block as usize].view::<T>();
            let source = slice(&block, &transfer.from);
            let mut target = chunk.slice_each_axis_mut(|axis| {
                let (start, count) = (transfer.to[axis.axis.index()], transfer.from[axis.axis.index()].2);
                ndarray::Slice::from(start..start + count)
            });
            target.assign(&source);
        }
        Ok(Block::from(chunk))
    })
}

/// Start, step and number of elements along each axis.
fn slice<'a, T>(
    block: &'a ndarray::ArrayViewD<'_, T>,
    from: &[(usize, isize, usize)],
) -> ndarray::ArrayViewD<'a, T> {
    let elements: Vec<SliceInfoElem> = from
        .iter()
        .map(|&(start, step, count)| {
            let (start, span) = (start as isize, (count as isize - 1).max(0) * step.abs());
            match step {
                _ if count == 0 => SliceInfoElem::Slice { start: 0, end: Some(0), step: 1 },
                // ndarray takes the range first and goes through it backwards.
                step if step < 0 => SliceInfoElem::Slice { start: start - span, end: Some(start + 1), step },
                step => SliceInfoElem::Slice { start, end: Some(start + span + 1), step },
            }
        })
        .collect();
    block.slice(elements.as_slice())
}

/// The axes of `node` in another order.
pub(super) fn permute(node: &Arc<Node>, order: &[usize]) -> Arc<Node> {
    let shape: Vec<usize> = order.iter().map(|&axis| node.layout.shape[axis]).collect();
    view(node, order.iter().map(|&axis| Some(axis)).collect(), &shape)
}
