//! Arrays without elements: what NumPy makes of them, or an error that says why not; never a panic.

use crate::numpy::try_numpy;
use ndarray::{ArrayD, IxDyn};
use num_complex::Complex64;
use serried::array::{Array, Axes, Bins, Boundary, Chunks, Triangle, every};
use serried::prelude::*;
use serried::{Block, Error};

type Ours = serried::Result<ArrayD<f64>>;

fn real(x: Array<Complex64>) -> Array<f64> {
    x.re()
}

/// Operations by what they are in NumPy, for an array `a` of the given shape.
fn operations(client: &Client, x: &Array<f64>) -> Vec<(String, Ours)> {
    let shape = x.shape().to_vec();
    let axes = shape.len();
    let mut all: Vec<(String, Ours)> = Vec::new();
    let mut add = |expression: &str, ours: Array<f64>| all.push((expression.to_owned(), ours.compute()));
    add("a + 1", x + 1.0);
    add("a + a", x + x);
    add("np.sqrt(a)", x.sqrt());
    add("a.T", x.t());
    add("a.T + 1", x.t() + 1.0);
    add("a", x.rechunk(vec![2; axes]));
    add("a", x.rechunk(Chunks::Auto));
    add("a", x.map_blocks(|chunk, _| chunk.to_owned()));
    add("a.reshape(-1)", x.flatten());
    add("a.reshape(0, 7)", x.reshape([0, 7]));
    add("a.reshape(3, 0, 2)", x.reshape([3, 0, 2]));
    add("a.reshape(-1, 0)", x.reshape([usize::MAX, 0]));
    add("a.reshape(5)", x.reshape([5]));
    add("a[None]", x.insert_axis(0));
    add("np.broadcast_to(a, (2,) + a.shape)", x.broadcast_to([&[2], &shape[..]].concat()));
    add("np.stack([a, a])", Array::stack(client, 0, &[x.clone(), x.clone()]));
    add("np.pad(a, 2)", x.pad(vec![(2, 2); axes], 0.0));
    add("np.where(a > 0, a, 0)", x.greater(0.0).select(x, 0.0));
    add("np.clip(a, 0, 1)", x.clip(0.0, 1.0));
    add("np.sum(a)", x.sum().to_array());
    add("np.prod(a)", x.product().to_array());
    add("np.mean(a)", x.mean().to_array());
    add("np.var(a)", x.var().to_array());
    add("np.std(a)", x.std().to_array());
    add("np.min(a)", x.min().to_array());
    add("np.max(a)", x.max().to_array());
    add("np.nansum(a)", x.nansum().to_array());
    add("np.nanmean(a)", x.nanmean().to_array());
    add("np.nanvar(a)", x.nanvar().to_array());
    add("np.nanmin(a)", x.nanmin().to_array());
    add("np.median(a)", x.median().to_array());
    add("np.quantile(a, 0.5)", x.quantile(0.5).to_array());
    add("np.sum(a)", x.exact_sum().to_array());
    add("np.mean(a)", x.exact_mean().to_array());
    add("np.argmin(a) * 1.0", x.argmin().to_array().cast());
    add("np.count_nonzero(a) * 1.0", x.count_nonzero().to_array().cast());
    add("np.any(a > 0) * 1.0", x.greater(0.0).any().to_array().cast());
    add("np.all(a > 0) * 1.0", x.greater(0.0).all().to_array().cast());
    add("np.histogram(a, 3, (0, 1))[0] * 1.0", x.histogram(&Bins::uniform(3, 0.0, 1.0)).cast());
    add("np.digitize(a, [0, 1]) * 1.0", x.digitize(&[0.0, 1.0]).cast());
    add("np.sort(a.reshape(-1))", x.flatten().sort());
    add("np.sort(a.reshape(-1))[:2]", x.smallest(2));
    add("np.sort(a.reshape(-1))[:2]", x.largest(2));
    add("np.tensordot(a, a, 0) if a.ndim == 1 else np.multiply.outer(a, a)", x.outer(x));
    add("np.dot(a, a)", x.dot(x));
    add("a @ a", x.matmul(x));
    add("a @ a.T", x.matmul(&x.t()));
    add("a.T @ a", x.t().matmul(x));
    add("np.real(np.fft.fftn(a))", real(x.cast::<Complex64>().fftn(Axes::All)));
    add("np.fft.fftshift(a)", x.fftshift(Axes::All));
    for axis in 0..axes {
        let mut add = |expression: &str, ours: Array<f64>| {
            add(&expression.replace("AXIS", &axis.to_string()), ours);
        };
        add("a.sum(AXIS)", x.sum_axis(axis));
        add("a.sum(AXIS)", x.exact_sum_axis(axis));
        add("a.mean(AXIS)", x.mean_axis(axis));
        add("a.var(AXIS)", x.var_axis(axis));
        add("a.std(AXIS, ddof=1)", x.std_axis_ddof(axis, 1));
        add("np.nanvar(a, AXIS)", x.nanvar_axis(axis));
        add("a.max(AXIS)", x.max_axis(axis));
        add("a.argmax(AXIS) * 1.0", x.argmax_axis(axis).cast());
        add("np.median(a, AXIS)", x.median_axis(axis));
        add("np.quantile(a, 0.25, AXIS)", x.quantile_axis(0.25, axis));
        add("np.sort(a, AXIS)", x.sort_axis(axis));
        add("np.sort(a, AXIS).take(range(min(2, a.shape[AXIS])), AXIS)", x.smallest_axis(2, axis));
        add("np.sort(a, AXIS).take(range(min(2, a.shape[AXIS])), AXIS)", x.largest_axis(2, axis));
        add("np.cumsum(a, AXIS)", x.cumsum_axis(axis));
        add("np.concatenate([a, a], AXIS)", Array::concatenate(client, axis, &[x.clone(), x.clone()]));
        add("a.take([], AXIS)", x.take(axis, &[]));
        add("a.take([0], AXIS)", x.take(axis, &[0]));
        add("np.squeeze(a, AXIS)", x.remove_axis(axis));
        add("np.real(np.fft.fft(a, axis=AXIS))", real(x.cast::<Complex64>().fft(axis)));
        add("np.real(np.fft.rfft(a, axis=AXIS))", real(x.rfft(axis)));
        add("np.flip(a, AXIS)", {
            let mut spans = vec![(..).into(); axis];
            spans.push(every(-1, ..));
            x.slice(spans)
        });
        add("a.take([], AXIS)", {
            let mut spans = vec![(..).into(); axis];
            spans.push((5..5).into());
            x.slice(spans)
        });
    }
    for boundary in
        [Boundary::Open, Boundary::Constant(1.0), Boundary::Nearest, Boundary::Reflect, Boundary::Periodic]
    {
        add("a", x.map_overlap(vec![0; axes], boundary, |chunk, _| chunk.to_owned()));
        let narrow: Vec<usize> = shape.iter().map(|&length| length.min(1)).collect();
        add("a", x.map_overlap(narrow, boundary, |chunk, _| chunk.to_owned()));
        all_or_error(x.map_overlap(vec![1; axes], boundary, |chunk, _| chunk.to_owned()).compute());
    }
    if axes == 2 {
        // NumPy has factors of empty matrices; here they are refused.
        for refused in [x.qr().0, x.qr().1, x.svd().0, x.svd().1, x.svd().2, x.cholesky(), x.lstsq(x)] {
            all_or_error(refused.compute());
        }
        for refused in [x.solve(x), x.solve_positive_definite(x), x.solve_triangular(Triangle::Lower, x)] {
            all_or_error(refused.compute());
        }
    }
    let counted = client.compute(&x.unique()).expect("nothing is counted");
    assert!(counted.is_empty());
    let folded = x.fold_blocks(|chunk| chunk.len(), |a, b| a + b);
    assert_eq!(folded.compute().expect("it runs"), 0);
    assert!(x.svg().starts_with("<svg") && !x.to_string().is_empty());
    all
}

