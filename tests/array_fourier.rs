//! Fourier transforms of chunked arrays against sums, and against NumPy's conventions.

use ndarray::{ArrayD, IxDyn};
use num_complex::Complex64;
use proptest::test_runner::{Config, TestRunner};
use serried::array::{Array, Axes};
use serried::prelude::*;

fn run<R: Send>(scheduler: Scheduler, workers: usize, program: impl FnOnce(&Client) -> R + Send) -> R {
    Builder::new()
        .scheduler(scheduler)
        .workers(workers)
        .seed(1u64)
        .run(|client| Ok::<R, serried::Error>(program(client)))
        .expect("the run ends well")
}

fn numbers(shape: &[usize]) -> ArrayD<Complex64> {
    let mut next = 1u64;
    let mut draw = || {
        next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (next >> 40) as f64 / (1u64 << 24) as f64 - 0.5
    };
    ArrayD::from_shape_simple_fn(IxDyn(shape), || Complex64::new(draw(), draw()))
}

/// The definition, along an axis.
fn transformed(data: &ArrayD<Complex64>, axis: usize, sign: f64) -> ArrayD<Complex64> {
    let length = data.shape()[axis];
    ArrayD::from_shape_fn(data.raw_dim(), |index| {
        let mut at = index.clone();
        (0..length)
            .map(|j| {
                at[axis] = j;
                let turns = (index[axis] * j % length) as f64 / length as f64;
                data[&at] * Complex64::cis(sign * std::f64::consts::TAU * turns)
            })
            .sum()
    })
}

fn assert_close(a: &ArrayD<Complex64>, b: &ArrayD<Complex64>) {
    assert_eq!(a.shape(), b.shape());
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).norm() < 1e-11), "{a} and {b}");
}

#[test]
fn transforms_are_the_sums_that_define_them() {
    let shapes = proptest::collection::vec((1..20usize, 1..20usize), 1..4);
    let config = Config { cases: 100, failure_persistence: None, ..Config::default() };
    run(Scheduler::Threads, 2, |client| {
        let check = |(pairs, axis): (Vec<(usize, usize)>, usize)| {
            let (shape, chunk): (Vec<usize>, Vec<usize>) = pairs.into_iter().unzip();
            let axis = axis % shape.len();
            let data = numbers(&shape);
            let x = Array::from_ndarray(client, &data, chunk.clone());
            let spectrum = x.fft(axis);
            assert_close(&spectrum.compute().expect("runs"), &transformed(&data, axis, -1.0));
            assert_close(&spectrum.ifft(axis).compute().expect("runs"), &data);
            assert_close(&x.fftn(Axes::All).ifftn(Axes::All).compute().expect("runs"), &data);
            let real = data.map(|x| x.re);
            let y = Array::from_ndarray(client, &real, chunk);
            let half = y.rfft(axis);
            let whole = transformed(&real.map(|&x| x.into()), axis, -1.0);
            let first = ndarray::Slice::from(0..shape[axis] / 2 + 1);
            let expected = whole.slice_axis(ndarray::Axis(axis), first).to_owned();
            assert_close(&half.compute().expect("runs"), &expected);
            let back = half.irfft(axis, shape[axis]).compute().expect("runs");
            assert_close(&back.map(|&x| x.into()), &real.map(|&x| x.into()));
            assert_eq!(x.fftshift(axis).ifftshift(axis).compute().expect("runs"), data);
            Ok(())
        };
        TestRunner::new(config)
            .run(&(shapes, 0..3usize), check)
            .unwrap_or_else(|failure| panic!("{failure}"));
    });
}

#[test]
fn frequencies_are_those_of_numpy() {
    run(Scheduler::Synchronous, 1, |client| {
        let list = |array: Array<f64>| array.compute().expect("runs").into_raw_vec_and_offset().0;
        assert_eq!(list(Array::fftfreq(client, 4, 0.25, 3)), [0.0, 1.0, -2.0, -1.0]);
        assert_eq!(list(Array::fftfreq(client, 5, 0.2, 2)), [0.0, 1.0, 2.0, -2.0, -1.0]);
        assert_eq!(list(Array::rfftfreq(client, 5, 0.2, 2)), [0.0, 1.0, 2.0]);
        let shifted = Array::arange(client, 0.0, 5.0, 1.0, 2).fftshift(0);
        assert_eq!(list(shifted), [3.0, 4.0, 0.0, 1.0, 2.0]);
    });
}

#[test]
fn bits_depend_neither_on_the_scheduler_nor_on_chunks() {
    let bits = |chunk: [usize; 2]| {
        move |client: &Client| {
            let x = Array::from_ndarray(client, &numbers(&[60, 35]), chunk);
            let spectrum = x.fft(0).compute().expect("runs");
            spectrum.iter().map(|x| (x.re.to_bits(), x.im.to_bits())).collect::<Vec<_>>()
        }
    };
    let expected = run(Scheduler::Synchronous, 1, bits([60, 35]));
    assert!(run(Scheduler::Threads, 3, bits([60, 35])) == expected);
    assert!(run(Scheduler::Threads, 2, bits([7, 11])) == expected);
}

#[test]
fn errors_say_what_is_possible() {
    run(Scheduler::Synchronous, 1, |client| {
        let x = Array::<f64>::ones(client, [4, 3], [2, 2]);
        let message = |array: &Array<f64>| array.compute().expect_err("it cannot be").to_string();
        assert!(message(&x.rfft(2).irfft(0, 4)).contains("no axis 2"));
        assert!(message(&x.rfft(0).irfft(0, 3)).contains("4 or 5, not 3"));
    });
}
