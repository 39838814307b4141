//! Streams draw what NumPy draws, bit for bit.
//!
//! `random_numpy/table.txt` was written by NumPy 2.4.6 (see `table.py` beside
//! it). With the environment variable `SERRIED_TEST_PYTHON` set to an interpreter
//! that has NumPy, a million draws of each kind are compared with it as well.
#![allow(clippy::print_stdout)]

use std::process::Command;

use serried::random::{Seed, SeedSequence, Stream, StreamFamily};

/// The ranges whose integers the table holds, high end excluded.
const RANGES: [(i64, i64); 10] = [
    (0, 6),
    (-3, -2),
    (-(1 << 31), 1 << 31),
    (0, (1 << 32) - 1),
    (-5, 1 << 40),
    (0, 3_000_000_001),
    (i64::MIN, i64::MAX),
    (0, (1 << 62) + 1),
    (17, 18 + (1 << 32)),
    (0, 1000),
];

#[test]
fn streams_draw_what_the_table_says() {
    let lines: Vec<&str> = include_str!("random_numpy/table.txt").lines().collect();
    assert_eq!(lines.len(), 96);
    for line in lines {
        let fields: Vec<&str> = line.split("; ").collect();
        let seed: Seed = fields[0].parse().unwrap();
        let key: Vec<u32> = match fields[1] {
            "-" => Vec::new(),
            words => words.split(' ').map(|word| word.parse().unwrap()).collect(),
        };
        let found = row(&seed, &key, fields[2]);
        assert_eq!(found, fields[3..], "seed {seed}, key {key:?}, skip {}", fields[2]);
    }
}

/// The fields of the table behind seed, key and skip.
fn row(seed: &Seed, key: &[u32], skip: &str) -> Vec<String> {
    let sequence = SeedSequence::new(seed, key);
    let stream = Stream::new(seed, key);
    for front in 0..=key.len() {
        let (prefix, suffix) = key.split_at(front);
        assert_eq!(StreamFamily::new(seed, prefix).stream(suffix), stream);
    }

    let (mut stream, odd) = match skip {
        "jumped" => (stream.jumped(), 1),
        _ => {
            let draws: u128 = skip.parse().unwrap();
            let mut stream = stream;
            stream.advance(draws);
            (stream, draws % 2)
        }
    };
    let s = &mut stream;
    let sums = [
        checksum(sequence.generate_state_u32(9).into_iter().map(u64::from)),
        checksum((0..50).map(|_| s.next_u64())),
        checksum((0..50).map(|_| s.random().to_bits())),
        checksum((0..500).map(|_| s.standard_normal().to_bits())),
        checksum((0..500).map(|_| s.standard_exponential().to_bits())),
        checksum([RANGES; 9].into_iter().flatten().map(|(low, high)| s.integers(low, high) as u64)),
        checksum((0..9).map(|_| s.integers_u64((1 << 63) - 9, u64::MAX))),
        checksum((0..9).map(|_| s.uniform(-3.5, 11.25).to_bits())),
        checksum((0..9).map(|_| s.normal(1e3, 7.7).to_bits())),
        checksum((0..9).map(|_| s.exponential(0.3).to_bits())),
        checksum((0..4 + odd).map(|_| s.integers(0, (1 << 32) - 1) as u64)),
    ];
    let state = debug_field(&stream, "state: 0x");
    let half = debug_field(&stream, "unused_half: ");
    let half = half.strip_prefix("Some(").map_or("-", |half| half.trim_end_matches(')'));
    sums.into_iter().chain([state, half.to_owned()]).collect()
}

/// What `Debug` writes behind a label, up to the next comma or brace.
fn debug_field(stream: &Stream, label: &str) -> String {
    let text = format!("{stream:?}");
    let (_, behind) = text.split_once(label).unwrap();
    behind.split([',', ' ']).next().unwrap_or_default().to_owned()
}

/// FNV-1a, by 64-bit words.
fn checksum(words: impl IntoIterator<Item = u64>) -> String {
    let sum = words
        .into_iter()
        .fold(0xcbf2_9ce4_8422_2325u64, |sum, word| (sum ^ word).wrapping_mul(0x0100_0000_01b3));
    format!("{sum:016x}")
}

/// Draws of each kind that are compared with an installed NumPy.
const DRAWS: usize = 1_000_000;

/// The draws that may differ, each by one unit in the last place: those that
/// come out of a logarithm. Three in ten thousand come from the normal's tail
/// and five from the exponential's, of which few round another way.
const LAST_PLACE: usize = DRAWS / 10_000;

#[test]
fn streams_draw_what_an_installed_numpy_draws() {
    let Ok(python) = std::env::var("SERRIED_TEST_PYTHON") else {
        println!("skipped: SERRIED_TEST_PYTHON names no interpreter that has NumPy");
        return;
    };
    let seed = Seed::from(20_240_229u64);
    let key = [5, 1 << 31];
    let family = StreamFamily::new(&seed, &key);
    let compare = |kind: &str, ends: &[String], draw: &dyn Fn(&mut Stream) -> u64| {
        let expected = numpy_draws(&python, &seed, &key, kind, ends);
        let mut stream = family.stream(&[]);
        let mut differ = 0;
        for (index, &expected) in expected.iter().enumerate() {
            let found = draw(&mut stream);
            if found != expected {
                let inexact = matches!(kind, "standard_normal" | "standard_exponential");
                assert!(
                    inexact && found.abs_diff(expected) == 1,
                    "{kind} {ends:?}, draw {index}: {found:#x}, NumPy has {expected:#x}"
                );
                differ += 1;
            }
        }
        println!("{kind} {ends:?}: {differ} of {DRAWS} draws differ in the last place");
        assert!(differ <= LAST_PLACE, "{kind}: {differ} draws differ");
    };

    compare("raw", &[], &Stream::next_u64);
    compare("random", &[], &|stream| stream.random().to_bits());
    compare("standard_normal", &[], &|stream| stream.standard_normal().to_bits());
    compare("standard_exponential", &[], &|stream| stream.standard_exponential().to_bits());
    for (low, high) in RANGES {
        let ends = [low.to_string(), high.to_string()];
        compare("integers", &ends, &|stream| stream.integers(low, high) as u64);
    }
}

/// `DRAWS` draws of an installed NumPy, as bits.
fn numpy_draws(python: &str, seed: &Seed, key: &[u32], kind: &str, ends: &[String]) -> Vec<u64> {
    let words: Vec<String> = key.iter().map(u32::to_string).collect();
    let output = Command::new(python)
        .args(["-c", include_str!("random_numpy/draws.py")])
        .args([seed.to_string(), words.join(","), DRAWS.to_string(), kind.to_owned()])
        .args(ends)
        .output()
        .unwrap_or_else(|error| panic!("cannot start {python}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{python} failed: {complaint}");
    let (draws, rest) = output.stdout.as_chunks::<8>();
    assert_eq!((draws.len(), rest.len()), (DRAWS, 0), "{kind}");
    draws.iter().map(|&bytes| u64::from_le_bytes(bytes)).collect()
}
