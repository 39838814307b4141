//! Reductions over any set of axes.

use crate::cases::{cases, close, floats, property, same};
use crate::numpy::{numpy, try_numpy};
use proptest::prelude::*;
use serried::Block;
use serried::array::Axes;

/// Some of the axes, and the same as Python writes them.
fn chosen(ndim: usize, choice: [bool; 4]) -> (Vec<usize>, String) {
    let axes: Vec<usize> = (0..ndim).filter(|&axis| choice[axis]).collect();
    let text: String = axes.iter().map(|axis| format!("{axis},")).collect();
    (axes, format!("({text})"))
}

#[test]
fn sums_and_their_like() {
    let strategy = (cases(0..5, -100.0..100.0f64), any::<[bool; 4]>());
    property(80, strategy, |client, (a, choice)| {
        let (axes, text) = chosen(a.data.ndim(), choice);
        let along = || Axes::from(axes.as_slice());
        let (x, block) = (a.array(client), Block::from(a.data.clone()));
        for (expression, ours) in [
            (format!("a.sum({text})"), x.sum_axis(along())),
            (format!("np.prod(a / 50, {text})"), (&x / 50.0).product_axis(along())),
        ] {
            if let Some(theirs) = numpy::<f64>(&expression, &[("a", &block)]) {
                close(&ours.compute().expect("it runs"), &theirs, 1e-11, &expression);
            }
        }
        // Of nothing there is no mean and no least element, here or there.
        let count: usize = axes.iter().map(|&axis| a.data.shape()[axis]).product();
        if count > 0 {
            for (expression, ours) in [
                (format!("a.mean({text})"), x.mean_axis(along())),
                (format!("a.var({text})"), x.var_axis(along())),
                (format!("a.std({text})"), x.std_axis(along())),
                (format!("a.min({text})"), x.min_axis(along())),
                (format!("a.max({text})"), x.max_axis(along())),
            ] {
                if let Some(theirs) = numpy::<f64>(&expression, &[("a", &block)]) {
                    close(&ours.compute().expect("it runs"), &theirs, 1e-11, &expression);
                }
            }
        } else {
            let refused = try_numpy(&format!("a.min({text})"), &[("a", &block)]);
            let here = x.min_axis(along()).compute();
            assert!(refused.is_none_or(|theirs| theirs.is_err() == here.is_err()), "{:?} {text}", a.data);
        }
        let expression = format!("(a > 0).any({text})");
        if let Some(theirs) = numpy::<bool>(&expression, &[("a", &block)]) {
            same(&x.greater(0.0).any_axis(along()).compute().expect("it runs"), &theirs, &expression);
        }
    });
}

#[test]
fn nan_and_infinity() {
    let strategy = (cases(1..4, floats()), any::<[bool; 4]>());
    property(60, strategy, |client, (a, choice)| {
        if a.data.is_empty() {
            return;
        }
        let (axes, text) = chosen(a.data.ndim(), choice);
        let along = || Axes::from(axes.as_slice());
        let (x, block) = (a.array(client), Block::from(a.data.clone()));
        for (expression, ours) in [
            (format!("a.min({text}) + 0.0"), x.min_axis(along()) + 0.0),
            (format!("a.max({text}) + 0.0"), x.max_axis(along()) + 0.0),
        ] {
            if let Some(theirs) = numpy::<f64>(&expression, &[("a", &block)]) {
                close(&ours.compute().expect("it runs"), &theirs, 0.0, &expression);
            }
        }
        for axis in axes {
            let expression = format!("a.argmin({axis})");
            if let Some(theirs) = numpy::<i64>(&expression, &[("a", &block)]) {
                same(&x.argmin_axis(axis).compute().expect("it runs"), &theirs, &expression);
            }
        }
    });
}

#[test]
fn integers_are_added_as_in_numpy() {
    let strategy = (cases(0..4, any::<i32>()), any::<[bool; 4]>());
    property(40, strategy, |client, (a, choice)| {
        let (axes, text) = chosen(a.data.ndim(), choice);
        let (x, block) = (a.array(client), Block::from(a.data.clone()));
        let expression = format!("a.sum({text})");
        if let Some(theirs) = numpy::<i64>(&expression, &[("a", &block)]) {
            let ours = x.sum_axis(Axes::from(axes.as_slice())).compute().expect("it runs");
            same(&ours, &theirs, &expression);
        }
    });
}
