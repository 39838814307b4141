//! Planning an array takes work for each of the arrays that led to it, not for each of the ways that do: a property
//! of random graphs, counted in looks at arrays.

use super::array::Array;
use super::node::VISITS;
use super::shape::every;
use crate::{Builder, Client, Result, Scheduler};
use ndarray::{ArrayD, Axis as OfAxis, IxDyn, Slice, concatenate};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// The side of all arrays.
const SIDE: usize = 6;

/// Looks at arrays that are allowed for an operation and a chunk.
const LOOKS: u64 = 12;

/// What an operation does to earlier arrays, which it names from the last one back.
#[derive(Debug, Clone, Copy)]
struct Operation {
    kind: u8,
    left: usize,
    right: usize,
}

fn operations(count: usize) -> impl Strategy<Value = Vec<Operation>> {
    // Mostly near ones, so that many ways lead far back.
    let near = || prop_oneof![4 => 0..3usize, 1 => 0..50usize];
    let operation = (0..14u8, near(), near());
    let operation = operation.prop_map(|(kind, left, right)| Operation { kind, left, right });
    proptest::collection::vec(operation, count)
}

/// An array, and what it is in one piece.
type Both = (Array<i64>, ArrayD<i64>);

fn start(client: &Client) -> Vec<Both> {
    let number = |at: &[usize]| (at[0] * 31 + at[1] * 7) as i64 % 11 - 5;
    let dense = ArrayD::from_shape_fn(IxDyn(&[SIDE, SIDE]), |at| number(&[at[0], at[1]]));
    vec![
        (
            Array::from_fn(client, |at| (at[0] * 31 + at[1] * 7) as i64 % 11 - 5, [SIDE, SIDE], [3, 6]),
            dense.clone(),
        ),
        (Array::from_ndarray(client, &dense, [4, 2]), dense),
    ]
}

fn apply(operation: Operation, made: &[Both]) -> Both {
    let of = |back: usize| &made[made.len() - 1 - back % made.len()];
    let ((x, a), (y, b)) = (of(operation.left), of(operation.right));
    let wrapping = |f: fn(i64, i64) -> i64| ndarray::Zip::from(a).and(b).map_collect(|&a, &b| f(a, b));
    match operation.kind {
        0 => (x + y, wrapping(i64::wrapping_add)),
        1 => (x - y, wrapping(i64::wrapping_sub)),
        2 => (x + x, a.mapv(|a| a.wrapping_add(a))),
        3 => (x * y, wrapping(i64::wrapping_mul)),
        4 => (x.zip_map(y, |a, b| a ^ (b >> 3)), wrapping(|a, b| a ^ (b >> 3))),
        5 => (x.map(|a| a.wrapping_mul(a) % 1009), a.mapv(|a| a.wrapping_mul(a) % 1009)),
        6 => (x.t() + y, ndarray::Zip::from(a.t()).and(b).map_collect(|&a, &b| a.wrapping_add(b))),
        7 => (x.t(), a.t().to_owned()),
        8 => {
            let backwards = a.slice_axis(OfAxis(0), Slice::new(0, None, -1)).to_owned();
            (x.slice([every(-1, ..)]), backwards)
        }
        9 => (x.rechunk([2, 5]), a.clone()),
        10 => (x.flatten().reshape([SIDE, SIDE]), a.clone()),
        11 => {
            let halves = [x.slice([(..3).into()]), y.slice([(3..).into()])];
            let (top, bottom) =
                (a.slice_axis(OfAxis(0), (..3).into()), b.slice_axis(OfAxis(0), (3..).into()));
            (
                Array::concatenate(x.client(), 0, &halves),
                concatenate(OfAxis(0), &[top, bottom]).expect("halves"),
            )
        }
        12 => {
            let sums = a.fold_axis(OfAxis(0), 0i64, |sum, &a| sum.wrapping_add(a));
            (
                y - x.sum_axis(0),
                ndarray::Zip::from(b).and_broadcast(&sums).map_collect(|&b, &s| b.wrapping_sub(s)),
            )
        }
        _ => {
            let mut product = ArrayD::zeros(a.raw_dim());
            for at in ndarray::indices([SIDE, SIDE, SIDE]) {
                let term = a[[at.0, at.2]].wrapping_mul(b[[at.2, at.1]]);
                product[[at.0, at.1]] = i64::wrapping_add(product[[at.0, at.1]], term);
            }
            (x.matmul(y), product)
        }
    }
}

/// Runs `code`, and counts the looks at arrays.
fn looks<R>(code: impl FnOnce() -> R) -> (R, u64) {
    let before = VISITS.get();
    let result = code();
    (result, VISITS.get() - before)
}

fn run(code: impl Fn(&Client) -> Result<()> + Send + Sync) {
    Builder::new().scheduler(Scheduler::Threads).workers(2).seed(1u64).run(code).expect("the run ends well");
}

