//! Quantiles, sorting, counting: chunked arrays against sorted vectors, for any chunks.
//!
//! With the environment variable `SERRIED_TEST_PYTHON` set to an interpreter that has NumPy, also against it,
//! to the last bit.
#![allow(clippy::print_stdout)]

use std::process::Command;

use ndarray::{ArrayD, Axis, IxDyn, Slice};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serried::array::{Array, Bins, Number};
use serried::prelude::*;
use serried::random::{Seed, Stream};

/// Runs a property many times within one run of serried.
fn property<S: Strategy + Sync>(cases: u32, strategy: S, check: impl Fn(&Client, S::Value) + Sync)
where
    S::Value: std::fmt::Debug,
{
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let run = |client: &Client| -> serried::Result<()> {
        let run = TestRunner::new(config.clone()).run(&strategy, |case| {
            check(client, case);
            Ok(())
        });
        run.unwrap_or_else(|failure| panic!("{failure}"));
        Ok(())
    };
    Builder::new().scheduler(Scheduler::Threads).workers(2).seed(1u64).run(run).expect("the run ends well");
}

/// Numbers of different kinds: few values, many, of very different sizes.
fn numbers(count: usize, kind: u32) -> Vec<f64> {
    let mut stream = Stream::new(&Seed::from(u64::from(kind)), &[count as u32]);
    let mut number = || match kind % 4 {
        0 => stream.integers(-3, 4) as f64,
        1 => stream.standard_normal(),
        2 => stream.standard_normal() * (30.0 * stream.standard_normal()).exp(),
        _ => (stream.random() * 8.0).floor() / 4.0 - 0.5,
    };
    (0..count).map(|_| number()).collect()
}

fn chunked<T: Number>(client: &Client, values: &[T], chunk: usize, fused: bool) -> Array<T> {
    let array = Array::from_ndarray(
        client,
        &ArrayD::from_shape_vec(IxDyn(&[values.len()]), values.to_vec()).expect("a vector"),
        chunk,
    );
    if fused { array.map(|value| value) } else { array }
}

fn flat<T: Clone>(array: ArrayD<T>) -> Vec<T> {
    array.iter().cloned().collect()
}

#[test]
fn flat_results_are_those_of_a_sorted_vector() {
    let strategy = (1..3000usize, 1..1000usize, 0..100u32, 0.0..=1.0, any::<bool>());
    property(150, strategy, |client, (count, chunk, kind, q, fused)| {
        let values = numbers(count, kind);
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let x = chunked(client, &values, chunk.max(count / 20), fused);
        let (median, quantile, found, most, least, unique) = client
            .compute((&x.median(), &x.quantile(q), &x.sort(), &x.largest(7), &x.smallest(7), &x.unique()))
            .expect("runs");
        assert_eq!(median, (sorted[(count - 1) / 2] + sorted[count / 2]) / 2.0);
        let place = q * (count - 1) as f64;
        let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
        assert!(low <= quantile && quantile <= high);
        assert_eq!(flat(found), sorted);
        assert_eq!(flat(most), sorted.iter().rev().take(7).copied().collect::<Vec<_>>());
        assert_eq!(flat(least), sorted.iter().take(7).copied().collect::<Vec<_>>());
        let groups = sorted.chunk_by(|a, b| a == b).map(|group| (group[0], group.len() as u64));
        assert_eq!(unique, groups.collect::<Vec<_>>());
    });
}

#[test]
fn large_arrays_are_searched_in_rounds() {
    let strategy = (40_000..90_000usize, 9_000..50_000usize, 0..4u32, any::<bool>());
    property(12, strategy, |client, (count, chunk, kind, fused)| {
        let values = numbers(count, kind);
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let x = chunked(client, &values, chunk, fused);
        // Constant for long: what a sample of neighbours tells little about.
        let steps = x.map(|value| value.round());
        let qs: Vec<f64> = (0..=100).map(|percent| f64::from(percent) / 100.0).collect();
        let (median, percentiles, found, step) =
            client.compute((&x.median(), &x.quantiles(&qs), &x.sort(), &steps.median())).expect("runs");
        assert_eq!(median, (sorted[(count - 1) / 2] + sorted[count / 2]) / 2.0);
        assert_eq!(step, (sorted[(count - 1) / 2].round() + sorted[count / 2].round()) / 2.0);
        for (q, &value) in qs.iter().zip(&percentiles) {
            let place = q * (count - 1) as f64;
            assert!(sorted[place.floor() as usize] <= value && value <= sorted[place.ceil() as usize]);
        }
        assert_eq!(flat(found), sorted);
    });
}

