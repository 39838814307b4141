//! The shapes: how each is built, and what must come of it.

use super::tasks::{
    Lasting, add, add_chunks, add_transposed, assemble, block, count, deal, draw_and_pass, inc, piece,
    slow_inc, stencil, sum, total,
};
use serried::prelude::*;
use std::time::Duration;

/// A shape, and how large it is by default.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) n: u32,
    /// How long its tasks take; nothing if they only do what they have to.
    pub(crate) millis: u64,
    pub(crate) bytes: usize,
    /// Whether it is about memory.
    pub(crate) memory: bool,
    pub(crate) build: fn(&Client, &Size) -> serried::Result<Built>,
}

/// How large a shape is to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) n: u32,
    pub(crate) micros: u64,
    pub(crate) bytes: usize,
    pub(crate) sleep: bool,
    /// How often it was built before.
    pub(crate) round: u32,
}

/// A graph that can be run.
pub(crate) struct Built {
    pub(crate) target: Delayed<u64>,
    pub(crate) expected: u64,
    pub(crate) tasks: u64,
    pub(crate) work: Work,
}

/// How long the tasks of a graph are meant to take.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Work {
    /// All together.
    pub(crate) total: Duration,
    /// Those that must follow each other.
    pub(crate) path: Duration,
}

const fn shape(
    name: &'static str,
    n: u32,
    millis: u64,
    bytes: usize,
    build: fn(&Client, &Size) -> serried::Result<Built>,
) -> Shape {
    Shape { name, n, millis, bytes, memory: false, build }
}

/// In the order in which they are run. A shape that stands here twice differs in the duration of its tasks.
pub(crate) const SHAPES: [Shape; 11] = [
    shape("merge", 100_000, 0, 0, merge),
    shape("tree", 1 << 15, 0, 0, tree),
    shape("chain", 10_000, 0, 0, chain),
    shape("stencil", 200, 0, 0, stencils),
    shape("transpose", 50, 0, 8 << 10, transpose),
    shape("shuffle", 50, 0, 64 << 10, shuffle),
    shape("merge_slow", 200, 10, 0, merge_slow),
    shape("merge_slow", 20, 100, 0, merge_slow),
    shape("merge_variable", 200, 10, 0, merge_variable),
    shape("fork_join", 5, 10, 0, fork_join),
    Shape { memory: true, ..shape("wide", 64, 0, 8_000_000, wide) },
];

impl Size {
    fn n(&self) -> u64 {
        u64::from(self.n)
    }

    fn lasting(&self) -> Lasting {
        Lasting { micros: self.micros, sleep: self.sleep }
    }

    /// How many words a value has.
    fn words(&self) -> u64 {
        (self.bytes as u64 / 8).max(1)
    }
}

/// The sum of 0, 1, ..., n - 1 in 64 bits, as tasks add.
fn sum_below(n: u64) -> u64 {
    (u128::from(n) * u128::from(n.saturating_sub(1)) / 2) as u64
}

/// Independent tasks, and one that adds them up.
fn merge(client: &Client, size: &Size) -> serried::Result<Built> {
    let n = size.n();
    let terms: List<u64> = (0..n).map(|x| delayed!(client, inc(x))).collect();
    let target = delayed!(client, total(terms));
    Ok(Built { target, expected: sum_below(n + 1), tasks: n + 1, work: Work::default() })
}

/// `merge` of tasks that take time.
fn merge_slow(client: &Client, size: &Size) -> serried::Result<Built> {
    let (n, lasting) = (size.n(), size.lasting());
    let terms: List<u64> = (0..n).map(|x| delayed!(client, slow_inc(x, lasting))).collect();
    let target = delayed!(client, total(terms));
    let path = Duration::from_micros(lasting.micros);
    let work = Work { total: path * size.n, path };
    Ok(Built { target, expected: sum_below(n + 1), tasks: n + 1, work })
}

/// `merge` of tasks that take the time that each draws for itself.
fn merge_variable(client: &Client, size: &Size) -> serried::Result<Built> {
    let mean = size.lasting();
    let mut durations = Vec::new();
    let mut terms = Vec::new();
    for task in 0..size.n {
        let stream = client.stream_at(&Key::new([size.round, task].map(u64::from))?);
        terms.push(delayed!(client, draw_and_pass(mean, stream)));
        let mut the_same = Stream::new(client.seed(), &[size.round, task]);
        durations.push(mean.drawn(&mut the_same).micros);
    }
    let terms: List<u64> = terms.into_iter().collect();
    let target = delayed!(client, total(terms));
    let expected = durations.iter().sum();
    let longest = durations.iter().max().copied().unwrap_or(0);
    let work = Work { total: Duration::from_micros(expected), path: Duration::from_micros(longest) };
    Ok(Built { target, expected, tasks: size.n() + 1, work })
}

/// A binary tree of additions over `n` leaves.
fn tree(client: &Client, size: &Size) -> serried::Result<Built> {
    let n = size.n();
    let level: Vec<Delayed<u64>> = (0..n).map(|x| delayed!(client, inc(x))).collect();
    let target = in_pairs(level, |left, right| delayed!(client, add(left, right)));
    Ok(Built { target, expected: sum_below(n + 1), tasks: 2 * n - 1, work: Work::default() })
}

