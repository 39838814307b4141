//! The elements of a random array are the same whichever part is made.
//!
//! With the environment variable `SERRIED_TEST_PYTHON` set to an interpreter that
//! has NumPy, uniform elements are compared with its `random(shape)` as well.
#![allow(clippy::print_stdout)]

use std::process::Command;

use proptest::prelude::*;
use rand_distr::{Distribution, Poisson};
use serried::random::{ElementCursor, ElementStride, Elements, Seed, Stream};

/// A way to fill a slice, as bits.
type Fill = fn(&ElementCursor<'_>, &mut [u64]);

fn floats(fill: impl Fn(&mut [f64]), values: &mut [u64]) {
    let mut floats = vec![0.0; values.len()];
    fill(&mut floats);
    for (value, float) in values.iter_mut().zip(floats) {
        *value = float.to_bits();
    }
}

fn integers(low: i64, high: i64, cursor: &ElementCursor<'_>, values: &mut [u64]) {
    let mut integers = vec![0; values.len()];
    cursor.fill_integers(low, high, &mut integers);
    for (value, integer) in values.iter_mut().zip(integers) {
        assert!((low..high).contains(&integer));
        *value = integer as u64;
    }
}

const FILLS: [Fill; 7] = [
    |cursor, values| cursor.fill_u64(values),
    |cursor, values| floats(|floats| cursor.fill_random(floats), values),
    |cursor, values| floats(|floats| cursor.fill_standard_normal(floats), values),
    |cursor, values| floats(|floats| cursor.fill_standard_exponential(floats), values),
    |cursor, values| integers(-3, 4, cursor, values),
    |cursor, values| integers(-5, i64::MAX - 1, cursor, values),
    |cursor, values| {
        let poisson = Poisson::new(3.0).unwrap();
        floats(|floats| cursor.fill_with(floats, |stream| poisson.sample(stream)), values);
    },
];

/// Elements near the beginning, near a change of the high word, and far away.
fn firsts() -> impl Strategy<Value = u64> {
    let far = any::<u32>().prop_map(|high| u64::from(high) << 20);
    prop_oneof![0..2000u64, (1 << 32) - 900..1u64 << 32, far]
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_elements(
        seed: u64,
        key in prop::collection::vec(any::<u32>(), 0..4),
        first in firsts(),
        cuts in prop::collection::vec(0..700usize, 1..6),
    ) {
        let elements = Elements::new(&Seed::from(seed), &key);
        for fill in FILLS {
            let mut whole = vec![0; cuts.iter().sum()];
            fill(&elements.at(first), &mut whole);
            let mut pieces = Vec::new();
            let mut cursor = elements.at(first);
            for &length in &cuts {
                let mut piece = vec![0; length];
                // Filling leaves the cursor where it is.
                fill(&cursor, &mut piece);
                fill(&cursor, &mut piece);
                cursor.step(&ElementStride::new(length as u64));
                pieces.extend(piece);
            }
            prop_assert_eq!(pieces, whole);
        }
    }

    #[test]
    fn any_part_of_a_matrix_is_that_part(
        seed: u64,
        (rows, columns) in (1..40usize, 1..90usize),
        corner in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let elements = Elements::new(&Seed::from(seed), &[1]);
        let mut whole = vec![0.0; rows * columns];
        elements.at(0).fill_standard_normal(&mut whole);
        let (top, left) = (corner.0.index(rows), corner.1.index(columns));
        let row = ElementStride::new(columns as u64);
        let mut cursor = elements.at((top * columns + left) as u64);
        let mut values = vec![0.0; columns - left];
        for expected in whole.chunks(columns).skip(top) {
            cursor.fill_standard_normal(&mut values);
            prop_assert_eq!(&values, &expected[left..]);
            cursor.step(&row);
        }
    }
}

#[test]
fn elements_travel() {
    let elements = Elements::new(&Seed::from(7u64), &[1, 2]);
    let text = serde_json::to_string(&elements).unwrap();
    assert_eq!(serde_json::from_str::<Elements>(&text).unwrap(), elements);
}

#[test]
fn the_streams_of_elements_are_nobody_elses() {
    let seed = Seed::from(7u64);
    let short = Elements::new(&seed, &[1]);
    let long = Elements::new(&seed, &[1, 0]);
    assert_ne!(short.stream(0), long.stream(0));
    assert_ne!(short.stream(0), Stream::new(&seed, &[1, 0, 0]));
    assert_ne!(short.stream(1 << 32), short.stream(1));
}

#[test]
fn impossible_ranges_are_refused_by_name() {
    let elements = Elements::new(&Seed::from(7u64), &[1]);
    let panic = std::panic::catch_unwind(|| elements.at(0).fill_integers(3, 3, &mut [])).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert_eq!(message, "fill_integers needs low < high, not 3 and 3");
}

#[test]
fn integers_are_spread_evenly() {
    let mut values = vec![0; 60_000];
    Elements::new(&Seed::from(7u64), &[1]).at(0).fill_integers(-2, 4, &mut values);
    for face in -2..4 {
        let count = values.iter().filter(|&&value| value == face).count();
        assert!(count.abs_diff(10_000) < 400, "{face}: {count}");
    }
}

#[test]
fn a_uniform_array_is_that_of_numpy() {
    let elements = Elements::new(&Seed::from(20_240_229u64), &[5, 1 << 31]);
    // numpy.random.Generator(PCG64DXSM(SeedSequence(20240229, spawn_key=(5, 2**31)))).random((2, 3))
    let mut values = [0.0; 6];
    elements.at(0).fill_random(&mut values);
    let expected = [
        [0.21608158654769993, 0.429902230584291, 0.12183879609463022],
        [0.40924117329365195, 0.7339207774947024, 0.9230993529951569],
    ];
    assert_eq!(values, expected.as_flattened());

    let Ok(python) = std::env::var("SERRIED_TEST_PYTHON") else {
        println!("skipped: SERRIED_TEST_PYTHON names no interpreter that has NumPy");
        return;
    };
    let count = 100_003;
    let output = Command::new(&python)
        .args(["-c", include_str!("random_numpy/draws.py")])
        .args(["20240229", "5,2147483648", &count.to_string(), "random"])
        .output()
        .unwrap_or_else(|error| panic!("cannot start {python}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{python} failed: {complaint}");
    let expected: Vec<f64> =
        output.stdout.as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect();
    assert_eq!(expected.len(), count);
    // In parts of a width that is no multiple of anything.
    let mut found = vec![0.0; count];
    for (part, values) in found.chunks_mut(997).enumerate() {
        elements.at(997 * part as u64).fill_random(values);
    }
    assert_eq!(found, expected);
}