#[test]
fn sorted_arrays_are_searched_as_others() {
    let strategy = (30_000..60_000usize, 1_000..20_000usize, any::<bool>());
    property(10, strategy, |client, (count, chunk, up)| {
        let numbers = (0..count).map(|value| if up { value } else { count - 1 - value } as i64);
        let x = chunked(client, &numbers.collect::<Vec<_>>(), chunk, false);
        let (median, sorted) = client.compute((&x.median(), &x.sort())).expect("runs");
        assert_eq!(median, (count - 1) as f64 / 2.0);
        assert_eq!(flat(sorted), (0..count as i64).collect::<Vec<_>>());
    });
}

#[test]
fn results_along_an_axis_are_those_of_each_lane() {
    let strategy =
        ((1..12usize, 1..12usize, 1..12usize), (1..7usize, 1..7usize, 1..7usize), 0..3usize, 0..9u32);
    property(100, (strategy, 0..14usize), |client, ((shape, chunk, axis, kind), count)| {
        let (shape, chunk) = ([shape.0, shape.1, shape.2], [chunk.0, chunk.1, chunk.2]);
        let values = numbers(shape.iter().product(), kind);
        let data = ArrayD::from_shape_vec(IxDyn(&shape), values).expect("as many");
        let x = Array::from_ndarray(client, &data, chunk);
        let lane = |lane: ndarray::ArrayView1<'_, f64>| {
            let mut sorted = lane.to_vec();
            sorted.sort_by(f64::total_cmp);
            sorted
        };
        let middle = data.map_axis(Axis(axis), |values| {
            let sorted = lane(values);
            (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
        });
        let mut sorted = data.clone();
        for mut values in sorted.lanes_mut(Axis(axis)) {
            let sorted = lane(values.view());
            values.iter_mut().zip(sorted).for_each(|(value, sorted)| *value = sorted);
        }
        let found = client.compute((&x.median_axis(axis), &x.sort_axis(axis))).expect("runs");
        let ends = client.compute((&x.smallest_axis(count, axis), &x.largest_axis(count, axis)));
        let count = count.min(shape[axis]) as isize;
        let part = |range: Slice| sorted.slice_axis(Axis(axis), range).to_owned();
        let smallest = part(Slice::new(0, Some(count), 1));
        let mut largest = part(Slice::from(shape[axis] as isize - count..));
        largest.invert_axis(Axis(axis));
        assert_eq!(ends.expect("runs"), (smallest, largest));
        assert_eq!(found, (middle, sorted));
    });
}

#[test]
fn nan_makes_nan_of_quantiles_and_sorts_last() {
    property(20, (0..50_000usize, 1..20_000usize), |client, (at, chunk)| {
        let mut values = numbers(50_000, 1);
        values[at] = f64::NAN;
        let x = chunked(client, &values, chunk.max(2_500), false);
        let (median, quartile, sorted) =
            client.compute((&x.median(), &x.quantile(0.25), &x.sort())).expect("runs");
        assert!(median.is_nan() && quartile.is_nan());
        assert!(sorted[[49_999]].is_nan() && !sorted[[49_998]].is_nan());
        assert!(x.largest(1).compute().expect("runs")[[0]].is_nan());
        assert_eq!(x.histogram(&Bins::uniform(3, -100.0, 100.0)).sum().compute().expect("runs"), 49_999);
    });
}

#[test]
fn what_cannot_be_done_is_said() {
    serried::run(|client| -> serried::Result<()> {
        let x = Array::<f64>::zeros(client, [4, 4], [2, 2]);
        let message = |error: serried::Error| error.to_string();
        let told = |result: serried::Result<f64>, part: &str| {
            let text = message(result.expect_err("it cannot be done"));
            assert!(text.contains(part), "{text}");
        };
        told(x.quantile(1.5).compute(), "between 0 and 1, not 1.5");
        told(x.quantile(f64::NAN).compute(), "between 0 and 1");
        told(Array::<f64>::zeros(client, [0], [1]).median().compute(), "no elements");
        told(x.sort().sum().compute(), "`flatten` it");
        told(x.median_axis(2).sum().compute(), "no axis 2");
        let bins = x.histogram(&Bins::new([1.0, 0.0])).compute();
        assert!(message(bins.expect_err("it cannot be done")).contains("edges"));
        assert!(x.quantiles(&[]).check().is_err());
        assert!(x.digitize(&[1.0, 0.0]).check().is_err());
        assert!(client.compute(&x.sort().unique()).is_err());
        Ok(())
    })
    .expect("the run ends well");
}

