//! Numbers in steps, to the last bit.

use crate::cases::{property, same};
use crate::numpy::try_numpy;
use proptest::prelude::*;
use serried::Block;
use serried::array::{Array, Number};

fn check<T: Number>(ours: &Array<T>, expression: &str, numbers: &[T]) {
    let blocks: Vec<Block> = numbers.iter().map(|&number| Block::from_vec(&[1], vec![number])).collect();
    let names = ["a", "b", "c"];
    let arrays: Vec<(&str, &Block)> = names.into_iter().zip(&blocks).collect();
    let Some(theirs) = try_numpy(expression, &arrays) else { return };
    match (ours.compute(), theirs) {
        (Ok(ours), Ok(theirs)) => same(&ours, &theirs.into_array(), &format!("{expression} of {numbers:?}")),
        (Err(_), Err(_)) => {}
        (ours, theirs) => panic!("{expression} of {numbers:?}: {ours:?} here, {theirs:?} in NumPy"),
    }
}

#[test]
fn ranges_of_floats_are_those_of_numpy() {
    let start = || prop_oneof![-10.0..10.0f64, Just(0.0), Just(-0.0), Just(0.1), any::<f64>()];
    let step = || {
        prop_oneof![0.001..1.0f64, Just(0.1), Just(1.0 / 3.0), Just(0.0), Just(f64::INFINITY), any::<f64>()]
    };
    property(300, (start(), step(), -3.0..200.0f64, 1..50usize), |client, (start, step, count, chunk)| {
        let ours = |start: f64, stop: f64, step: f64| Array::arange(client, start, stop, step, chunk);
        let stop = start + step * count;
        let few = ((stop - start) / step).abs() < 1000.0 || step.is_infinite() || step == 0.0;
        if few {
            check(&ours(start, stop, step), "np.arange(a[0], b[0], c[0])", &[start, stop, step]);
            check(&ours(start, stop, -step), "np.arange(a[0], b[0], c[0])", &[start, stop, -step]);
            // Any part of it alone is the same.
            let part = ours(start, stop, step).slice([serried::array::every(-3, ..)]);
            check(&part, "np.arange(a[0], b[0], c[0])[::-3]", &[start, stop, step]);
        }
        let (start, stop, step) = (start as f32, stop as f32, step as f32);
        if ((stop - start) / step).abs() < 1000.0 {
            let ours = Array::arange(client, start, stop, step, chunk);
            check(&ours, "np.arange(a[0], b[0], c[0], np.float32)", &[start, stop, step]);
        }
    });
}

#[test]
fn ranges_of_integers_are_those_of_numpy() {
    property(
        60,
        (any::<i8>(), any::<i8>(), any::<i8>(), 1..50usize),
        |client, (start, stop, step, chunk)| {
            let [start, stop, step] = [start, stop, step].map(i64::from);
            let ours = Array::arange(client, start, stop, step, chunk);
            check(&ours, "np.arange(a[0], b[0], c[0])", &[start, stop, step]);
        },
    );
}

#[test]
fn numbers_at_equal_distances_are_those_of_numpy() {
    let end = || prop_oneof![-10.0..10.0f64, any::<f64>(), Just(5e-324), Just(f64::INFINITY), Just(0.0)];
    property(150, (end(), end(), 0..200usize, 1..50usize), |client, (start, stop, count, chunk)| {
        let ours = Array::linspace(client, start, stop, count, chunk);
        check(&ours, &format!("np.linspace(a[0], b[0], {count})"), &[start, stop]);
    });
}
