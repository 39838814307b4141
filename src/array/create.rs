//! Arrays that are made of nothing but the places of their elements, or of data at hand.

use super::array::Array;
use super::error::ArrayProblem;
use super::expression::{Generator, Kernel, Lane, Register, Stretch};
use super::layout::{Chunks, Layout, unravel};
use super::node::{Kind, Node, Source};
use super::traits::{Element, Number, Numeric};
use crate::{Bind, Block, Client, Function};
use ndarray::{Array as Dense, ArrayViewD, Dimension, Slice};
use std::panic::Location;

impl<T: Element> Array<T> {
    pub(super) fn generate(
        client: &Client,
        shape: &[usize],
        chunks: &Chunks,
        operation: &'static str,
        place: &Location<'_>,
        source: Source,
    ) -> Self {
        match Layout::new(shape, chunks, T::DTYPE.size()) {
            Ok(layout) => Array::of(Node::new(client, T::DTYPE, layout, operation, Kind::Generate(source))),
            Err(problem) => Array::broken(client, operation, place, problem),
        }
    }

    /// The elements `f(index)`, where `index` has one number for each axis.
    ///
    /// ```
    /// use serried::array::{Array, Chunks};
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let table = Array::from_fn(client, |index| (index[0] * index[1]) as i64, [10, 10], [4, 10]);
    ///     assert_eq!(table.compute()?[[7, 8]], 56);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn from_fn(
        client: &Client,
        f: fn(&[usize]) -> T,
        shape: impl AsRef<[usize]>,
        chunks: impl Into<Chunks>,
    ) -> Self {
        let shape = shape.as_ref();
        let source = Source {
            generator: Generator::Function { function: 0, shape: shape.to_vec() },
            function: Some(Function::bound::<fn(&[usize]) -> T, ByIndex>(f)),
            stream: None,
            weight: 10,
        };
        Array::generate(client, shape, &chunks.into(), "from_fn", Location::caller(), source)
    }

    /// The same value everywhere.
    #[track_caller]
    pub fn full(client: &Client, value: T, shape: impl AsRef<[usize]>, chunks: impl Into<Chunks>) -> Self {
        let source =
            Source { generator: Generator::Full(value.number()), function: None, stream: None, weight: 0 };
        Array::generate(client, shape.as_ref(), &chunks.into(), "full", Location::caller(), source)
    }

    /// An array of data at hand, dealt out to the ranks in chunks. For more than a few megabytes, make the
    /// data where they are used: with [`from_fn`](Self::from_fn), or from a file.
    ///
    /// ```
    /// use ndarray::array;
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::from_ndarray(client, &array![[1.0, 2.0], [3.0, 4.0]], [1, 2]);
    ///     assert_eq!(x.sum_axis(0).compute()?, array![4.0, 6.0].into_dyn());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn from_ndarray<D: Dimension>(
        client: &Client,
        data: &Dense<T, D>,
        chunks: impl Into<Chunks>,
    ) -> Self {
        let view: ArrayViewD<'_, T> = data.view().into_dyn();
        let place = Location::caller();
        let layout = match Layout::new(view.shape(), &chunks.into(), T::DTYPE.size()) {
            Ok(layout) => layout,
            Err(problem) => return Array::broken(client, "from_ndarray", place, problem),
        };
        let blocks = layout
            .chunks()
            .map(|chunk| {
                let part = view.slice_each_axis(|axis| Slice::from(chunk.range(axis.axis.index())));
                Block::from(part.as_standard_layout().into_owned())
            })
            .collect();
        match client.scatter(blocks) {
            Ok(tasks) => {
                let node = Node::tasks_of(client, T::DTYPE, layout, "from_ndarray", move || tasks.clone());
                Array::of(node)
            }
            Err(error) => {
                let problem = ArrayProblem::Argument(error.to_string());
                Array::broken(client, "from_ndarray", place, problem)
            }
        }
    }

    /// An array without axes that holds a value.
    pub fn scalar(client: &Client, value: T) -> Self {
        Array::of(Node::scalar(client, value.number()))
    }
}

