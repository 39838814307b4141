//! The same elements, in C order, in another shape.
//!
//! Axes before and after are divided into the shortest groups that hold equally many elements. Within a group
//! the array is brought into chunks that are whole along all axes but the first, so that every chunk of the
//! result is one chunk of the array, read in C order.

use super::error::ArrayProblem;
use super::layout::{Layout, pieces};
use super::movement::fit;
use super::node::{Node, Reader};
use crate::Block;
use std::ops::Range;
use std::sync::Arc;

pub(super) fn reshape(node: &Arc<Node>, shape: &[usize]) -> Result<Arc<Node>, ArrayProblem> {
    let shape = fill_in(&node.layout.shape, shape)?;
    if node.layout.shape == shape {
        return Ok(Arc::clone(node));
    }
    if shape.contains(&0) {
        return Ok(block_by_block(node, node.layout.clone(), Layout::whole(&shape)));
    }
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for (own, new) in groups(&node.layout.shape, &shape) {
        let chunks = &node.layout.chunks[own.clone()];
        let (own_chunks, new_chunks) = chunks_of_group(&node.layout.shape[own], chunks, &shape[new]);
        before.extend(own_chunks);
        after.extend(new_chunks);
    }
    Ok(block_by_block(node, Layout::of_chunks(before), Layout::of_chunks(after)))
}

/// The shape with the length that was left open.
fn fill_in(own: &[usize], shape: &[usize]) -> Result<Vec<usize>, ArrayProblem> {
    let elements: usize = own.iter().product();
    let wrong = |rule: String| ArrayProblem::Shapes { left: own.to_vec(), right: shape.to_vec(), rule };
    let known =
        shape.iter().filter(|&&length| length != usize::MAX).try_fold(1usize, |n, &m| n.checked_mul(m));
    let mut filled = shape.to_vec();
    let mut open = filled.iter_mut().filter(|length| **length == usize::MAX);
    match (open.next(), open.next(), known) {
        (None, _, Some(known)) if known == elements => Ok(filled),
        (Some(length), None, Some(known)) if known > 0 && elements.is_multiple_of(known) => {
            *length = elements / known;
            Ok(filled)
        }
        (Some(_), Some(_), _) => Err(wrong("only one length can be left open".into())),
        _ => Err(wrong(format!("the array has {elements} elements, and so must its new shape"))),
    }
}

/// Shortest groups of axes with equally many elements before and after.
fn groups(own: &[usize], new: &[usize]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut groups = Vec::new();
    let (mut from, mut to) = ((0, 0), (0, 0));
    let (mut elements, mut new_elements) = (1, 1);
    while to.0 < own.len() || to.1 < new.len() {
        // An axis on either side opens a group; then whichever side is behind goes on.
        let opens = to == from;
        if to.0 < own.len() && (elements < new_elements || opens || to.1 == new.len()) {
            elements *= own[to.0];
            to.0 += 1;
            if opens && to.1 < new.len() {
                new_elements *= new[to.1];
                to.1 += 1;
            }
        } else {
            new_elements *= new[to.1];
            to.1 += 1;
        }
        if elements == new_elements {
            groups.push((from.0..to.0, from.1..to.1));
            from = to;
            (elements, new_elements) = (1, 1);
        }
    }
    groups
}

/// The chunks of a group before and after, such that chunks correspond to each other.
fn chunks_of_group(
    own: &[usize],
    chunks: &[Vec<usize>],
    new: &[usize],
) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    // Axes of length 1 in front hold nothing up.
    let leading = |shape: &[usize]| shape.iter().take_while(|&&length| length == 1).count();
    let (own_first, new_first) = (leading(own), leading(new));
    let whole = |shape: &[usize]| -> Vec<Vec<usize>> { shape.iter().map(|&length| vec![length]).collect() };
    if own_first == own.len() || new_first == new.len() {
        return (whole(own), whole(new));
    }
    let inner: usize = own[own_first + 1..].iter().product();
    let new_inner: usize = new[new_first + 1..].iter().product();
    let mut before = whole(own);
    let mut after = whole(new);
    if inner == new_inner {
        // Only axes of length 1 differ, or the chunks are cut along the same axis.
        before[own_first].clone_from(&chunks[own_first]);
        after[new_first].clone_from(&chunks[own_first]);
        return (before, after);
    }
    let largest: usize = chunks.iter().map(|chunks| chunks.iter().copied().max().unwrap_or(1)).product();
    // Chunks of whole rows of both shapes, about as large as they were.
    let row = lcm(inner, new_inner);
    let rows = (largest / row).max(1);
    let elements = rows * row;
    before[own_first] = pieces(own[own_first], elements / inner);
    after[new_first] = pieces(new[new_first], elements / new_inner);
    (before, after)
}

fn lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    a / x.max(1) * b
}

/// Makes each chunk of a layout of the chunk with the same number of another.
fn block_by_block(node: &Arc<Node>, before: Layout, after: Layout) -> Arc<Node> {
    let input = Reader::new(&fit(node, &before));
    let made = after.clone();
    Node::tasks_of(&node.client, node.dtype, after, "reshape", move || {
        let shapes = made.chunks().map(|chunk| chunk.shape);
        let reshape = |(block, shape): (&crate::Delayed<Block>, Vec<usize>)| {
            input.client.delayed(reshape_block, (block.clone(), shape)).label("reshape")
        };
        input.tasks().iter().zip(shapes).map(reshape).collect()
    })
}

fn reshape_block((block, shape): (Block, Vec<usize>)) -> Block {
    super::expression::with_type!(block.dtype(), T => {
        let (elements, _) = block.into_array::<T>().into_raw_vec_and_offset();
        Block::from_vec(&shape, elements)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_the_shortest() {
        assert_eq!(groups(&[2, 3, 4], &[6, 4]), [(0..2, 0..1), (2..3, 1..2)]);
        assert_eq!(groups(&[24], &[2, 3, 4]), [(0..1, 0..3)]);
        assert_eq!(groups(&[4, 6], &[3, 8]), [(0..2, 0..2)]);
        assert_eq!(groups(&[], &[1, 1]), [(0..0, 0..1), (0..0, 1..2)]);
        assert_eq!(groups(&[1, 5], &[5]).len(), 1);
    }
}
