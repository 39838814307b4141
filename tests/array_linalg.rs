//! Linear algebra on chunked arrays: identities over random shapes and chunks, the numbers of NumPy, the same
//! bits however it is run, and errors.

use ndarray::{Array2, ArrayD, Axis, Ix2, IxDyn};
use num_complex::Complex64;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serried::array::{Array, Triangle};
use serried::prelude::*;
use std::process::Command;

/// Runs a property many times within one run of serried.
fn property<S: Strategy + Sync>(cases: u32, strategy: S, check: impl Fn(&Client, S::Value) + Sync)
where
    S::Value: std::fmt::Debug,
{
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    run(Scheduler::Threads, 2, |client| {
        let mut runner = TestRunner::new(config);
        let done = runner.run(&strategy, |case| {
            check(client, case);
            Ok(())
        });
        done.unwrap_or_else(|failure| panic!("{failure}"));
    });
}

fn run<R: Send>(scheduler: Scheduler, workers: usize, program: impl FnOnce(&Client) -> R + Send) -> R {
    Builder::new()
        .scheduler(scheduler)
        .workers(workers)
        .seed(1u64)
        .run(|client| Ok::<R, serried::Error>(program(client)))
        .expect("the run ends well")
}

/// The lengths of two axes, and of chunks along them.
fn matrices(longest: usize) -> impl Strategy<Value = ([usize; 2], [usize; 2])> {
    [(1..=longest, 1..=longest), (1..=longest, 1..=longest)]
        .prop_map(|[(rows, high), (columns, wide)]| ([rows, columns], [high, wide]))
}

/// Numbers between -1 and 1 that Python makes in the same way.
fn numbers(shape: &[usize], salt: u64) -> ArrayD<f64> {
    let mut state = salt;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state = (state * 16_807 + 12_345) % 2_147_483_647;
        state as f64 / 1_073_741_824.0 - 1.0
    })
}

fn matrix(array: ArrayD<f64>) -> Array2<f64> {
    array.into_dimensionality::<Ix2>().expect("a matrix")
}

/// The largest difference.
fn distance<D: ndarray::Dimension>(a: &ndarray::Array<f64, D>, b: &ndarray::Array<f64, D>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, |max, next| if next <= max { max } else { next })
}

/// Has columns of length 1 at right angles.
fn assert_orthonormal(q: &Array2<f64>) {
    let identity = Array2::eye(q.ncols());
    assert!(distance(&q.t().dot(q), &identity) < 1e-12, "{q}");
}

#[test]
fn products_are_those_of_whole_matrices() {
    let strategy = (matrices(14), 1..14usize, 1..14usize, 1..14usize, any::<bool>());
    property(80, strategy, |client, ((shape, chunk), columns, wide, other, turned)| {
        let (a, b) = (numbers(&shape, 1), numbers(&[shape[1], columns], 2));
        let expected = matrix(a.clone()).dot(&matrix(b.clone()));
        let x = match turned {
            false => Array::from_ndarray(client, &a, chunk),
            true => Array::from_ndarray(client, &a.t().to_owned(), [chunk[1], chunk[0]]).t(),
        };
        let y = Array::from_ndarray(client, &b, [other, wide]);
        let product = x.matmul(&y);
        assert_eq!(product.shape(), [shape[0], columns]);
        assert!(distance(&matrix(product.compute().expect("runs")), &expected) < 1e-13);
        let whole = |x: &f64| (x * 1e6) as i64;
        let exact = a.mapv(|x| whole(&x)).into_dimensionality::<Ix2>().expect("a matrix");
        let exact = exact.dot(&b.mapv(|x| whole(&x)).into_dimensionality::<Ix2>().expect("a matrix"));
        let integers = x.map(|x| (x * 1e6) as i64).dot(&y.map(|x| (x * 1e6) as i64));
        assert_eq!(integers.compute().expect("runs"), exact.into_dyn());
        let vector = y.slice(serried::span![.., 0]);
        let row = x.slice(serried::span![0, ..]);
        let inner = row.inner(&vector).compute().expect("runs");
        assert!((inner - expected[[0, 0]]).abs() < 1e-13);
        let column = x.matmul(&vector).compute().expect("runs");
        assert!(distance(&column, &expected.column(0).to_owned().into_dyn()) < 1e-13);
        let products = row.outer(&vector).compute().expect("runs");
        assert_eq!(products[[0, shape[1] - 1]], a[[0, 0]] * b[[shape[1] - 1, 0]]);
    });
}

