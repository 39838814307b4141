//! What the tasks do.

use serde::{Deserialize, Serialize};
use serried::random::Stream;
use std::{
    hint::spin_loop,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a task takes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Lasting {
    pub(crate) micros: u64,
    pub(crate) sleep: bool,
}

impl Lasting {
    fn pass(self) {
        let duration = Duration::from_micros(self.micros);
        if self.sleep {
            return std::thread::sleep(duration);
        }
        let start = Instant::now();
        while start.elapsed() < duration {
            spin_loop();
        }
    }

    /// A duration from an exponential distribution with this mean, cut at ten times the mean.
    pub(crate) fn drawn(self, rng: &mut Stream) -> Self {
        let factor = rng.standard_exponential().min(10.0);
        Lasting { micros: (self.micros as f64 * factor) as u64, ..self }
    }
}

pub(crate) fn inc(x: u64) -> u64 {
    x + 1
}

pub(crate) fn add(x: u64, y: u64) -> u64 {
    x.wrapping_add(y)
}

pub(crate) fn total(terms: Vec<u64>) -> u64 {
    terms.into_iter().fold(0, u64::wrapping_add)
}

/// `inc` that takes its time.
pub(crate) fn slow_inc(x: u64, lasting: Lasting) -> u64 {
    lasting.pass();
    inc(x)
}

/// Takes as long as it draws, and tells how long that was meant to be.
pub(crate) fn draw_and_pass(mean: Lasting, mut rng: Stream) -> u64 {
    let drawn = mean.drawn(&mut rng);
    drawn.pass();
    drawn.micros
}

/// One point of a stencil.
pub(crate) fn stencil(left: u64, here: u64, right: u64) -> u64 {
    (left + 2 * here + right + 1) % ((1 << 31) - 1)
}

/// `length` words that count on from `first`.
pub(crate) fn count(first: u64, length: u64) -> Vec<u64> {
    (first..first + length).collect()
}

pub(crate) fn sum(words: &[u64]) -> u64 {
    words.iter().copied().fold(0, u64::wrapping_add)
}

pub(crate) fn add_chunks(mut left: Vec<u64>, right: &[u64]) -> Vec<u64> {
    left.iter_mut().zip(right).for_each(|(left, right)| *left = left.wrapping_add(*right));
    left
}

/// Block (row, column) of a square matrix with `edge` blocks of `side` rows, whose elements count on in its rows.
pub(crate) fn block(row: u64, column: u64, edge: u64, side: u64) -> Vec<u64> {
    let element = |r: u64, c: u64| (row * side + r) * edge * side + column * side + c;
    (0..side).flat_map(|r| (0..side).map(move |c| element(r, c))).collect()
}

/// A block of x + x^T.
pub(crate) fn add_transposed(block: &[u64], mirrored: &[u64], side: usize) -> Vec<u64> {
    let element = |at: usize| block[at].wrapping_add(mirrored[at % side * side + at / side]);
    (0..block.len()).map(element).collect()
}

/// A source of a shuffle: words that count on from `first`, dealt out by their remainder.
pub(crate) fn deal(first: u64, length: u64, pieces: u64) -> Vec<Vec<u64>> {
    let mut dealt = vec![Vec::with_capacity((length / pieces) as usize + 1); pieces as usize];
    (first..first + length).for_each(|word| dealt[(word % pieces) as usize].push(word));
    dealt
}

pub(crate) fn piece(dealt: &[Vec<u64>], number: u64) -> Vec<u64> {
    dealt[number as usize].clone()
}

/// What a reader of a shuffle makes of its pieces, if they are all its own.
pub(crate) fn assemble(pieces: &[Arc<Vec<u64>>], number: u64, readers: u64) -> Result<u64, String> {
    let mut all = 0u64;
    for &word in pieces.iter().flat_map(|piece| piece.iter()) {
        if word % readers != number {
            return Err(format!("{word} came to reader {number}"));
        }
        all = all.wrapping_add(word);
    }
    Ok(all)
}