#[test]
fn planning_is_linear_for_random_graphs() {
    let config = Config { cases: 25, failure_persistence: None, ..Config::default() };
    let sizes = prop_oneof![Just(20usize), Just(200), Just(600)];
    let strategy = sizes.prop_flat_map(operations);
    run(|client| {
        let checked = TestRunner::new(config.clone()).run(&strategy, |operations| {
            let (made, looks) = looks(|| {
                let mut made = start(client);
                for &operation in &operations {
                    let new = apply(operation, &made);
                    made.push(new);
                }
                let (last, _) = &made[made.len() - 1];
                // Each chunk is planned for itself, and arrays end up in the smallest ones.
                let chunks = last.chunks().iter().map(Vec::len).product::<usize>().max(36) as u64;
                let tasks = last.blocks().len() as u64;
                (made, chunks + tasks)
            });
            let (made, chunks) = made;
            let allowed = LOOKS * chunks * (operations.len() as u64 + 2);
            prop_assert!(looks <= allowed, "{looks} looks for {} operations", operations.len());
            let (x, expected) = &made[made.len() - 1];
            prop_assert_eq!(&x.compute().expect("it runs"), expected);
            Ok(())
        });
        checked.unwrap_or_else(|failure| panic!("{failure}"));
        Ok(())
    });
}

#[test]
fn what_is_shared_is_planned_once() {
    run(|client| {
        type Step = fn(&Array<f64>) -> Array<f64>;
        let steps: [(&str, Step); 5] = [
            ("x + x", |x| x + x),
            ("x - sin x", |x| x - x.sin()),
            ("x + x transposed", |x| (x + x.t()) * 0.5),
            ("x + its mean", |x| x + x.mean_axis(0) * 0.5),
            ("x @ x", |x| x.matmul(x) * 0.1),
        ];
        for (name, step) in steps {
            let mut counts = Vec::new();
            for count in [30u64, 60, 120] {
                let ((), looks) = looks(|| {
                    let mut x = Array::from_fn(client, |at| (at[0] + at[1]) as f64, [4, 4], [4, 4]);
                    for _ in 0..count {
                        x = step(&x);
                    }
                    assert_eq!(x.blocks().len(), 1);
                });
                counts.push(looks / count);
            }
            assert!(counts.iter().all(|&each| each <= 30), "{name}: {counts:?} looks for each");
        }
        Ok(())
    });
}

#[test]
fn other_chunks_are_made_once() {
    run(|client| {
        let other = Array::from_ndarray(client, &ndarray::Array1::<f64>::ones(60).into_dyn(), 7);
        let mut x = Array::arange(client, 0.0, 60.0, 1.0, 10);
        for _ in 0..40 {
            x = &x + x.sqrt();
        }
        // Both read the same array in the chunks of the other one, and it is shared in itself.
        let (results, first) = looks(|| (&x + &other, (&x * 0.5) + &other));
        let (again, more) = looks(|| &x - &other);
        assert!(first <= 400 && more <= 60, "{first} looks, then {more}");
        let (readers, _) = (x.node.readers(), &results);
        assert!(readers <= 2, "{readers} readers of one array, not of its copies");
        let (a, b) = (results.0.compute()?, again.compute()?);
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b - 2.0).abs() < 1e-9));
        Ok(())
    });
}

#[test]
fn chunks_and_chunks_of_those_lead_to_one_array() {
    run(|client| {
        type Step = fn(&Array<f64>) -> Array<f64>;
        let steps: [(&str, Step); 3] = [
            ("two ways to divide", |x| (&x.rechunk([3, 8]) + &x.rechunk([4, 4])) * 0.5),
            ("turned in between", |x| (&x.rechunk([8, 3]).t() + &x.rechunk([2, 5])) * 0.5),
            ("one after the other", |x| (&x.rechunk([3, 3]).rechunk([8, 1]) + &x.rechunk([5, 5])) * 0.5),
        ];
        for (name, step) in steps {
            let mut counts = Vec::new();
            for count in [10u64, 20, 40] {
                let (sum, looks) = looks(|| {
                    let mut x = Array::from_fn(client, |at| (at[0] * at[1]) as f64, [8, 8], [4, 4]);
                    for _ in 0..count {
                        x = step(&x);
                    }
                    let _ = x.blocks();
                    x.sum()
                });
                counts.push(looks / count);
                assert!((sum.compute()? - 784.0).abs() < 1e-9);
            }
            assert!(counts.iter().all(|&each| each <= 2_000), "{name}: {counts:?} looks for each");
            assert!(counts[2] <= 3 * counts[0] + 100, "{name}: {counts:?} looks for each");
        }
        Ok(())
    });
}

#[test]
fn parts_of_parts_are_planned_once() {
    run(|client| {
        let mut x = Array::from_ndarray(client, &ndarray::Array1::<i64>::from_iter(0..400).into_dyn(), 50);
        let (sums, looks) = looks(|| {
            let sums = (0..300).map(|_| {
                x = x.slice([(1..).into()]);
                let _ = x.blocks();
                x.sum()
            });
            sums.collect::<Vec<_>>()
        });
        assert!(looks <= 300 * 10, "{looks} looks for 300 parts");
        for (first, sum) in (1..=300i64).zip(sums).step_by(37) {
            assert_eq!(sum.compute()?, (first..400).sum::<i64>());
        }
        Ok(())
    });
}