#[test]
fn products_of_stacks_and_along_several_axes() {
    let lengths = proptest::collection::vec(1..5usize, 5);
    let chunks = proptest::collection::vec(1..5usize, 5);
    property(60, (lengths, chunks, 1..5usize), |client, (n, c, other)| {
        let (a, b) = (numbers(&[n[0], n[1], n[2], n[3]], 1), numbers(&[n[3], n[1], n[4]], 2));
        let x = Array::from_ndarray(client, &a, [c[0], c[1], c[2], c[3]]);
        let y = Array::from_ndarray(client, &b, [other, other, c[4]]);
        let sums = x.tensordot(&y, [1, 3], [1, 0]).compute().expect("runs");
        let expected = ArrayD::from_shape_fn(IxDyn(&[n[0], n[2], n[4]]), |i| {
            (0..n[1])
                .flat_map(|j| (0..n[3]).map(move |k| (j, k)))
                .map(|(j, k)| a[[i[0], j, i[1], k]] * b[[k, j, i[2]]])
                .sum()
        });
        assert!(distance(&sums, &expected) < 1e-13);
        // Matrices of a stack, with the same second operand for all along the first axis.
        let z = y.permute_axes([1, 0, 2]);
        let stack = x.matmul(&z).compute().expect("runs");
        let expected = ArrayD::from_shape_fn(IxDyn(&[n[0], n[1], n[2], n[4]]), |i| {
            (0..n[3]).map(|k| a[[i[0], i[1], i[2], k]] * b[[k, i[1], i[3]]]).sum()
        });
        assert!(distance(&stack, &expected) < 1e-13);
        let vector = y.slice(serried::span![.., 0, 0]);
        let stack = x.matmul(&vector).compute().expect("runs");
        assert!(distance(&stack, &expected_of_vector(&a, &b)) < 1e-13);
    });
}

fn expected_of_vector(a: &ArrayD<f64>, b: &ArrayD<f64>) -> ArrayD<f64> {
    let mut all = a.clone();
    for (at, mut lane) in all.axis_iter_mut(Axis(3)).enumerate() {
        lane *= b[[at, 0, 0]];
    }
    all.sum_axis(Axis(3))
}

#[test]
fn qr_and_singular_values_of_any_chunks() {
    // Beside random matrices some whose columns depend on each other, and zeros.
    property(80, (matrices(90), 0..4u8), |client, ((shape, chunk), kind)| {
        let mut data = matrix(numbers(&shape, 3));
        match kind {
            0 => data.fill(0.0),
            1 => (1..shape[1]).for_each(|column| {
                let copy = data.column(column / 2).to_owned();
                data.column_mut(column).assign(&copy);
            }),
            _ => {}
        }
        let a = Array::from_ndarray(client, &data.clone().into_dyn(), chunk);
        let (q, r) = a.qr();
        let (u, s, vh) = a.svd();
        let (q, r, u, s, vh) = client.compute((&q, &r, &u, &s, &vh)).expect("runs");
        let (q, r, u, vh) = (matrix(q), matrix(r), matrix(u), matrix(vh));
        assert!(distance(&q.dot(&r), &data) < 1e-12);
        assert_orthonormal(&q);
        for ((row, column), &element) in r.indexed_iter() {
            assert!(row <= column || element == 0.0);
            assert!(row != column || element >= 0.0);
        }
        assert!(
            distance(
                &(&u * &s.clone().into_dimensionality::<ndarray::Ix1>().expect("a vector")).dot(&vh),
                &data
            ) < 1e-12
        );
        assert_orthonormal(&u);
        assert_orthonormal(&vh.t().to_owned());
        assert!(s.as_slice().expect("a vector").is_sorted_by(|a, b| a >= b));
        if kind > 1 {
            // The factors are unique.
            let (q1, r1) = Array::from_ndarray(client, &data.clone().into_dyn(), shape).qr();
            let (q1, r1) = client.compute((&q1, &r1)).expect("runs");
            // As far as the matrix determines them: what is lost is its condition.
            let condition = s[0] / s[s.len() - 1];
            assert!(distance(&r, &matrix(r1)) < 1e-13 * condition, "{shape:?} {chunk:?}");
            assert!(distance(&q, &matrix(q1)) < 1e-13 * condition, "{shape:?} {chunk:?}");
        }
    });
}