/// Merges neighbours until one is left; an odd last one moves up as it is.
fn in_pairs<T>(
    mut level: Vec<Delayed<T>>,
    merge: impl Fn(Delayed<T>, Delayed<T>) -> Delayed<T>,
) -> Delayed<T> {
    while level.len() > 1 {
        let mut above = Vec::with_capacity(level.len().div_ceil(2));
        let mut nodes = level.into_iter();
        while let Some(left) = nodes.next() {
            above.push(match nodes.next() {
                Some(right) => merge(left, right),
                None => left,
            });
        }
        level = above;
    }
    level.pop().expect("at least one leaf")
}

/// Tasks that each read the one before.
fn chain(client: &Client, size: &Size) -> serried::Result<Built> {
    let mut target = delayed!(client, inc(0));
    for _ in 1..size.n {
        target = delayed!(client, inc(target));
    }
    Ok(Built { target, expected: size.n(), tasks: size.n(), work: Work::default() })
}

/// `n` steps of a stencil of three points on a ring of 32.
fn stencils(client: &Client, size: &Size) -> serried::Result<Built> {
    const WIDTH: usize = 32;
    let neighbours = |i: usize| [(i + WIDTH - 1) % WIDTH, i, (i + 1) % WIDTH];
    let mut row: Vec<Delayed<u64>> = (0..WIDTH as u64).map(|x| delayed!(client, inc(x))).collect();
    let mut values: Vec<u64> = (0..WIDTH as u64).map(inc).collect();
    for _ in 0..size.n {
        let task = |i: usize| {
            let [left, here, right] = neighbours(i).map(|i| row[i].clone());
            delayed!(client, stencil(left, here, right))
        };
        row = (0..WIDTH).map(task).collect();
        let value = |i: usize| {
            let [left, here, right] = neighbours(i).map(|i| values[i]);
            stencil(left, here, right)
        };
        values = (0..WIDTH).map(value).collect();
    }
    let terms: List<u64> = row.into_iter().collect();
    let target = delayed!(client, total(terms));
    let tasks = (size.n() + 1) * WIDTH as u64 + 1;
    Ok(Built { target, expected: values.iter().sum(), tasks, work: Work::default() })
}

/// The sum of x + x^T for a matrix of `n` by `n` blocks.
fn transpose(client: &Client, size: &Size) -> serried::Result<Built> {
    let n = size.n();
    let side = size.words().isqrt();
    let block_of = |at: u64| delayed!(client, block(at / n, at % n, n, side));
    let blocks: Vec<Delayed<Vec<u64>>> = (0..n * n).map(block_of).collect();
    let sum_of = |at: u64| {
        let (here, mirrored) = (&blocks[at as usize], &blocks[(at % n * n + at / n) as usize]);
        let block = delayed!(client, add_transposed(&here, &mirrored, side as usize));
        delayed!(client, sum(&block))
    };
    let sums: List<u64> = (0..n * n).map(sum_of).collect();
    let target = delayed!(client, total(sums));
    let elements = n * n * side * side;
    let expected = sum_below(elements).wrapping_mul(2);
    Ok(Built { target, expected, tasks: 3 * n * n + 1, work: Work::default() })
}

/// `n` sources of `n` pieces each, and `n` readers that read one piece of every source.
fn shuffle(client: &Client, size: &Size) -> serried::Result<Built> {
    let (n, words) = (size.n(), size.words());
    let sources: Vec<Delayed<Vec<Vec<u64>>>> =
        (0..n).map(|source| delayed!(client, deal(source * words, words, n))).collect();
    let reader = |number: u64| {
        let pieces: List<Vec<u64>> =
            sources.iter().map(|dealt| delayed!(client, piece(&dealt, number))).collect();
        delayed!(client, assemble(&pieces, number, n)?)
    };
    let sums: List<u64> = (0..n).map(reader).collect();
    let target = delayed!(client, total(sums));
    Ok(Built { target, expected: sum_below(n * words), tasks: n * n + 2 * n + 1, work: Work::default() })
}

/// `n` rounds of 16 tasks, one of which takes ten times as long; the next round begins when all are done.
fn fork_join(client: &Client, size: &Size) -> serried::Result<Built> {
    const WIDTH: u32 = 16;
    const STRAGGLER: u32 = 10;
    let lasting = size.lasting();
    let long = Lasting { micros: lasting.micros * u64::from(STRAGGLER), ..lasting };
    let mut target = delayed!(client, inc(0));
    let mut expected = 1u64;
    for round in 0..size.n {
        let straggler = round * 7 % WIDTH;
        let fork = |task: u32| {
            let lasting = if task == straggler { long } else { lasting };
            delayed!(client, slow_inc(target.clone(), lasting))
        };
        let forks: List<u64> = (0..WIDTH).map(fork).collect();
        target = delayed!(client, total(forks));
        expected = expected.wrapping_add(1).wrapping_mul(u64::from(WIDTH));
    }
    let short = Duration::from_micros(lasting.micros);
    let work = Work { total: short * (WIDTH - 1 + STRAGGLER) * size.n, path: short * STRAGGLER * size.n };
    let tasks = u64::from(size.n * (WIDTH + 1) + 1);
    Ok(Built { target, expected, tasks, work })
}

/// `n` large chunks that are added in pairs. Whoever makes them all before it adds the first needs memory for all.
fn wide(client: &Client, size: &Size) -> serried::Result<Built> {
    let (n, words) = (size.n(), size.words());
    let chunks: Vec<Delayed<Vec<u64>>> = (0..n).map(|i| delayed!(client, count(i * words, words))).collect();
    let chunk = in_pairs(chunks, |left, right| delayed!(client, add_chunks(left, &right)));
    let target = delayed!(client, sum(&chunk));
    Ok(Built { target, expected: sum_below(n * words), tasks: 2 * n, work: Work::default() })
}
