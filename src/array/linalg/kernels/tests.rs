use super::super::scalar::{Field, Ring};
use super::*;
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};
use num_complex::Complex64;

/// Element types with random elements and a measure of how wrong they are.
trait Tested: Field {
    const CLOSE: f64;
    fn draw(real: f64, imaginary: f64) -> Self;
    fn size(self) -> f64;
}

macro_rules! tested {
    ($($field:ty, $close:expr, |$re:ident, $im:ident| $draw:expr, |$x:ident| $size:expr;)*) => {$(
        impl Tested for $field {
            const CLOSE: f64 = $close;
            fn draw($re: f64, $im: f64) -> Self {
                $draw
            }
            fn size(self) -> f64 {
                let $x = self;
                $size
            }
        }
    )*};
}

tested! {
    f64, 2e-12, |re, _im| re, |x| x.abs();
    f32, 2e-4, |re, _im| re as f32, |x| x.abs().into();
    Complex64, 2e-12, |re, im| Complex64::new(re, im), |x| x.norm();
}

fn matrix<T: Tested>(rows: usize, columns: usize, salt: u64) -> Array2<T> {
    let mut state = salt.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    Array2::from_shape_simple_fn((rows, columns), || T::draw(next(), next()))
}

fn product<T: Ring>(a: ArrayView2<'_, T>, b: ArrayView2<'_, T>) -> Array2<T> {
    let mut c = Array2::from_elem((a.nrows(), b.ncols()), T::ZERO);
    T::multiply_add(c.view_mut(), a, b);
    c
}

fn adjoint<T: Field>(a: &Array2<T>) -> Array2<T> {
    a.t().as_standard_layout().mapv(T::conjugate)
}

fn identity<T: Field>(size: usize) -> Array2<T> {
    let mut identity = Array2::from_elem((size, size), T::ZERO);
    identity.diag_mut().fill(T::ONE);
    identity
}

/// Up to rounding, beside elements of this size.
fn assert_close<T: Tested>(a: &Array2<T>, b: &Array2<T>, what: &str) {
    assert_eq!(a.dim(), b.dim(), "{what}");
    let scale = b.iter().fold(1.0f64, |max, x| max.max(x.size()));
    for (&a, &b) in a.iter().zip(b) {
        let difference = a.plus(b.times(T::draw(-1.0, 0.0))).size();
        assert!(difference <= T::CLOSE * scale, "{what}: {a} and {b} beside {scale}");
    }
}

fn qr<T: Field>(a: ArrayView2<'_, T>) -> (Array2<T>, Array2<T>) {
    let reflectors = Reflectors::new(a.nrows(), a.ncols());
    let numbers = reflectors.factor(a);
    let mut q = Array2::from_elem((a.nrows(), reflectors.rank()), T::ZERO);
    q.diag_mut().fill(T::ONE);
    (reflectors.rotate(&numbers, q), reflectors.triangle(&numbers))
}

fn factors_hold<T: Tested>() {
    let shapes = [(1, 1), (7, 3), (3, 7), (40, 40), (200, 120), (120, 200), (9000, 32), (40_000, 5), (9, 1)];
    for (salt, (rows, columns)) in shapes.into_iter().enumerate() {
        let random = matrix::<T>(rows, columns, salt as u64);
        let mut dependent = random.clone();
        for column in 1..columns {
            let copy = dependent.column(column / 2).to_owned();
            dependent.column_mut(column).assign(&copy);
        }
        let equal = |element| Array2::from_elem((rows, columns), element);
        for a in [random, dependent, equal(T::ZERO), equal(T::ONE)] {
            let what = format!("QR of {rows} x {columns}");
            let (q, r) = qr(a.view());
            assert_close(&product(q.view(), r.view()), &a, &what);
            assert_close(&product(adjoint(&q).view(), q.view()), &identity(q.ncols()), &what);
            let reflectors = Reflectors::new(rows, columns);
            let back = reflectors.rotate_back(&reflectors.factor(a.view()), a);
            let (top, rest) = back.view().split_at(ndarray::Axis(0), reflectors.rank());
            assert_close(&top.to_owned(), &r, &what);
            assert!(rest.iter().all(|x| x.size() < 300.0 * T::CLOSE), "{what}");
            for (at, pivot) in r.diag().iter().enumerate() {
                let turned = pivot.phase().plus(T::draw(-1.0, 0.0)).size();
                assert!(turned < T::CLOSE || pivot.size() < 300.0 * T::CLOSE, "{what}: {pivot} at {at}");
            }
        }
    }
}

#[test]
fn qr_of_any_block() {
    factors_hold::<f64>();
    factors_hold::<f32>();
    factors_hold::<Complex64>();
}

