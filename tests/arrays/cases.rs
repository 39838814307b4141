//! Random arrays, and how they are compared.

use ndarray::ArrayD;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serried::array::{Array, Element};
use serried::prelude::*;

/// An array in one piece, and the shape of the chunks in which it is to be cut.
#[derive(Debug, Clone)]
pub(crate) struct Case<T> {
    pub(crate) data: ArrayD<T>,
    pub(crate) chunk: Vec<usize>,
}

impl<T: Element> Case<T> {
    pub(crate) fn array(&self, client: &Client) -> Array<T> {
        Array::from_ndarray(client, &self.data, self.chunk.clone())
    }
}

/// Arrays of any shape of so many axes, lengths of 0 among them.
pub(crate) fn cases<T: Element, S: Strategy<Value = T> + Clone>(
    axes: std::ops::Range<usize>,
    elements: S,
) -> impl Strategy<Value = Case<T>> {
    proptest::collection::vec((0..8usize, 1..6usize), axes).prop_flat_map(move |lengths| {
        let (shape, chunk): (Vec<usize>, Vec<usize>) = lengths.into_iter().unzip();
        proptest::collection::vec(elements.clone(), shape.iter().product::<usize>()).prop_map(move |data| {
            let data = ArrayD::from_shape_vec(shape.as_slice(), data).expect("as many elements");
            Case { data, chunk: chunk.clone() }
        })
    })
}

/// Floats of all kinds.
pub(crate) fn floats() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        8 => -100.0..100.0f64,
        1 => any::<f64>(),
        1 => proptest::sample::select(vec![0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
    ]
}

/// Runs a property many times within one run on two threads.
pub(crate) fn property<S: Strategy + Sync>(
    cases: u32,
    strategy: S,
    check: impl Fn(&Client, S::Value) + Sync,
) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let run = |client: &Client| -> serried::Result<()> {
        let checked = TestRunner::new(config.clone()).run(&strategy, |case| {
            check(client, case);
            Ok(())
        });
        checked.unwrap_or_else(|failure| panic!("{failure}"));
        Ok(())
    };
    Builder::new().scheduler(Scheduler::Threads).workers(2).seed(1u64).run(run).expect("the run ends well");
}

/// The same to the last bit, but that any NaN is as good as another.
pub(crate) fn same<T: Element>(ours: &ArrayD<T>, theirs: &ArrayD<T>, what: &str) {
    assert_eq!(ours.shape(), theirs.shape(), "{what}");
    for (ours, theirs) in ours.iter().zip(theirs) {
        // A NaN differs from itself, and zeros differ in how they are written.
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"), "{what}");
    }
}

/// Nearly the same: sums are added in another order.
pub(crate) fn close(ours: &ArrayD<f64>, theirs: &ArrayD<f64>, tolerance: f64, what: &str) {
    assert_eq!(ours.shape(), theirs.shape(), "{what}");
    for (ours, theirs) in ours.iter().zip(theirs) {
        let near = (ours - theirs).abs() <= tolerance * theirs.abs().max(1.0);
        let equal = ours == theirs || (ours.is_nan() && theirs.is_nan());
        assert!(near || equal, "{what}: {ours} here, {theirs} in NumPy");
    }
}
