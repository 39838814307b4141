//! Slices, transposes, joins and other shapes.

use crate::cases::{cases, property, same};
use crate::numpy::{numpy, try_numpy};
use proptest::prelude::*;
use serried::Block;
use serried::array::{Array, Span, every};

/// The stop of a slice in NumPy whose last element may be `last`: the place beside it, and nothing where that
/// would be counted from the other end.
fn behind(last: isize, step: isize) -> String {
    match (step > 0, last) {
        (true, -1) => String::new(),
        (true, _) => (i128::try_from(last).expect("wide") + 1).to_string(),
        (false, 0) => String::new(),
        (false, _) => (i128::try_from(last).expect("wide") - 1).to_string(),
    }
}

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
        2 => (end.clone(), step.clone())
            .prop_map(|(stop, step)| (every(step, ..stop), format!(":{stop}:{step}"))),
        1 => step.clone().prop_map(|step| (every(step, ..), format!("::{step}"))),
        3 => (end.clone(), end.clone(), step.clone()).prop_map(|(start, last, step)| {
            (every(step, start..=last), format!("{start}:{}:{step}", behind(last, step)))
        }),
        2 => (end.clone(), step)
            .prop_map(|(last, step)| (every(step, ..=last), format!(":{}:{step}", behind(last, step)))),
        1 => (prop::sample::select(vec![isize::MIN, isize::MIN + 1, -1, 0, 1, isize::MAX]), any::<bool>())
            .prop_map(|(end, backwards)| {
                let step = if backwards { isize::MIN } else { isize::MAX };
                (every(step, end..=end), format!("{end}:{}:{step}", behind(end, step)))
            }),
        1 => end.prop_map(|at| (Span::from(at), at.to_string())),
    ]
}

#[test]
fn slices_are_those_of_numpy() {
    let strategy = (cases(1..4, any::<i64>()), proptest::collection::vec(spans(), 1..4));
    property(300, strategy, |client, (a, spans)| {
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
#[allow(clippy::reversed_empty_ranges)] // They are gone through backwards.
fn ranges_with_their_end_go_backwards_too() {
    property(1, Just(()), |client, ()| {
        let x = Array::arange(client, 0i64, 10, 1, 4);
        for (span, expected) in [
            (every(-1, 5..=0), vec![5, 4, 3, 2, 1, 0]),
            (every(-1, 5..=5), vec![5]),
            (every(-1, 5..=6), vec![]),
            (every(-2, 5..=0), vec![5, 3, 1]),
            (every(-2, 5..=1), vec![5, 3, 1]),
            (every(-1, -1..=-3), vec![9, 8, 7]),
            (every(-1, -1..=7), vec![9, 8, 7]),
            (every(-1, 2..=-10), vec![2, 1, 0]),
            (every(-1, 2..=-100), vec![2, 1, 0]),
            (every(-1, 100..=8), vec![9, 8]),
            (every(-1, ..=8), vec![9, 8]),
            (every(-1, 1..), vec![1, 0]),
            (every(1, 8..=-1), vec![8, 9]),
            (every(1, ..=1), vec![0, 1]),
            (every(1, 3..=isize::MAX), vec![3, 4, 5, 6, 7, 8, 9]),
            (every(-1, 3..=isize::MIN), vec![3, 2, 1, 0]),
            (every(isize::MIN, 3..=0), vec![3]),
            (every(isize::MAX, 3..), vec![3]),
        ] {
            let found = x.slice([span]).compute().expect("it runs").into_raw_vec_and_offset().0;
            assert_eq!(found, expected, "{span:?}");
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
