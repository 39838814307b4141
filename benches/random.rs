//! Nanoseconds a value, the minimum of several rounds: `cargo bench --bench random`.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use serried::random::{Seed, Stream, StreamFamily};

/// Values of a round: an array that stays in the second cache.
const VALUES: usize = 1 << 15;

fn main() {
    let mut stream = Stream::new(&Seed::from(1u64), &[]);
    let mut bits = vec![0u64; VALUES];
    let mut values = vec![0.0f64; VALUES];

    report("fill_u64", || stream.fill_u64(black_box(&mut bits)));
    report("fill_random", || stream.fill_random(black_box(&mut values)));
    report("fill_standard_normal", || {
        stream.fill_standard_normal(black_box(&mut values));
    });
    report("fill_standard_exponential", || {
        stream.fill_standard_exponential(black_box(&mut values));
    });
    report("fill_standard_normal, 100 at once", || {
        for part in values.chunks_mut(100) {
            stream.fill_standard_normal(black_box(part));
        }
    });
    report("next_u64", || each(|| stream.next_u64()));
    report("random", || each(|| stream.random()));
    report("standard_normal", || each(|| stream.standard_normal()));
    report("standard_exponential", || {
        each(|| stream.standard_exponential());
    });
    report("integers(0, 6)", || each(|| stream.integers(0, 6)));
    report("integers(0, 10^18)", || {
        each(|| stream.integers(0, 1_000_000_000_000_000_000));
    });

    let seed = Seed::from(1u64);
    let mut index = 0u32;
    report("Stream::new, two words", || {
        each(|| {
            index = index.wrapping_add(1);
            Stream::new(&seed, &[3, index])
        });
    });
    let family = StreamFamily::new(&seed, &[3, 7, 1]);
    report("StreamFamily::stream, one word", || {
        each(|| {
            index = index.wrapping_add(1);
            family.stream(&[index])
        });
    });
}

/// Draws one after another.
fn each<T>(mut draw: impl FnMut() -> T) {
    for _ in 0..VALUES {
        black_box(draw());
    }
}

/// Prints the time of the fastest of many rounds, by value.
fn report(name: &str, mut round: impl FnMut()) {
    let fastest = (0..200)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed()
        })
        .min()
        .unwrap_or_default();
    println!("{name:40}{:8.2} ns", fastest.as_secs_f64() * 1e9 / VALUES as f64);
}
