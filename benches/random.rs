//! Nanoseconds a value, the minimum of several rounds: `cargo bench --bench random`.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use serried::random::{ElementStride, Elements, Seed, Stream, StreamFamily};

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
    let elements = Elements::new(&seed, &[3]);
    report("elements: fill_random", || elements.at(7).fill_random(black_box(&mut values)));
    report("elements: fill_standard_normal", || {
        elements.at(7).fill_standard_normal(black_box(&mut values));
    });
    report("elements: fill_standard_exponential", || {
        elements.at(7).fill_standard_exponential(black_box(&mut values));
    });
    let row = ElementStride::new(20_000);
    for columns in [128, 1024] {
        report(&format!("elements: normals, rows of {columns}"), || {
            let mut cursor = elements.at(7);
            for values in values.chunks_exact_mut(columns) {
                cursor.fill_standard_normal(black_box(values));
                cursor.step(&row);
            }
        });
    }
    report("elements: fill_with, a uniform value", || {
        elements.at(7).fill_with(black_box(&mut values), Stream::random);
    });
    let mut whole = vec![0i64; VALUES];
    report("elements: fill_integers(0, 6)", || {
        elements.at(7).fill_integers(0, 6, black_box(&mut whole));
    });

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
