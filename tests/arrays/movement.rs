//! Slices, transposes, joins and other shapes.

use crate::cases::{cases, property, same};
use crate::numpy::{numpy, try_numpy};
use proptest::prelude::*;
use serried::Block;
use serried::array::{Array, Span, every};

/// What is taken along an axis, and the same in Python.
fn spans() -> impl Strategy<Value = (Span, String)> {
    let end = -9..9isize;
    let step = prop_oneof![1..4isize, -3..0isize];
    prop_oneof![
        1 => Just((Span::from(..), ":".to_owned())),
        3 => (end.clone(), end.clone(), step.clone())
            .prop_map(|(start, stop, step)| (every(step, start..stop), format!("{start}:{stop}:{step}"))),
        2 => (end.clone(), step.clone())
            .prop_map(|(start, step)| (every(step, start..), format!("{start}::{step}"))),
        1 => step.prop_map(|step| (every(step, ..), format!("::{step}"))),
        1 => end.prop_map(|at| (Span::from(at), at.to_string())),
    ]
}

#[test]
fn slices_are_those_of_numpy() {
    let strategy = (cases(1..4, any::<i64>()), proptest::collection::vec(spans(), 1..4));
    property(150, strategy, |client, (a, spans)| {
        let (spans, texts): (Vec<Span>, Vec<String>) = spans.into_iter().take(a.data.ndim()).unzip();
        let expression = format!("a[{}]", texts.join(", "));
        let ours = a.array(client).slice(spans).compute();
        match try_numpy(&expression, &[("a", &Block::from(a.data.clone()))]) {
            None => {}
            Some(Ok(theirs)) => {
                let ours = ours.unwrap_or_else(|error| panic!("{expression}, {:?}: {error}", a.data.shape()));
                same(&ours, &theirs.into_array(), &expression);
            }
            Some(Err(error)) => assert!(ours.is_err(), "{expression}, {:?}: {error}", a.data.shape()),
        }
    });
}

#[test]
fn axes_are_turned_and_elements_put_in_other_shapes() {
    let strategy = (cases(1..5, any::<i32>()), any::<prop::sample::Index>(), 1..9usize);
    property(60, strategy, |client, (a, turn, side)| {
        let (x, block) = (a.array(client), Block::from(a.data.clone()));
        let axes = a.data.ndim();
        let order: Vec<usize> = (0..axes).map(|axis| (axis * (axes - 1) + turn.index(axes)) % axes).collect();
        let is_order = (0..axes).all(|axis| order.contains(&axis));
        let mut cases = vec![
            ("a.T".to_owned(), x.t()),
            ("a.reshape(-1)".to_owned(), x.flatten()),
            (format!("a.reshape({:?})[::-1]", [a.data.len(), 1]), {
                x.reshape([a.data.len(), 1]).slice([every(-1, ..)])
            }),
            ("a".to_owned(), x.rechunk(vec![side; axes])),
        ];
        if is_order {
            cases.push((format!("a.transpose({order:?})"), x.permute_axes(&order)));
        }
        for (expression, ours) in cases {
            if let Some(theirs) = numpy::<i32>(&expression, &[("a", &block)]) {
                same(&ours.compute().expect("it runs"), &theirs, &expression);
            }
        }
    });
}

#[test]
fn joins() {
    let strategy = (cases(1..4, any::<f64>()), any::<prop::sample::Index>(), 0..6isize);
    property(60, strategy, |client, (a, axis, rows)| {
        let (x, block) = (a.array(client), Block::from(a.data.clone()));
        let axis = axis.index(a.data.ndim());
        let mut spans = vec![Span::from(..); axis];
        spans.push(Span::from(..rows));
        let part = x.slice(&spans);
        let cut = format!("a[{}:{rows}]", ":, ".repeat(axis));
        let joined = Array::concatenate(client, axis, &[part, x.clone(), &x + 1.0]);
        let stacked = Array::stack(client, axis, &[x.clone(), -&x]);
        for (expression, ours) in [
            (format!("np.concatenate([{cut}, a, a + 1], {axis})"), joined),
            (format!("np.stack([a, -a], {axis})"), stacked),
        ] {
            if let Some(theirs) = numpy::<f64>(&expression, &[("a", &block)]) {
                same(&ours.compute().expect("it runs"), &theirs, &expression);
            }
        }
    });
}
