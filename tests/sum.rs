//! Exact sums against rational arithmetic, in any order and grouping.
//!
//! With the environment variable `SERRIED_TEST_PYTHON` set, sums and variances are
//! compared with those of Python's `fractions` as well.
#![allow(clippy::print_stdout)]

use std::process::Command;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive};
use proptest::prelude::*;
use serried::random::{Elements, Seed, Stream};
use serried::sum::{Compensated, ExactMoments, ExactSum};

/// Finite numbers: of any bits, or of a kind that is near to others.
fn number() -> impl Strategy<Value = f64> {
    let any = any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |value| value.is_finite());
    let special = prop::sample::select(vec![
        0.0,
        -0.0,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        f64::from_bits(1),
        -f64::from_bits(1),
        1e16,
        1.0,
        f64::EPSILON / 2.0,
    ]);
    prop_oneof![
        any,
        special,
        -10.0..10.0,
        (-1i32..=1, 0..60i32).prop_map(|(sign, power)| f64::from(sign) * 2f64.powi(power))
    ]
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    let stretched = (prop::collection::vec(number(), 1..40), 1..60usize);
    prop_oneof![
        prop::collection::vec(number(), 0..60),
        prop::collection::vec(-1.0..1.0, 0..3000),
        stretched.prop_map(|(values, times)| values.repeat(times)),
    ]
}

/// The power of two of which all numbers are multiples, negated.
const SCALE: u32 = 1074;

/// A number times 2^SCALE.
fn exact(value: f64) -> BigInt {
    let bits = value.to_bits();
    let (exponent, mantissa) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    let magnitude = match exponent {
        0 => BigInt::from(mantissa),
        _ => BigInt::from(mantissa | 1 << 52) << (exponent - 1),
    };
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

fn exact_sum(values: &[f64]) -> BigInt {
    values.iter().map(|&value| exact(value)).sum()
}

/// The quotient, rounded to the nearest, the even one of two, an infinity beyond
/// the largest.
fn rounded(numerator: BigInt, denominator: BigInt) -> f64 {
    let value = BigRational::new(numerator, denominator);
    let guess = value.to_f64().unwrap_or(f64::MAX).clamp(f64::MIN, f64::MAX);
    let scaled = |value: f64| BigRational::new(exact(value), BigInt::from(1) << SCALE);
    let half_beyond = scaled(f64::MAX) + scaled((f64::MAX - f64::MAX.next_down()) / 2.0);
    if value.abs() >= half_beyond {
        return if value.is_positive() { f64::INFINITY } else { f64::NEG_INFINITY };
    }
    // That conversion does not promise the last bit: look at both sides.
    [guess.next_down(), guess, guess.next_up()]
        .into_iter()
        .filter(|guess| guess.is_finite())
        .min_by(|left, right| {
            let distance = |guess: f64| (scaled(guess) - &value).abs();
            let odd = |guess: f64| guess.to_bits() & 1;
            distance(*left).cmp(&distance(*right)).then(odd(*left).cmp(&odd(*right)))
        })
        .unwrap()
}

/// The numbers in another order.
fn shuffled(values: &[f64], seed: u64) -> Vec<f64> {
    let mut stream = Stream::new(&Seed::from(seed), &[]);
    let mut shuffled = values.to_vec();
    for last in (1..shuffled.len()).rev() {
        shuffled.swap(last, stream.integers(0, last as i64 + 1) as usize);
    }
    shuffled
}

/// Numbers of which a few are near the middle of two neighbours when they are added.
fn narrow() -> impl Strategy<Value = f32> {
    let any = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |value| value.is_finite());
    let power = (-1i32..=1, -60..30i32).prop_map(|(sign, power)| sign as f32 * 2f32.powi(power));
    let special = prop::sample::select(vec![f32::MAX, f32::MIN, f32::from_bits(1), f32::EPSILON, 1.0]);
    prop_oneof![1 => any, 4 => power, 2 => special]
}

