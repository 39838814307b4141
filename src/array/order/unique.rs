//! Which values there are, and how often.

use super::super::array::Array;
use super::super::compile::{Fusion, Work};
use super::super::expression::{Evaluation, Fault, Inputs, Kernel, Program, TILE};
use super::super::traits::Number;
use super::tree;
use crate::random::Elements;
use crate::{Block, Delayed, Error};
use std::sync::Arc;

/// Keys that are brought in order at once.
const BATCH: usize = 1 << 16;

/// Keys in order, and how often each occurs.
type Counted = Vec<(u64, u64)>;

impl<T: Number> Array<T> {
    /// The different values among all elements, in order, and how often each occurs: NumPy's
    /// `unique(x, return_counts=True)`. All NaN are one value, and so are -0 and 0.
    ///
    /// Nothing is known of the number of values before, so this is a list and not an array. It is brought
    /// together by one task.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::from_fn(client, |index| (index[0] % 3) as i64, [100], [30]);
    ///     assert_eq!(client.compute(&x.unique())?, [(0, 34), (1, 33), (2, 33)]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn unique(&self) -> Delayed<Vec<(T, u64)>> {
        let client = self.client();
        if let Some(error) = self.node.error() {
            return client.broken(Error::Array(Arc::clone(error)));
        }
        let fusion = Fusion::reading(&self.node);
        let pieces = self.node.layout.chunks().map(|chunk| {
            let Work { program, functions, streams, blocks } = fusion.work(&chunk);
            client.try_delayed(of_chunk::<T>, (program, functions, streams, &blocks)).label("unique")
        });
        let counted = tree(client, "unique", pieces.collect(), |into, from| *into = merged(into, from));
        client.delayed(values::<T>, (counted,)).label("unique")
    }
}

fn of_chunk<T: Number>(
    (program, kernels, streams, blocks): (Program, Vec<Kernel>, Vec<Elements>, Vec<Arc<Block>>),
) -> Result<Counted, Fault> {
    let total: usize = program.shape.iter().product();
    let inputs = Inputs { program, kernels, streams, blocks };
    let mut evaluation = Evaluation::new(&inputs);
    let mut counted = Counted::new();
    let mut batch = Vec::with_capacity(BATCH.min(total));
    for start in (0..total).step_by(TILE) {
        let values = evaluation.tile::<T>(start, TILE.min(total - start))?;
        batch.extend(values.iter().map(|value| value.key()));
        // A batch grows with what is there already, so that this is not copied again and again.
        if batch.len() >= BATCH.max(counted.len()) {
            counted = merged(&counted, &in_order(&mut batch));
        }
    }
    Ok(merged(&counted, &in_order(&mut batch)))
}

/// The keys of a batch in order; leaves the batch empty.
fn in_order(batch: &mut Vec<u64>) -> Counted {
    batch.sort_unstable();
    let counted = batch.chunk_by(|a, b| a == b).map(|equal| (equal[0], equal.len() as u64)).collect();
    batch.clear();
    counted
}

/// The keys of both.
fn merged(left: &Counted, right: &Counted) -> Counted {
    let mut merged = Counted::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().copied().peekable(), right.iter().copied().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let (a, b) = (*a, *b);
        merged.push((a.0.min(b.0), if a.0 <= b.0 { a.1 } else { 0 } + if b.0 <= a.0 { b.1 } else { 0 }));
        left.next_if(|_| a.0 <= b.0);
        right.next_if(|_| b.0 <= a.0);
    }
    merged.extend(left.chain(right));
    merged
}

fn values<T: Number>((counted,): (Counted,)) -> Vec<(T, u64)> {
    let mut values: Vec<(T, u64)> = Vec::with_capacity(counted.len());
    for (key, count) in counted {
        let value = T::of_key(key);
        match values.last_mut() {
            // Both zeros.
            Some((last, sum)) if *last == value => *sum += count,
            _ => values.push((value, count)),
        }
    }
    values
}
