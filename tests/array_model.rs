//! Chunked arrays against `ndarray` in one piece, over random shapes, chunks and axes.

use ndarray::{ArrayD, Axis, Dimension, IxDyn, Slice, Zip};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serried::array::{Array, Axes, BlockPlace, Boundary, Chunks, Span, every};
use serried::prelude::*;
use serried::span;

/// Runs a property many times within one run of serried.
fn property<S>(cases: u32, strategy: S, check: impl Fn(&Client, S::Value) + Sync)
where
    S: Strategy<Value: std::fmt::Debug> + Sync,
{
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    Builder::new()
        .scheduler(Scheduler::Threads)
        .workers(2)
        .seed(1u64)
        .run(|client| -> serried::Result<()> {
            let mut runner = TestRunner::new(config);
            runner
                .run(&strategy, |case| {
                    check(client, case);
                    Ok(())
                })
                .unwrap_or_else(|failure| panic!("{failure}"));
            Ok(())
        })
        .expect("the run ends well");
}

/// A shape and the lengths of chunks.
fn layouts(axes: std::ops::Range<usize>, longest: usize) -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    proptest::collection::vec((1..=longest, 1..=longest), axes).prop_map(|pairs| pairs.into_iter().unzip())
}

/// Small whole numbers, so that sums are exact whatever their order.
fn dense(shape: &[usize], salt: usize) -> ArrayD<f64> {
    let mut next = salt;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((next >> 33) % 41) as f64 - 20.0
    })
}

/// The same numbers as tasks that read them, or as an expression that is fused with what is done to it.
fn chunked(client: &Client, data: &ArrayD<f64>, chunk: &[usize], fused: bool) -> Array<f64> {
    let array = Array::from_ndarray(client, data, chunk);
    if fused { (array + 1.0) - 1.0 } else { array }
}

#[test]
fn elementwise_work_broadcasts_as_in_ndarray() {
    let strategy = (layouts(1..4, 9), any::<[bool; 3]>(), any::<[bool; 2]>(), 1..9usize);
    property(150, strategy, |client, ((shape, chunk), narrow, fused, other)| {
        let narrowed: Vec<usize> =
            shape.iter().zip(narrow).map(|(&length, narrow)| if narrow { 1 } else { length }).collect();
        let (a, b) = (dense(&shape, 1), dense(&narrowed, 2));
        let chunks = vec![other; shape.len()];
        let (x, y) = (chunked(client, &a, &chunk, fused[0]), chunked(client, &b, &chunks, fused[1]));
        let b = b.broadcast(IxDyn(&shape)).expect("it fits").to_owned();
        assert_eq!((&x + &y).compute().expect("runs"), &a + &b);
        assert_eq!((&y * &x - 2.0 * &x).compute().expect("runs"), &b * &a - &a * 2.0);
        assert_eq!(x.less(&y).compute().expect("runs"), Zip::from(&a).and(&b).map_collect(|a, b| a < b));
        let chosen = x.greater(&y).select(&x, &y).compute().expect("runs");
        assert_eq!(chosen, Zip::from(&a).and(&b).map_collect(|&a, &b| a.max(b)));
        assert_eq!(x.map(|x| x as i64 * 2).compute().expect("runs"), a.map(|&x| x as i64 * 2));
    });
}

/// Rows of the reduced elements in front of kept axes: `f` of all elements that come down to one.
fn reduced(data: &ArrayD<f64>, axes: &[usize], f: impl Fn(&[f64]) -> f64) -> ArrayD<f64> {
    let kept: Vec<usize> = (0..data.ndim()).filter(|axis| !axes.contains(axis)).collect();
    let shape: Vec<usize> = kept.iter().map(|&axis| data.shape()[axis]).collect();
    ArrayD::from_shape_fn(IxDyn(&shape), |index| {
        let index = index.slice().to_vec();
        let mut part = data.view();
        for (&axis, &at) in kept.iter().zip(&index).rev() {
            part = part.index_axis_move(Axis(axis), at);
        }
        f(&part.iter().copied().collect::<Vec<_>>())
    })
}