/// The `f32` nearest to a number times 2^SCALE, the even one of two.
fn nearest_f32(sum: &BigInt) -> f32 {
    // Where numbers are rounded to infinity: half a place beyond the largest.
    let largest = exact(f64::from(f32::MAX)) + (BigInt::from(1) << (103 + SCALE));
    if sum.abs() >= largest {
        return if sum.is_negative() { f32::NEG_INFINITY } else { f32::INFINITY };
    }
    let first = rounded(sum.clone(), BigInt::from(1) << SCALE) as f32;
    let near = [first, first.next_up(), first.next_down()].into_iter().filter(|value| value.is_finite());
    let distance = |value: f32| (exact(f64::from(value)) - sum).abs();
    let best = near.min_by_key(|&value| (distance(value), value.to_bits() & 1)).expect("a neighbour");
    // Zero has the sign of what was rounded to it.
    if best == 0.0 && sum.is_negative() {
        -0.0
    } else {
        best.abs() * if sum.is_negative() { -1.0 } else { 1.0 }
    }
}

proptest! {
    #[test]
    fn a_sum_is_exact_and_rounded_once(values in numbers(), seed: u64) {
        let expected = rounded(exact_sum(&values), BigInt::from(1) << SCALE);
        let sum = ExactSum::of(&values);
        prop_assert_eq!(sum.value(), expected);
        prop_assert!(sum.value() != 0.0 || sum.value().is_sign_positive());

        let mut one_by_one = ExactSum::new();
        shuffled(&values, seed).into_iter().for_each(|value| one_by_one.add(value));
        prop_assert_eq!(&one_by_one, &sum);
        prop_assert_eq!(one_by_one.value().to_bits(), expected.to_bits());
        let collected: ExactSum = values.iter().copied().collect();
        prop_assert_eq!(&collected, &sum);

        let pieces = shuffled(&values, seed ^ 1);
        let merged = pieces.chunks(7).map(ExactSum::of).fold(ExactSum::new(), ExactSum::merge);
        let (text, other) = (serde_json::to_string(&sum).unwrap(), serde_json::to_string(&merged).unwrap());
        prop_assert_eq!(&text, &other);
        prop_assert_eq!(&serde_json::from_str::<ExactSum>(&text).unwrap(), &sum);
    }

    #[test]
    fn a_sum_is_rounded_to_f32_once(values in prop::collection::vec(narrow(), 0..20), wide in numbers()) {
        prop_assert_eq!(ExactSum::of(&values).value_f32().to_bits(), nearest_f32(&exact_sum(
            &values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>())).to_bits());
        prop_assert_eq!(ExactSum::of(&wide).value_f32().to_bits(), nearest_f32(&exact_sum(&wide)).to_bits());
    }

    #[test]
    fn what_is_added_can_be_taken_away(values in numbers()) {
        let mut sum = ExactSum::of(&values);
        sum.extend(values.iter().map(|value| -value));
        prop_assert_eq!(sum, ExactSum::new());
    }

    #[test]
    fn means_are_rounded_once(values in numbers(), count in 1..u64::MAX) {
        let expected = rounded(exact_sum(&values), BigInt::from(count) << SCALE);
        prop_assert_eq!(ExactSum::of(&values).mean(count), expected);
    }

    #[test]
    fn a_variance_is_exact_and_rounded_once(values in numbers(), ddof in 0..3u64, seed: u64) {
        let moments = ExactMoments::of(&values);
        let count = values.len() as u64;
        prop_assert_eq!(moments.count(), count);
        prop_assert_eq!(moments.sum(), &ExactSum::of(&values));
        if count > ddof {
            // Squared distances from the mean, all times the count and 2^SCALE.
            let sum = exact_sum(&values);
            let distances = values.iter().map(|&value| exact(value) * count - &sum);
            let squares: BigInt = distances.map(|distance| &distance * &distance).sum();
            prop_assert_eq!(moments.mean(), rounded(sum, BigInt::from(count) << SCALE));
            let divisor = BigInt::from(count) * count * (count - ddof);
            prop_assert_eq!(moments.variance(ddof), rounded(squares, divisor << (2 * SCALE)));
        } else {
            prop_assert!(moments.variance(ddof).is_nan());
        }

        let mut one_by_one = ExactMoments::new();
        shuffled(&values, seed).into_iter().for_each(|value| one_by_one.add(value));
        prop_assert_eq!(&one_by_one, &moments);
        let merged = values.rchunks(11).map(|piece| piece.iter().copied().collect());
        let merged = merged.fold(ExactMoments::new(), ExactMoments::merge);
        let (text, other) = (serde_json::to_string(&moments).unwrap(), serde_json::to_string(&merged).unwrap());
        prop_assert_eq!(&text, &other);
        prop_assert_eq!(&serde_json::from_str::<ExactMoments>(&text).unwrap(), &moments);
    }

    #[test]
    fn columns_are_sums(values in numbers(), columns in 1..70usize) {
        let values = &values[..values.len() - values.len() % columns];
        let column = |at: usize| values.iter().copied().skip(at).step_by(columns).collect::<Vec<f64>>();
        let mut sums = vec![ExactSum::new(); columns];
        ExactSum::add_rows(&mut sums, values);
        for (at, sum) in sums.iter().enumerate() {
            prop_assert_eq!(sum, &ExactSum::of(&column(at)));
        }
        let mut sums = vec![Compensated::new(); columns];
        Compensated::add_rows(&mut sums, values);
        for (at, sum) in sums.iter().enumerate() {
            prop_assert!(is_near(sum.value(), &column(at)), "column {}", at);
        }
        let centres: Vec<f64> = (0..columns).map(|column| column as f64).collect();
        let mut squares = vec![Compensated::new(); columns];
        Compensated::add_mapped_rows(&mut squares, values, &centres, |value, centre| (value - centre) / 2.0);
        for (at, sum) in squares.iter().enumerate() {
            let halves: Vec<f64> = column(at).iter().map(|value| (value - centres[at]) / 2.0).collect();
            prop_assert!(is_near(sum.value(), &halves), "column {}", at);
        }
    }

    #[test]
    fn compensated_sums_are_near(values in numbers(), at in any::<prop::sample::Index>()) {
        prop_assert!(is_near(Compensated::of(&values).value(), &values));
        let (left, right) = values.split_at(at.index(values.len() + 1));
        let merged = Compensated::of(left).merge(Compensated::of(right));
        prop_assert!(is_near(merged.value(), &values));
        let collected: Compensated = values.iter().copied().collect();
        prop_assert!(is_near(collected.value(), &values));
    }
}

