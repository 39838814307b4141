//! Nanoseconds a number, the minimum of several rounds: `cargo bench --bench sum`.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use serried::random::{Elements, Seed};
use serried::sum::{Compensated, ExactMoments, ExactSum};

/// Numbers of a round: an array that stays in the second cache.
const VALUES: usize = 1 << 15;

fn main() {
    let elements = Elements::new(&Seed::from(1u64), &[]);
    let mut normal = vec![0.0f64; VALUES];
    elements.at(0).fill_standard_normal(&mut normal);
    // Magnitudes from 1e-35 to 1e35.
    let mut wild = vec![0.0f64; VALUES];
    elements.at(0).fill_with(&mut wild, |stream| (20.0 * stream.standard_normal()).exp());

    for (name, values) in [("normal", &normal), ("wild", &wild)] {
        report(&format!("{name}: plain"), || black_box(values).iter().sum::<f64>());
        report(&format!("{name}: Compensated"), || Compensated::of(black_box(values)).value());
        report(&format!("{name}: ExactSum"), || ExactSum::of(black_box(values)).value());
        report(&format!("{name}: ExactSum, one by one"), || {
            let mut sum = ExactSum::new();
            black_box(values).iter().for_each(|&value| sum.add(value));
            sum.value()
        });
        report(&format!("{name}: ExactMoments"), || ExactMoments::of(black_box(values)).variance(1));
    }
    for columns in [2, 16, 1024] {
        let mut sums = vec![Compensated::new(); columns];
        report(&format!("normal: Compensated, {columns} columns"), || {
            Compensated::add_rows(&mut sums, black_box(&normal));
        });
        let mut sums = vec![ExactSum::new(); columns];
        report(&format!("normal: ExactSum, {columns} columns"), || {
            ExactSum::add_rows(&mut sums, black_box(&normal));
        });
    }
}

/// Prints the time of the fastest of many rounds, by number.
fn report<T>(name: &str, mut round: impl FnMut() -> T) {
    let fastest = (0..200)
        .map(|_| {
            let start = Instant::now();
            black_box(round());
            start.elapsed()
        })
        .min()
        .unwrap_or_default();
    println!("{name:40}{:8.2} ns", fastest.as_secs_f64() * 1e9 / VALUES as f64);
}