fn square_factors_hold<T: Tested>() {
    for size in [1, 2, 5, 33, 150] {
        let a = matrix::<T>(size, size, 7);
        let mut gram = product(a.view(), adjoint(&a).view());
        gram.diag_mut().mapv_inplace(|x| x.plus(T::ONE));
        let lower = cholesky(gram.view()).expect("it is positive definite");
        assert_close(&product(lower.view(), adjoint(&lower).view()), &gram, "Cholesky");
        for wrong in [-1.0, f64::NAN] {
            let mut gram = gram.clone();
            gram[[size - 1, size - 1]] = T::draw(wrong, 0.0);
            assert_eq!(cholesky(gram.view()), Err(size - 1));
        }
        let b = matrix::<T>(size, 3, 8);
        let ones = |mut triangle: Array2<T>| {
            triangle.diag_mut().fill(T::ONE);
            triangle
        };
        let upper = adjoint(&lower);
        for (side, given, meant) in [
            (Side::Lower, &lower, lower.clone()),
            (Side::Upper, &upper, upper.clone()),
            (Side::LowerAdjoint, &lower, upper.clone()),
        ] {
            let mut x = b.clone();
            solve_triangular(given.view(), side, x.view_mut());
            assert_close(&product(meant.view(), x.view()), &b, "a triangular system");
        }
        let small = lower.mapv(|x| x.times(T::draw(0.01, 0.0)));
        let mut x = b.clone();
        solve_triangular(small.view(), Side::UnitLower, x.view_mut());
        assert_close(&product(ones(small).view(), x.view()), &b, "a system with ones on the diagonal");
        let mut x = adjoint(&b);
        divide_by_adjoint(lower.view(), x.view_mut());
        assert_close(&product(x.view(), upper.view()), &adjoint(&b), "a system from the right");
        let tall = matrix::<T>(size + 9, size, 9);
        let (factors, order) = lu(tall.view());
        let part = |keep: fn(usize, usize) -> bool, rows: usize| {
            Array2::from_shape_fn((rows, size), |(i, j)| if keep(i, j) { factors[[i, j]] } else { T::ZERO })
        };
        let (lower, upper) = (ones(part(|i, j| i > j, size + 9)), part(|i, j| i <= j, size));
        let mut ordered = tall.clone();
        for (mut row, from) in ordered.outer_iter_mut().zip(order) {
            row.assign(&tall.row(from));
        }
        assert_close(&product(lower.view(), upper.view()), &ordered, "LU");
    }
}

#[test]
fn square_blocks_and_systems() {
    square_factors_hold::<f64>();
    square_factors_hold::<f32>();
    square_factors_hold::<Complex64>();
}

/// Calls `f` with a copy of `a` that begins `shift` elements after the begin of an allocation.
fn shifted<T: Field, R>(a: &Array2<T>, shift: usize, f: impl FnOnce(ArrayViewMut2<'_, T>) -> R) -> R {
    let mut memory = vec![T::ZERO; a.len() + shift];
    memory[shift..].iter_mut().zip(a).for_each(|(copy, element)| *copy = *element);
    f(ArrayViewMut2::from_shape(a.dim(), &mut memory[shift..]).expect("as many elements"))
}

fn does_not_depend_on_the_place<T: Tested>() {
    for (m, k, n) in [
        (1, 50, 1),
        (1, 50, 7),
        (7, 50, 1),
        (33, 1, 17),
        (4, 4, 4),
        (100, 90, 80),
        (1, 211, 37),
        (64, 64, 64),
    ] {
        let (a, b) = (matrix::<T>(m, k, 1), matrix::<T>(k, n, 2));
        let expected = product(a.view(), b.view());
        for at in 0..125 {
            let c = shifted(&a, at % 5, |a| {
                shifted(&b, at / 5 % 5, |b| {
                    shifted(&Array2::from_elem((m, n), T::ZERO), at / 25, |mut c| {
                        T::multiply_add(c.view_mut(), a.view(), b.view());
                        c.to_owned()
                    })
                })
            });
            assert!(c == expected, "{m} x {k} x {n} at {at}");
        }
    }
    for (rows, columns) in [(5, 5), (40, 30), (3000, 17), (200, 120)] {
        let a = matrix::<T>(rows, columns, 3);
        let square = |a: ArrayView2<'_, T>| {
            let mut gram = product(adjoint(&a.to_owned()).view(), a);
            gram.diag_mut().mapv_inplace(|x| x.plus(T::ONE));
            gram
        };
        let all = |shift: usize| {
            shifted(&a, shift, |a| {
                let (q, r) = qr(a.view());
                let Svd { u, vh, .. } = thin_svd(a.view()).expect("finite");
                let gram = square(a.view());
                let lower = shifted(&gram, shift, |gram| cholesky(gram.view())).expect("positive definite");
                let factors = shifted(&gram, shift, |gram| lu(gram.view())).0;
                let mut results = vec![q, r, u, vh, factors];
                for side in [Side::Lower, Side::UnitLower, Side::LowerAdjoint] {
                    let b = a.slice(s![..columns, ..columns.min(7)]).to_owned();
                    results.push(shifted(&b, shift / 2, |mut b| {
                        shifted(&lower, shift, |lower| {
                            solve_triangular(lower.view(), side, b.view_mut());
                        });
                        b.to_owned()
                    }));
                }
                results.push(lower);
                results
            })
        };
        let expected = all(0);
        for shift in 1..9 {
            assert!(all(shift) == expected, "{rows} x {columns}, {shift} further on");
        }
    }
}

#[test]
fn bits_do_not_depend_on_where_the_numbers_lie() {
    does_not_depend_on_the_place::<f64>();
    does_not_depend_on_the_place::<f32>();
    does_not_depend_on_the_place::<Complex64>();
}