#[test]
fn systems_of_equations_are_solved() {
    property(60, (1..60usize, 1..60usize, 1..60usize, 1..5usize, any::<bool>()), |client, case| {
        let (size, high, wide, columns, vector) = case;
        let data = numbers(&[size, size], 5);
        let a = Array::from_ndarray(client, &data, [high, wide]);
        let shape = if vector { vec![size] } else { vec![size, columns] };
        let b = Array::from_ndarray(client, &numbers(&shape, 6), vec![2; shape.len()]);
        let is_small = |residual: Array<f64>, scale: &Array<f64>| {
            let (residual, scale) =
                client.compute((&residual.abs().max(), &scale.abs().max())).expect("runs");
            assert!(residual <= 1e-12 * (1.0 + scale), "{residual} beside {scale}: {case:?}");
        };
        let x = a.solve(&b);
        assert_eq!(x.shape(), &shape[..]);
        is_small(a.matmul(&x) - &b, &x);
        let positive =
            a.matmul(&a.t()) + Array::from_fn(client, |i| f64::from(i[0] == i[1]), [size; 2], [high, wide]);
        let l = positive.cholesky();
        is_small(l.matmul(&l.t()) - &positive, &l);
        let x = positive.solve_positive_definite(&b);
        is_small(positive.matmul(&x) - &b, &x);
        let x = l.solve_triangular(Triangle::Lower, &b);
        is_small(l.matmul(&x) - &b, &x);
        let x = l.t().solve_triangular(Triangle::Upper, &b);
        is_small(l.t().matmul(&x) - &b, &x);
    });
}

#[test]
fn least_squares_leave_what_is_at_right_angles() {
    property(60, (matrices(50), 1..4usize, any::<bool>()), |client, ((shape, chunk), columns, deficient)| {
        let mut data = matrix(numbers(&shape, 7));
        if deficient && shape[1] > 1 {
            let copy = data.column(0).to_owned();
            data.column_mut(shape[1] - 1).assign(&copy);
        }
        let a = Array::from_ndarray(client, &data.clone().into_dyn(), chunk);
        let b = Array::from_ndarray(client, &numbers(&[shape[0], columns], 8), [3, 2]);
        let x = a.lstsq(&b);
        assert_eq!(x.shape(), [shape[1], columns]);
        let normal = a.t().matmul(&(a.matmul(&x) - &b));
        let (normal, scale) = client.compute((&normal.abs().max(), &x.abs().max())).expect("runs");
        assert!(normal < 1e-11 * (1.0 + scale), "{normal} beside {scale}");
        if deficient && shape[1] > 1 && shape[0] > 1 {
            // The smallest of all solutions gives equal columns equal weights.
            let x = matrix(x.compute().expect("runs"));
            let difference = &x.row(0) - &x.row(shape[1] - 1);
            assert!(difference.iter().all(|difference| difference.abs() < 1e-10 * (1.0 + scale)));
        }
    });
}

