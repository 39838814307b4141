//! Operators and functions of each element, with broadcasting.

use crate::cases::{Case, cases, close, floats, property, same};
use crate::numpy::numpy;
use proptest::prelude::*;
use serried::{Block, array::Array};

/// A second operand: some of the axes of the first have length 1, and some in front are missing.
fn narrowed<T: serried::array::Element>(case: &Case<T>, narrow: [bool; 4], missing: usize) -> Case<T> {
    let mut data = case.data.clone();
    for (axis, narrow) in narrow.into_iter().enumerate().take(data.ndim()) {
        if narrow && data.shape()[axis] > 0 {
            data = data.slice_axis(ndarray::Axis(axis), (..1).into()).to_owned();
        }
    }
    let mut chunk = case.chunk.clone();
    for _ in 0..missing.min(data.ndim()) {
        if data.shape()[0] == 0 {
            break;
        }
        data = data.index_axis_move(ndarray::Axis(0), 0);
        chunk.remove(0);
    }
    chunk.reverse();
    Case { data, chunk }
}

/// A name of an expression, what it is in NumPy, and what it is here.
type Expression<T, U> = (&'static str, fn(&Array<T>, &Array<T>) -> Array<U>);

fn check<T: serried::array::Element, U: serried::array::Element>(
    client: &serried::Client,
    (a, b): (&Case<T>, &Case<T>),
    expressions: &[Expression<T, U>],
) {
    let (x, y) = (a.array(client), b.array(client));
    let (block_a, block_b) = (Block::from(a.data.clone()), Block::from(b.data.clone()));
    for (expression, ours) in expressions {
        let Some(theirs) = numpy::<U>(expression, &[("a", &block_a), ("b", &block_b)]) else {
            return;
        };
        same(&ours(&x, &y).compute().expect("it runs"), &theirs, expression);
    }
}

#[test]
fn floats_are_as_in_numpy() {
    let strategy = (cases(0..5, floats()), any::<[bool; 4]>(), 0..3usize);
    property(60, strategy, |client, (a, narrow, missing)| {
        let b = narrowed(&a, narrow, missing);
        check::<f64, f64>(
            client,
            (&a, &b),
            &[
                ("a + b", |a, b| a + b),
                ("b - a * 2.5", |a, b| b - a * 2.5),
                ("a / b", |a, b| a / b),
                ("(a - b) * (a + b) - 1.0 / a", |a, b| (a - b) * (a + b) - 1.0 / a),
                ("-a", |a, _| -a),
                ("np.abs(a)", |a, _| a.abs()),
                ("np.sqrt(np.abs(a))", |a, _| a.abs().sqrt()),
                ("np.floor(a) + np.ceil(b)", |a, b| a.floor() + b.ceil()),
                ("np.where(a < b, a, b)", |a, b| a.less(b).select(a, b)),
            ],
        );
        check::<f64, bool>(
            client,
            (&a, &b),
            &[
                ("a < b", |a, b| a.less(b)),
                ("a >= b", |a, b| a.greater_equal(b)),
                ("a == b", |a, b| a.equal(b)),
                ("a != b", |a, b| a.not_equal(b)),
                ("np.isnan(a)", |a, _| a.is_nan()),
            ],
        );
        let x = a.array(client);
        let block = Block::from(a.data.clone());
        for (expression, ours) in [("np.exp(a)", x.exp()), ("np.sin(a)", x.sin())] {
            if let Some(theirs) = numpy::<f64>(expression, &[("a", &block)]) {
                close(&ours.compute().expect("it runs"), &theirs, 1e-13, expression);
            }
        }
    });
}

#[test]
fn other_elements_are_as_in_numpy() {
    let strategy = (cases(0..4, any::<i64>()), any::<[bool; 4]>(), 0..3usize);
    property(25, strategy, |client, (a, narrow, missing)| {
        let b = narrowed(&a, narrow, missing);
        check::<i64, i64>(
            client,
            (&a, &b),
            &[("a + b", |a, b| a + b), ("a * b - a", |a, b| a * b - a), ("-b", |_, b| -b)],
        );
        check::<i64, bool>(client, (&a, &b), &[("a < b", |a, b| a.less(b)), ("a == b", |a, b| a.equal(b))]);
    });
    let strategy = (cases(0..4, any::<u8>()), any::<[bool; 4]>());
    property(15, strategy, |client, (a, narrow)| {
        let b = narrowed(&a, narrow, 0);
        check::<u8, u8>(client, (&a, &b), &[("a + b", |a, b| a + b), ("a * b", |a, b| a * b)]);
    });
    let strategy = (cases(0..4, -100.0..100.0f32), any::<[bool; 4]>());
    property(15, strategy, |client, (a, narrow)| {
        let b = narrowed(&a, narrow, 0);
        check::<f32, f32>(client, (&a, &b), &[("a + b", |a, b| a + b), ("a / b - b", |a, b| a / b - b)]);
    });
}