impl<T: Numeric> Array<T> {
    /// Zeros.
    ///
    /// ```
    /// use serried::array::{Array, Chunks};
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::<f64>::zeros(client, [10_000, 10_000], Chunks::Auto);
    ///     println!("{x}");
    ///     assert_eq!((&x + 1.0).sum().compute()?, 1e8);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn zeros(client: &Client, shape: impl AsRef<[usize]>, chunks: impl Into<Chunks>) -> Self {
        Array::full(client, T::ZERO, shape, chunks)
    }

    /// Ones.
    #[track_caller]
    pub fn ones(client: &Client, shape: impl AsRef<[usize]>, chunks: impl Into<Chunks>) -> Self {
        Array::full(client, T::ONE, shape, chunks)
    }
}

impl<T: Number> Array<T> {
    /// The values from `start` in steps of `step` that do not reach `stop`, to the last bit those of NumPy's
    /// `arange`: element i is `start + i * step`, where the step of floats is the distance between the first
    /// two elements.
    #[track_caller]
    pub fn arange(client: &Client, start: T, stop: T, step: T, chunks: impl Into<Chunks>) -> Self {
        let place = Location::caller();
        let Some(length) = T::steps(start, stop, step) else {
            let problem = ArrayProblem::Argument(format!(
                "there is no way from {start} to {stop} in steps of {step}: give a step that is not 0, and finite ends"
            ));
            return Array::broken(client, "arange", place, problem);
        };
        let source = Source {
            generator: Generator::Arange { start: start.number(), step: step.number() },
            function: None,
            stream: None,
            weight: 1,
        };
        Array::generate(client, &[length], &chunks.into(), "arange", place, source)
    }
}

impl Array<f64> {
    /// `count` values at equal distances from `start` to `stop`, both included, as in NumPy.
    #[track_caller]
    pub fn linspace(client: &Client, start: f64, stop: f64, count: usize, chunks: impl Into<Chunks>) -> Self {
        let last = count.saturating_sub(1) as u64;
        let step = if last == 0 { stop - start } else { (stop - start) / last as f64 };
        let source = Source {
            generator: Generator::Linspace { start, step, last, stop },
            function: None,
            stream: None,
            weight: 2,
        };
        Array::generate(client, &[count], &chunks.into(), "linspace", Location::caller(), source)
    }
}

impl Array<i64> {
    /// The index of each element along an axis.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let shape = [3, 3];
    ///     let (i, j) = (Array::indices(client, 0, shape, shape), Array::indices(client, 1, shape, shape));
    ///     let identity = i.equal(&j).cast::<f64>();
    ///     assert_eq!(identity.compute()?, ndarray::Array2::<f64>::eye(3).into_dyn());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn indices(
        client: &Client,
        axis: usize,
        shape: impl AsRef<[usize]>,
        chunks: impl Into<Chunks>,
    ) -> Self {
        let (shape, place) = (shape.as_ref(), Location::caller());
        if axis >= shape.len() {
            let problem = ArrayProblem::NoSuchAxis { axis, shape: shape.to_vec() };
            return Array::broken(client, "indices", place, problem);
        }
        let source = Source {
            generator: Generator::Index { axis, shape: shape.to_vec() },
            function: None,
            stream: None,
            weight: 1,
        };
        Array::generate(client, shape, &chunks.into(), "indices", place, source)
    }
}

/// A function of the index.
struct ByIndex;

impl<T: Lane> Bind<fn(&[usize]) -> T> for ByIndex {
    type Output = Kernel;
    fn bind(f: fn(&[usize]) -> T) -> Kernel {
        Kernel::Index(Box::new(move |stretch: Stretch, shape: &[usize], out: &mut Register| {
            let values = T::values_mut(out);
            let mut index = unravel(stretch.first as usize, shape);
            for _ in 0..stretch.count {
                values.push(f(&index));
                advance(&mut index, stretch.step as usize, shape);
            }
        }))
    }
}

/// Moves an index on by `step` elements in C order; behind the last element comes the first.
fn advance(index: &mut [usize], mut step: usize, shape: &[usize]) {
    for (at, &length) in index.iter_mut().zip(shape).rev() {
        let moved = *at + step;
        if moved < length {
            *at = moved;
            return;
        }
        *at = moved % length;
        step = moved / length;
    }
}