#[test]
fn reductions_are_those_of_all_elements_at_once() {
    let strategy = (layouts(1..4, 12), any::<[bool; 3]>(), any::<bool>());
    property(150, strategy, |client, ((shape, chunk), chosen, fused)| {
        let axes: Vec<usize> = (0..shape.len()).filter(|&axis| chosen[axis]).collect();
        let data = dense(&shape, 3);
        let x = chunked(client, &data, &chunk, fused);
        let along = || Axes::from(axes.as_slice());
        let expect = |f: &dyn Fn(&[f64]) -> f64| reduced(&data, &axes, f);
        let results = client
            .compute((
                &x.sum_axis(along()),
                &x.min_axis(along()),
                &x.max_axis(along()),
                &x.mean_axis(along()),
            ))
            .expect("runs");
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        assert_eq!(results.0, expect(&|v| v.iter().sum()));
        assert_eq!(results.1, expect(&|v| v.iter().copied().fold(f64::INFINITY, f64::min)));
        assert_eq!(results.2, expect(&|v| v.iter().copied().fold(f64::NEG_INFINITY, f64::max)));
        assert_eq!(results.3, expect(&mean));
        let variance = |v: &[f64]| v.iter().map(|x| (x - mean(v)).powi(2)).sum::<f64>() / v.len() as f64;
        let (variances, expected) = (x.var_axis(along()).compute().expect("runs"), expect(&variance));
        assert!(variances.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 1e-12 * b.max(1.0)));
        if axes.len() == 1 || axes.len() == shape.len() {
            let first =
                |v: &[f64]| v.iter().position(|&x| v.iter().all(|&y| y >= x)).expect("a least") as f64;
            let places = x.argmin_axis(along()).compute().expect("runs");
            assert_eq!(places.map(|&at| at as f64), expect(&first));
        }
        let positive = x.greater(0.0);
        let counts = positive.count_true_axis(along()).compute().expect("runs");
        assert_eq!(counts.map(|&n| n as f64), expect(&|v| v.iter().filter(|&&x| x > 0.0).count() as f64));
        assert_eq!(positive.any().compute().expect("runs"), data.iter().any(|&x| x > 0.0));
    });
}

#[test]
fn turned_and_shaped_arrays_are_those_of_ndarray() {
    let strategy = (layouts(3..4, 8), Just(vec![0usize, 1, 2]).prop_shuffle(), 1..30usize, any::<bool>());
    property(100, strategy, |client, ((shape, chunk), order, piece, fused)| {
        let data = dense(&shape, 4);
        let x = chunked(client, &data, &chunk, fused);
        let turned = data.clone().permuted_axes(IxDyn(&order));
        let y = x.permute_axes(&order);
        assert_eq!(y.compute().expect("runs"), turned);
        assert_eq!((&y + 0.5).sum_axis(0).compute().expect("runs"), (&turned + 0.5).sum_axis(Axis(0)));
        let standard = turned.as_standard_layout().into_owned();
        let (rows, rest) = (turned.shape()[0], turned.len() / turned.shape()[0]);
        let matrix = standard.clone().into_shape_with_order(IxDyn(&[rest, rows])).expect("as many");
        assert_eq!(y.reshape([usize::MAX, rows]).compute().expect("runs"), matrix);
        let flat = standard.into_shape_with_order(IxDyn(&[data.len()])).expect("as many");
        assert_eq!(y.flatten().compute().expect("runs"), flat);
        let again = y.flatten().rechunk(piece).reshape(turned.shape());
        assert_eq!(again.compute().expect("runs"), turned);
        assert_eq!(x.rechunk(vec![piece; 3]).compute().expect("runs"), data);
        assert_eq!(x.rechunk(vec![piece; 3]).chunks().len(), 3);
    });
}