/// All results that the Python program writes, as 64-bit floats one after another.
fn results<T: Number>(client: &Client, values: &[T], chunk: usize, rows: usize) -> Vec<f64> {
    let x = chunked(client, values, chunk, false);
    let y = x.reshape([rows, values.len() / rows]);
    let edges = [-1.5, -1.0, 0.0, 0.25, 2.0];
    let qs = [0.0, 0.001, 0.25, 1.0 / 3.0, 0.5, 0.9, 0.99, 1.0];
    let (median, quantiles, sorted, unique) =
        client.compute((&x.median(), &x.quantiles(&qs), &x.sort(), &x.unique())).expect("runs");
    let (uniform, uneven, places) = client
        .compute((
            &x.histogram(&Bins::uniform(7, -1.3, 2.1)),
            &x.histogram(&Bins::new(edges)),
            &x.digitize(&edges),
        ))
        .expect("runs");
    let (medians, lower, columns) =
        client.compute((&y.median_axis(0), &y.quantile_axis(0.3, 0), &y.sort_axis(0))).expect("runs");
    let (largest, smallest) = client.compute((&y.largest_axis(2, 0), &y.smallest_axis(2, 0))).expect("runs");
    let mut all = vec![median];
    all.extend(quantiles);
    all.extend(flat(sorted).into_iter().map(T::to_f64));
    all.extend(unique.iter().map(|(value, _)| value.to_f64()));
    all.extend(unique.iter().map(|(_, count)| *count as f64));
    for counts in [uniform, uneven, places] {
        all.extend(flat(counts).into_iter().map(|count| count as f64));
    }
    all.extend(medians);
    all.extend(lower);
    for elements in [columns, largest, smallest] {
        all.extend(flat(elements).into_iter().map(T::to_f64));
    }
    all
}

#[test]
fn results_are_those_of_numpy() {
    let Ok(python) = std::env::var("SERRIED_TEST_PYTHON") else {
        println!("skipped: SERRIED_TEST_PYTHON names no interpreter that has NumPy");
        return;
    };
    let numpy = |dtype: &str, bytes: Vec<u8>, rows: usize| -> Vec<f64> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("it is written");
        let output = Command::new(&python)
            .args(["-c", include_str!("array_numpy/order.py"), dtype, &rows.to_string()])
            .arg(file.path())
            .output()
            .expect("Python starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout.as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()
    };
    Builder::new()
        .scheduler(Scheduler::Threads)
        .workers(2)
        .run(|client| -> serried::Result<()> {
            for (kind, count, rows, chunk) in
                [(0, 60, 5, 7), (1, 35_000, 7, 9_000), (2, 1001, 13, 300), (3, 20_000, 40, 6_000)]
            {
                let values = numbers(count, kind);
                let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                let expected = numpy("<f8", bytes, rows);
                assert_eq!(results(client, &values, chunk, rows), expected, "f64 of kind {kind}");
                let narrow: Vec<f32> = values.iter().map(|&value| value.clamp(-1e30, 1e30) as f32).collect();
                let bytes = narrow.iter().flat_map(|value| value.to_le_bytes()).collect();
                assert_eq!(
                    results(client, &narrow, chunk, rows),
                    numpy("<f4", bytes, rows),
                    "f32 of kind {kind}"
                );
                let whole: Vec<i64> =
                    values.iter().map(|&value| (value.clamp(-1e9, 1e9) * 3.0) as i64).collect();
                let bytes = whole.iter().flat_map(|value| value.to_le_bytes()).collect();
                assert_eq!(
                    results(client, &whole, chunk, rows),
                    numpy("<i8", bytes, rows),
                    "i64 of kind {kind}"
                );
                let bytes: Vec<u8> = whole.iter().map(|&value| value as u8).collect();
                assert_eq!(
                    results(client, &bytes, chunk, rows),
                    numpy("u1", bytes.clone(), rows),
                    "u8 of kind {kind}"
                );
            }
            Ok(())
        })
        .expect("the run ends well");
}