/// Whether a sum is as near as a compensated one has to be, unless it overflows.
fn is_near(sum: f64, values: &[f64]) -> bool {
    let size: f64 = values.iter().map(|value| value.abs()).sum();
    if size.is_infinite() {
        return true;
    }
    (sum - ExactSum::of(values).value()).abs() <= 50.0 * f64::EPSILON * size
}

#[test]
fn what_is_not_finite_is_as_in_plain_sums() {
    let sum = |values: &[f64]| ExactSum::of(values).value();
    let (infinity, nan) = (f64::INFINITY, f64::NAN);
    assert_eq!(sum(&[1.0, infinity, 2.0]), infinity);
    assert_eq!(sum(&[f64::MAX, f64::MAX, -infinity]), -infinity);
    assert!(sum(&[infinity, 1.0, -infinity]).is_nan());
    assert!(sum(&[infinity, nan]).is_nan());
    assert_eq!(sum(&[f64::MAX, f64::MAX]), infinity);
    assert_eq!(sum(&[f64::MAX, f64::MAX, f64::MIN]), f64::MAX);
    let apart = ExactSum::of(&[infinity]).merge(ExactSum::of(&[-infinity]));
    assert!(apart.value().is_nan());
    assert_eq!(ExactSum::of(&[infinity]).mean(7), infinity);
    assert_eq!(ExactMoments::of(&[infinity]).mean(), infinity);
    assert!(ExactMoments::of(&[infinity, 1.0]).variance(0).is_nan());

    let rows = [1.0, nan, infinity, 2.0, 3.0, -infinity];
    let mut sums = vec![ExactSum::new(); 3];
    ExactSum::add_rows(&mut sums, &rows);
    assert_eq!(sums[0].value(), 3.0);
    assert!(sums[1].value().is_nan() && sums[2].value().is_nan());

    assert_eq!(Compensated::of(&[1.0, infinity]).value(), infinity);
    assert!(Compensated::of(&[infinity, -infinity]).value().is_nan());
    assert!(Compensated::of(&[nan]).value().is_nan());
}