#[test]
fn slices_joins_and_borders_are_those_of_ndarray() {
    let spans = (-14isize..14, -14isize..14, prop_oneof![1isize..4, -3isize..0]);
    let strategy = (layouts(2..3, 12), spans.clone(), spans, 0..12usize, any::<bool>());
    property(250, strategy, |client, ((shape, chunk), first, second, index, fused)| {
        let data = dense(&shape, 5);
        let x = chunked(client, &data, &chunk, fused);
        // What Python takes: indices from the end, cut off at the ends.
        let places = |(start, stop, step): (isize, isize, isize), length: usize| -> Vec<usize> {
            let n = length as isize;
            let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
            let end = |at: isize| (if at < 0 { at + n } else { at }).clamp(low, high);
            let (mut at, stop) = (end(start), end(stop));
            let mut places = Vec::new();
            while if step > 0 { at < stop } else { at > stop } {
                places.push(at as usize);
                at += step;
            }
            places
        };
        let select = |axis: usize, places: &[usize], data: &ArrayD<f64>| data.select(Axis(axis), places);
        let (rows, columns) = (places(first, shape[0]), places(second, shape[1]));
        let span = |(start, stop, step): (isize, isize, isize)| every(step, start..stop);
        let part = x.slice([span(first), span(second)]);
        let expected = select(1, &columns, &select(0, &rows, &data));
        assert_eq!(part.shape(), expected.shape());
        assert_eq!(part.compute().expect("runs"), expected);
        assert_eq!((part + 1.0).sum().compute().expect("runs"), expected.sum() + expected.len() as f64);

        let index = index % shape[0];
        let row = x.slice(span![index as isize]).compute().expect("runs");
        assert_eq!(row, data.index_axis(Axis(0), index));
        let backwards = x.slice(span![.., every(-1, ..)]).compute().expect("runs");
        assert_eq!(backwards, data.slice_axis(Axis(1), Slice::new(0, None, -1)));

        let wanted = [index, 0, shape[0] - 1, index];
        assert_eq!(x.take(0, &wanted).compute().expect("runs"), data.select(Axis(0), &wanted));
        let joined = Array::concatenate(client, 0, &[x.clone(), x.slice(span![..2]), x.clone()]);
        let head = data.slice_axis(Axis(0), Slice::from(..2.min(shape[0])));
        let expected = ndarray::concatenate(Axis(0), &[data.view(), head, data.view()]).expect("they fit");
        assert_eq!(joined.compute().expect("runs"), expected);
        let stacked = Array::stack(client, 1, &[x.clone(), &x * 2.0]);
        let expected = ndarray::stack(Axis(1), &[data.view(), (&data * 2.0).view()]).expect("they fit");
        assert_eq!(stacked.compute().expect("runs"), expected);
        let padded = x.pad([(1, 0), (2, 3)], 7.0).compute().expect("runs");
        let mut expected = ArrayD::from_elem(IxDyn(&[shape[0] + 1, shape[1] + 5]), 7.0);
        expected.slice_mut(ndarray::s![1.., 2..shape[1] + 2]).assign(&data);
        assert_eq!(padded, expected);
    });
}

#[test]
fn parts_of_parts_are_those_of_ndarray() {
    let step = (0..7u8, 0..2usize, prop_oneof![1isize..4, -3isize..0], 0..12usize);
    let strategy = (layouts(2..3, 14), proptest::collection::vec(step, 1..7), any::<u64>(), any::<bool>());
    property(250, strategy, |client, ((shape, chunk), steps, kept, fused)| {
        let mut data = dense(&shape, 9);
        let mut x = chunked(client, &data, &chunk, fused);
        for (at, (kind, axis, step, number)) in steps.into_iter().enumerate() {
            let length = data.shape()[axis];
            let start = number % length;
            (x, data) = match kind {
                0 => (x.rechunk([number + 1, length]), data),
                1 => (x.t(), data.reversed_axes()),
                2 => {
                    let mut spans = span![.., ..];
                    spans[axis] = every(step, ..);
                    (x.slice(spans), data.slice_axis(Axis(axis), Slice::new(0, None, step)).to_owned())
                }
                3 => {
                    let mut spans = span![.., ..];
                    spans[axis] = (start as isize..).into();
                    (x.slice(spans), data.slice_axis(Axis(axis), Slice::from(start..)).to_owned())
                }
                4 => {
                    let wanted = [start, length - 1, start];
                    (x.take(axis, &wanted), data.select(Axis(axis), &wanted))
                }
                5 => {
                    let both =
                        ndarray::concatenate(Axis(axis), &[data.view(), data.view()]).expect("they fit");
                    (Array::concatenate(client, axis, &[x.clone(), x]), both)
                }
                _ => {
                    let fill = number as f64;
                    let padded = x.pad([(1, 0), (0, 2)], fill);
                    let mut expected = ArrayD::from_elem(IxDyn(padded.shape()), fill);
                    let (rows, columns) = (data.shape()[0], data.shape()[1]);
                    expected.slice_mut(ndarray::s![1..=rows, ..columns]).assign(&data);
                    (padded, expected)
                }
            };
            if kept >> at & 7 == 0 {
                x = x.persist().expect("runs");
            }
        }
        assert_eq!(x.shape(), data.shape());
        let sums = x.sum_axis(0);
        assert_eq!(client.compute((&x, &sums)).expect("runs"), (data.clone(), data.sum_axis(Axis(0))));
    });
}