/// What is refused is refused before there are tasks.
fn all_or_error(ours: Ours) {
    if let Err(error) = ours {
        assert!(matches!(error, Error::Array(_)), "{error}");
    }
}

#[test]
fn arrays_without_elements_are_those_of_numpy_or_refused() {
    let run = |client: &Client| -> serried::Result<()> {
        for shape in [vec![0], vec![0, 3], vec![3, 0], vec![0, 0], vec![2, 0, 4], vec![0, 1, 5]] {
            for chunk in 1..=3 {
                let data = ArrayD::<f64>::zeros(IxDyn(&shape));
                let block = Block::from(data.clone());
                let held = Array::from_ndarray(client, &data, vec![chunk; shape.len()]);
                let made = Array::<f64>::zeros(client, &shape, vec![chunk; shape.len()]);
                for x in [held, made] {
                    for (expression, ours) in operations(client, &x) {
                        let theirs = try_numpy(&format!("np.asarray({expression}, float)"), &[("a", &block)]);
                        match (ours, theirs) {
                            (Ok(ours), Some(Ok(theirs))) => {
                                let theirs = theirs.into_array::<f64>();
                                assert_eq!(ours.shape(), theirs.shape(), "{expression} of {shape:?}");
                                let same =
                                    ours.iter().zip(&theirs).all(|(a, b)| a == b || a.is_nan() && b.is_nan());
                                assert!(same, "{expression} of {shape:?}: {ours}, not {theirs}");
                            }
                            // A mean of nothing is NaN with a warning in NumPy, and refused here.
                            (Err(Error::Array(_)), Some(Ok(theirs))) => {
                                let theirs = theirs.into_array::<f64>();
                                let none = theirs.is_empty() || theirs.iter().all(|x| x.is_nan());
                                assert!(none, "{expression} of {shape:?} is {theirs} in NumPy");
                            }
                            (Err(Error::Array(_)), _) | (Ok(_), None) => {}
                            (Ok(ours), Some(Err(error))) => {
                                panic!("{expression} of {shape:?}: {ours} here, in NumPy {error}");
                            }
                            (Err(error), _) => panic!("{expression} of {shape:?}: {error}"),
                        }
                    }
                }
            }
        }
        Ok(())
    };
    Builder::new().scheduler(Scheduler::Threads).workers(2).run(run).expect("the run ends well");
}