#[test]
fn complex_matrices_are_factorised() {
    run(Scheduler::Threads, 2, |client| {
        let element = |i: &[usize]| {
            Complex64::new(((i[0] * 7 + i[1] * 3) % 11) as f64 - 5.0, ((i[0] * 5 + i[1]) % 7) as f64 - 3.0)
        };
        let a = Array::from_fn(client, element, [40, 12], [9, 5]);
        let conjugate = |x: &Array<Complex64>| x.t().map(|x: Complex64| x.conj());
        let is_small = |difference: Array<Complex64>| {
            let largest = difference.map(|x: Complex64| x.norm()).max().compute().expect("runs");
            assert!(largest < 1e-11, "{largest}");
        };
        let identity = Array::from_fn(client, |i| Complex64::from(f64::from(i[0] == i[1])), [12, 12], [5, 5]);
        let (q, r) = a.qr();
        is_small(q.matmul(&r) - &a);
        is_small(conjugate(&q).matmul(&q) - &identity);
        let (u, s, vh) = a.svd();
        is_small((u * s.map(|x: f64| Complex64::from(x))).matmul(&vh) - &a);
        let (u, s, vh) = a.t().svd();
        is_small((u * s.map(|x: f64| Complex64::from(x))).matmul(&vh) - a.t());
        let gram = conjugate(&a).matmul(&a);
        let l = gram.cholesky();
        is_small(l.matmul(&conjugate(&l)) - &gram);
        let b = a.slice(serried::span![..12, ..3]);
        is_small(gram.matmul(&gram.solve(&b)) - &b);
        is_small(gram.matmul(&gram.solve_positive_definite(&b)) - &b);
    });
}

const PYTHON: &str = r"
import numpy as np
def numbers(shape, state):
    values = []
    for _ in range(int(np.prod(shape))):
        state = (state * 16807 + 12345) % 2147483647
        values.append(state / 1073741824.0 - 1.0)
    return np.array(values).reshape(shape)
def show(name, x):
    print(name, *[float(v).hex() for v in np.ravel(x)])
a, b = numbers((30, 12), 1), numbers((30, 2), 2)
s = numbers((12, 12), 3)
show('matmul', a.T @ b)
show('tensordot', np.tensordot(a.reshape(5, 6, 12), b.reshape(6, 5, 2), ([1, 0], [0, 1])))
show('r', (lambda r: r * np.sign(np.diag(r))[:, None])(np.linalg.qr(a)[1]))
show('s', np.linalg.svd(a)[1])
show('cholesky', np.linalg.cholesky(a.T @ a))
show('solve', np.linalg.solve(s, b[:12]))
show('lstsq', np.linalg.lstsq(a, b, rcond=None)[0])
show('wide', np.linalg.lstsq(a.T, b[:12], rcond=None)[0])
";

#[test]
fn numbers_are_those_of_numpy() {
    let Ok(python) = std::env::var("SERRIED_TEST_PYTHON") else {
        eprintln!("not compared: SERRIED_TEST_PYTHON names no Python with NumPy");
        return;
    };
    let output = Command::new(python).args(["-c", PYTHON]).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    run(Scheduler::Threads, 2, |client| {
        let array = |data: ArrayD<f64>, chunk: &[usize]| Array::from_ndarray(client, &data, chunk);
        let (a, b) = (numbers(&[30, 12], 1), numbers(&[30, 2], 2));
        let cube = |data: &ArrayD<f64>, shape: [usize; 3], chunk: [usize; 3]| {
            array(data.clone().into_shape_with_order(IxDyn(&shape)).expect("the elements stay"), &chunk)
        };
        let tensordot =
            cube(&a, [5, 6, 12], [2, 4, 5]).tensordot(&cube(&b, [6, 5, 2], [3, 3, 1]), [1, 0], [0, 1]);
        let (a, b, s) = (array(a, &[7, 5]), array(b, &[8, 1]), array(numbers(&[12, 12], 3), &[5, 7]));
        let top = b.slice(serried::span![..12, ..]);
        let results = [
            ("matmul", a.t().matmul(&b)),
            ("tensordot", tensordot),
            ("r", a.qr().1),
            ("s", a.svd().1),
            ("cholesky", a.t().matmul(&a).cholesky()),
            ("solve", s.solve(&top)),
            ("lstsq", a.lstsq(&b)),
            ("wide", a.t().lstsq(&top)),
        ];
        for (line, (name, result)) in text.lines().zip(&results) {
            let mut words = line.split(' ');
            assert_eq!(words.next(), Some(*name));
            let result = result.compute().expect("runs");
            let expected: Vec<f64> = words.map(parse_hex).collect();
            assert_eq!(result.len(), expected.len(), "{name}");
            let scale = expected.iter().fold(1.0f64, |max, x| max.max(x.abs()));
            for (ours, numpys) in result.iter().zip(&expected) {
                assert!((ours - numpys).abs() < 1e-12 * scale, "{name}: {ours} and {numpys}");
            }
        }
        assert_eq!(text.lines().count(), results.len());
    });
}