/// Of an array in other chunks and turned round, only what is wanted is moved.
#[test]
fn a_part_is_taken_from_where_its_elements_come_from() {
    Builder::new()
        .run(|client| -> serried::Result<()> {
            let data = dense(&[60, 60], 1);
            let turned = Array::from_ndarray(client, &data, [10, 10]).rechunk([60, 6]).t().rechunk([60, 10]);
            let row = turned.slice(span![5]);
            // The six chunks with that column, and those of the row.
            assert_eq!(client.task_count(&row)?, 6 + 6);
            let column = data.index_axis(Axis(1), 5).to_owned();
            assert_eq!(row.compute()?, column);
            // What is there already is read.
            let kept = turned.persist()?;
            assert_eq!(client.task_count(&kept.slice(span![5]))?, 6 + 6);
            assert_eq!(kept.slice(span![5]).compute()?, column);
            Ok(())
        })
        .expect("the run ends well");
}

#[test]
fn running_sums_and_borders_are_those_of_the_whole() {
    let strategy = (layouts(2..3, 14), 0..2usize, any::<bool>(), 0..5u8, 0..4usize);
    property(150, strategy, |client, ((shape, chunk), axis, fused, boundary, depth)| {
        let data = dense(&shape, 6);
        let x = chunked(client, &data, &chunk, fused);
        let mut sums = data.clone();
        sums.accumulate_axis_inplace(Axis(axis), |&before, sum| *sum += before);
        assert_eq!(x.cumsum_axis(axis).compute().expect("runs"), sums);

        // The sum over a window of the neighbours along the first axis.
        let depth = depth.min(shape[0]);
        let (boundary, beyond): (_, fn(isize, isize) -> Option<isize>) = match boundary {
            0 => (Boundary::Open, |_, _| None),
            1 => (Boundary::Constant(0.0), |_, _| None),
            2 => (Boundary::Nearest, |at, n| Some(at.clamp(0, n - 1))),
            3 => (Boundary::Reflect, |at, n| Some(if at < 0 { -1 - at } else { 2 * n - 1 - at })),
            _ => (Boundary::Periodic, |at, n| Some(at.rem_euclid(n))),
        };
        let window = |chunk: ndarray::ArrayViewD<'_, f64>, place: &BlockPlace| {
            // How wide the border is can be seen from the chunk.
            let border = (chunk.shape()[0] - place.shape[0]).div_ceil(2);
            ArrayD::from_shape_fn(chunk.raw_dim(), |index| {
                let at = index[0];
                let rows = at.saturating_sub(border)..(at + border + 1).min(chunk.shape()[0]);
                rows.map(|row| chunk[[row, index[1]]]).sum::<f64>()
            })
        };
        let found = x.map_overlap([depth, 0], boundary, window).compute().expect("runs");
        if boundary == Boundary::Open {
            assert_eq!(found.shape(), data.shape());
            return;
        }
        let n = shape[0] as isize;
        let expected = ArrayD::from_shape_fn(IxDyn(&shape), |index| {
            let (row, reach) = (index[0] as isize, depth as isize);
            let places = (row - reach..=row + reach)
                .filter_map(|at| if (0..n).contains(&at) { Some(at) } else { beyond(at, n) });
            places.map(|at| data[[at as usize, index[1]]]).sum::<f64>()
        });
        assert_eq!(found, expected);
        let largest =
            x.fold_blocks(|chunk| chunk.iter().copied().fold(f64::NEG_INFINITY, f64::max), f64::max);
        assert_eq!(
            Ok(largest.compute().expect("runs")),
            x.max().compute().map_err(|error| error.to_string())
        );
        let numbered = x.map_blocks(|chunk, place| chunk.mapv(|x| x as i64 + place.origin[1] as i64));
        let expected = ArrayD::from_shape_fn(IxDyn(&shape), |index| {
            data[&index] as i64 + (index[1] / chunk[1] * chunk[1]) as i64
        });
        assert_eq!(numbered.compute().expect("runs"), expected);
    });
}

#[test]
fn exact_sums_do_not_depend_on_chunks() {
    property(20, (layouts(2..3, 100), 1..90usize), |client, ((shape, chunk), other)| {
        let x = Array::normal(client, 1e3, 1e5, &shape, chunk).power(3.0);
        let y = x.rechunk(vec![other; 2]);
        let compute = |x: &Array<f64>| client.compute((&x.exact_sum(), &x.exact_mean_axis(0))).expect("runs");
        assert_eq!(compute(&x), compute(&y));
        // Terms of both signs may leave a sum that is small beside its error.
        let (sum, size) = client.compute((&x.sum(), &x.abs().sum())).expect("runs");
        assert!((sum - compute(&x).0).abs() <= 1e-14 * size, "{sum} and {} of {size}", compute(&x).0);
    });
}