#[test]
fn many_additions_carry_in_time() {
    let mut sum = ExactSum::new();
    // All bits of a mantissa, as high in its digit as it gets.
    let largest = ((1u64 << 53) - 1) as f64 * 2f64.powi(63);
    for _ in 0..100_000 {
        sum.add(largest);
    }
    assert_eq!(sum, ExactSum::of(&vec![largest; 100_000]));
    assert_eq!(sum.mean(100_000), largest);
    let mut merged = ExactSum::new();
    for _ in 0..100_000 {
        merged += &ExactSum::of(&[largest]);
    }
    assert_eq!(merged, sum);
}

#[test]
fn other_element_types_are_exact_numbers() {
    assert_eq!(ExactSum::of(&[1u8, 255]).value(), 256.0);
    assert_eq!(ExactSum::of(&[i32::MIN, 1]).value(), -2_147_483_647.0);
    assert_eq!(ExactSum::of(&[0.1f32; 10]).value(), f64::from(0.1f32) * 10.0);
    assert_eq!(Compensated::of(&[true; 1000]).value(), 1000.0);
}

#[test]
#[should_panic(expected = "5 values are no whole number of rows of 2")]
fn rows_have_to_be_whole() {
    ExactSum::add_rows(&mut [ExactSum::new(), ExactSum::new()], &[0.0; 5]);
}

#[test]
fn any_cut_of_a_large_sample_has_the_same_moments() {
    let mut values = vec![0.0; 100_000];
    Elements::new(&Seed::from(3u64), &[1]).at(0).fill_standard_normal(&mut values);
    let whole = ExactMoments::of(&values);
    for size in [1, 10, 333, 4096] {
        let merged = values.chunks(size).map(ExactMoments::of).fold(ExactMoments::new(), ExactMoments::merge);
        assert_eq!(merged, whole);
    }
    assert!((whole.variance(1) - 1.0).abs() < 0.02);
    let compensated = Compensated::of(&values).value();
    assert!((compensated - whole.sum().value()).abs() < 1e-13);
}

#[test]
fn fractions_of_python_agree() {
    let Ok(python) = std::env::var("SERRIED_TEST_PYTHON") else {
        println!("skipped: SERRIED_TEST_PYTHON names no Python");
        return;
    };
    let program = "
import sys, math
from fractions import Fraction
for line in sys.stdin:
    values = [float.fromhex(word) if 'x' in word else float(word) for word in line.split()]
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / (len(exact) - 1)
    print(math.fsum(values).hex(), float(mean).hex(), float(variance).hex())
";
    let mut lines = String::new();
    let mut expected = Vec::new();
    for scale in [0, 1, 10, 100] {
        let mut values = vec![0.0; 500];
        Elements::new(&Seed::from(4u64), &[scale]).at(0).fill_with(&mut values, |stream| {
            stream.standard_normal() * (f64::from(scale) * stream.standard_normal()).exp2()
        });
        lines += &values.iter().map(|value| format!("{value:e} ")).collect::<String>();
        lines += "\n";
        let moments = ExactMoments::of(&values);
        expected.push([moments.sum().value(), moments.mean(), moments.variance(1)]);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines).unwrap();
    let output = Command::new(python)
        .args(["-c", program])
        .stdin(std::fs::File::open(file.path()).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let found: Vec<[f64; 3]> = text
        .lines()
        .map(|line| {
            let mut fields = line.split(' ').map(hexadecimal);
            std::array::from_fn(|_| fields.next().unwrap())
        })
        .collect();
    assert_eq!(found, expected);
}

/// A number as Python's `float.hex` writes it.
fn hexadecimal(text: &str) -> f64 {
    let (sign, text) = text.strip_prefix('-').map_or((1.0, text), |text| (-1.0, text));
    let (mantissa, exponent) = text.strip_prefix("0x").unwrap().split_once('p').unwrap();
    let (whole, fraction) = mantissa.split_once('.').unwrap();
    let digits = u64::from_str_radix(&format!("{whole}{fraction}"), 16).unwrap() as f64;
    sign * digits * 2f64.powi(exponent.parse::<i32>().unwrap() - 4 * fraction.len() as i32)
}