/// A number as Python's `float.hex` writes it.
fn parse_hex(text: &str) -> f64 {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (digits, exponent) = text.trim_start_matches("0x").split_once('p').expect("an exponent");
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mantissa = u64::from_str_radix(&format!("{whole}{fraction}"), 16).expect("digits") as f64;
    let exponent: i32 = exponent.parse().expect("an exponent");
    let value = mantissa * 2f64.powi(exponent - 4 * fraction.len() as i32);
    if negative { -value } else { value }
}

/// Everything at once, as bits.
fn all_bits(client: &Client) -> Vec<u64> {
    let a = Array::from_ndarray(client, &numbers(&[90, 40], 1), [20, 12]);
    let b = Array::from_ndarray(client, &numbers(&[90, 3], 2), [30, 2]);
    let (gram, (q, r), (u, s, vh)) = (a.t().matmul(&a), a.qr(), a.svd());
    let top = b.slice(serried::span![..40, ..]);
    let (l, x, y) = (gram.cholesky(), gram.solve(&top), gram.solve_positive_definite(&top));
    let z = a.lstsq(&b);
    let all = ((&gram, &q, &r, &u, &s), (&vh, &l, &x, &y, &z));
    let ((gram, q, r, u, s), (vh, l, x, y, z)) = client.compute(all).expect("runs");
    let all = [gram, q, r, u, s, vh, l, x, y, z];
    all.iter().flat_map(|array| array.iter().map(|element| element.to_bits())).collect()
}

#[test]
fn bits_do_not_depend_on_the_scheduler() {
    let expected = run(Scheduler::Synchronous, 1, all_bits);
    for workers in [1, 2, 4] {
        assert!(run(Scheduler::Threads, workers, all_bits) == expected, "{workers} threads");
    }
}

#[test]
fn errors_say_what_is_possible() {
    run(Scheduler::Synchronous, 1, |client| {
        let ones = |shape: &[usize]| Array::<f64>::ones(client, shape, vec![2; shape.len()]);
        let message = |array: &Array<f64>| match array.compute() {
            Ok(_) => panic!("it should fail"),
            Err(error) => error.to_string(),
        };
        let product = message(&ones(&[4, 3]).matmul(&ones(&[4, 3])));
        assert!(
            product.contains("[4, 3]") && product.contains("axis 1") && product.contains("array_linalg.rs"),
            "{product}"
        );
        assert!(message(&ones(&[4, 3, 3]).matmul(&ones(&[5, 3, 3]))).contains("[5, 3, 3]"));
        assert!(message(&ones(&[4]).tensordot(&ones(&[4]), [1], [0])).contains("no axis 1"));
        assert!(message(&ones(&[4, 3]).solve(&ones(&[4]))).contains("lstsq"));
        assert!(message(&ones(&[4, 4]).solve(&ones(&[3]))).contains("[3]"));
        assert!(message(&ones(&[4]).qr().1).contains("[4]"));
        assert!(message(&ones(&[4, 4]).cholesky()).contains("leading 2 rows"));
        assert!(message(&ones(&[4, 4]).solve(&ones(&[4]))).contains("column 1"));
        assert!(message(&(ones(&[4, 4]) * f64::NAN).svd().1).contains("not finite"));
        let broken = ones(&[4, 3]).matmul(&ones(&[4, 3]));
        assert!(message(&broken.qr().0).contains("matmul"));
    });
}