#[test]
fn random_arrays_do_not_depend_on_chunks() {
    property(60, (layouts(2..3, 70), 1..80usize), |client, ((shape, chunk), other)| {
        let one = Array::normal(client, 1.0, 2.0, &shape, chunk.clone());
        let (a, b) = (one.compute().expect("runs"), one.rechunk(vec![other; 2]).compute().expect("runs"));
        assert_eq!(a, b);
        let turned = one.t();
        assert_eq!((&turned + 0.0).compute().expect("runs"), a.clone().reversed_axes());
        let part = one.slice(span![..1, 1..]).compute().expect("runs");
        assert_eq!(part, a.slice(ndarray::s![..1, 1..]).into_dyn());
    });
}

#[test]
fn a_loop_may_update_an_array_as_often_as_it_likes() {
    property(1, Just(()), |client, ()| {
        let mut x = Array::<f64>::zeros(client, [10], 3);
        for _ in 0..5000 {
            x = x + 1.0;
        }
        assert_eq!(x.sum().compute().expect("runs"), 50_000.0);

        let mut heat = Array::from_fn(client, |i| f64::from(u8::from(i[0] == 20)), [40], 20);
        for _ in 0..2000 {
            heat = heat.map_overlap([1], Boundary::Nearest, |chunk, _| {
                let at = |i: usize| chunk[[i.min(chunk.len() - 1)]];
                ndarray::ArrayD::from_shape_fn(chunk.raw_dim(), |i| {
                    0.25 * at(i[0].saturating_sub(1)) + 0.5 * at(i[0]) + 0.25 * at(i[0] + 1)
                })
            });
        }
        let heat = heat.compute().expect("runs");
        assert!((heat.sum() - 1.0).abs() < 1e-12 && heat.iter().all(|x| (x - 0.025).abs() < 1e-3), "{heat}");
    });
}

#[test]
fn what_does_not_fit_says_so_when_it_is_computed() {
    property(1, Just(()), |client, ()| {
        let x = Array::<f64>::zeros(client, [3, 4], [2, 2]);
        let wrong = |array: Array<f64>, parts: &[&str]| {
            let text = array.compute().expect_err("it cannot be done").to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
            assert!(text.contains("array_model.rs"), "{text}");
            assert!(array.check().is_err());
        };
        let y = Array::<f64>::ones(client, [5], 5);
        wrong(&x + &y, &["+", "[3, 4]", "[5]"]);
        wrong((&x + &y).sqrt().sum_axis(0), &["+", "[3, 4]", "[5]"]);
        wrong(x.sum_axis(2), &["no axis 2", "[3, 4]"]);
        wrong(x.sum_axis([1, 1]), &["twice"]);
        wrong(x.reshape([5]), &["12 elements", "[5]"]);
        wrong(x.rechunk([1, 1, 1]), &["2 lengths"]);
        wrong(x.slice(span![3]), &["no element 3", "axis 0"]);
        wrong(x.slice([Span::from(..), Span::from(..), Span::from(..)]), &["3 spans", "2 axes"]);
        wrong(Array::concatenate(client, 0, &[x.clone(), y.clone()]), &["concatenate", "[5]"]);
        wrong(Array::full(client, 0.0, [1 << 40, 1 << 40], Chunks::Auto), &["more bytes"]);
        wrong(Array::<f64>::zeros(client, [0], 1).mean_axis(0), &["no mean"]);
        let integers = Array::arange(client, 0i64, 4, 1, 2);
        let text = (1i64 / &integers).compute().expect_err("a division by zero").to_string();
        assert!(text.contains("divided by zero"), "{text}");
    });
}

#[test]
fn an_array_prints_what_it_is() {
    property(1, Just(()), |client, ()| {
        let x = Array::<f64>::zeros(client, [100, 70], [40, 70]);
        assert_eq!(
            x.to_string(),
            "array of float64, shape (100, 70), 54.7 KiB; 3 chunks of shape (40, 70), 21.9 KiB at most; 3 tasks"
        );
        let sums = x.cast::<i64>().sum_axis(0).to_string();
        assert_eq!(sums, "array of int64, shape (70,), 560 B; 1 chunk of shape (70); 4 tasks");
        let uneven = Array::<bool>::full(client, true, [5], Chunks::Exact(vec![vec![1, 4]]));
        assert_eq!(
            uneven.to_string(),
            "array of bool, shape (5,), 5 B; 2 chunks of shape ([1, 4]), 4 B at most; 2 tasks"
        );
        assert!((&x + &Array::<f64>::zeros(client, [3], [3])).to_string().contains("broken array: +"));
    });
}
