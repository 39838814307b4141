//! Random arrays: the same for every chunk shape, and any part of them alone.

use super::array::Array;
use super::error::ArrayProblem;
use super::expression::{Distribution, Generator, Kernel, Register};
use super::layout::Chunks;
use super::node::{Kind, Node, Source};
use super::traits::Element;
use crate::random::{Key, Stream};
use crate::{Bind, Client, Function, StreamHandle};
use std::panic::Location;

impl<T: Element> Array<T> {
    /// The array of a distribution. Each call has a key of its own.
    fn drawn(
        client: &Client,
        shape: &[usize],
        chunks: &Chunks,
        operation: &'static str,
        place: &Location<'_>,
        (distribution, function): (Distribution, Option<Function<Kernel>>),
    ) -> Self {
        let weight = if function.is_some() { 50 } else { 5 };
        let source = Source {
            generator: Generator::Random { stream: 0, distribution },
            function,
            stream: Some(client.stream().elements()),
            weight,
        };
        Array::generate(client, shape, &chunks.clone(), operation, place, source)
    }

    /// Elements drawn by `draw`, each from a random stream of its own: for the distributions of `rand_distr`
    /// and those of your own. To make its stream costs some 15 ns an element.
    ///
    /// ```
    /// use rand_distr::{Distribution, Gamma};
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let gamma = Array::random_with(
    ///         client,
    ///         |rng| Gamma::new(2.0, 1.0).expect("positive parameters").sample(rng),
    ///         [1000],
    ///         [300],
    ///     );
    ///     assert!(gamma.min().compute()? >= 0.0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn random_with(
        client: &Client,
        draw: fn(&mut Stream) -> T,
        shape: impl AsRef<[usize]>,
        chunks: impl Into<Chunks>,
    ) -> Self {
        let function = Function::bound::<fn(&mut Stream) -> T, ByStream>(draw);
        let distribution = Distribution::Function { function: 0 };
        let (shape, chunks) = (shape.as_ref(), chunks.into());
        Array::drawn(
            client,
            shape,
            &chunks,
            "random_with",
            Location::caller(),
            (distribution, Some(function)),
        )
    }

    /// Gives a random array the spawn key `key` instead of the number of its call. The same key for two
    /// pieces of work is refused, since their numbers would be equal.
    ///
    /// ```
    /// use serried::array::Array;
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// Builder::new().seed(42u64).run(|client| {
    ///     // numpy.random.Generator(PCG64DXSM(SeedSequence(42, spawn_key=(3, 7)))).random((5, 4))
    ///     let x = Array::random(client, [5, 4], [2, 2]).key(&Key::new([3, 7])?);
    ///     assert_eq!(x.compute()?[[0, 0]], 0.05432408175347603);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[must_use]
    #[track_caller]
    pub fn key(&self, key: &Key) -> Self {
        let handle: StreamHandle = self.client().stream_at(key);
        self.derive("key", Location::caller(), |node| match &node.kind {
            Kind::Generate(source) if source.stream.is_some() => {
                let source = Source { stream: Some(handle.elements()), ..source.clone() };
                Ok(Node::new(&node.client, node.dtype, node.layout.clone(), node.name, Kind::Generate(source)))
            }
            _ => Err(ArrayProblem::Argument(
                "only an array fresh from `random`, `normal` or their like has a key; give it before anything \
                 is done with the array"
                    .into(),
            )),
        })
    }
}

impl Array<f64> {
    /// Uniform values in [0, 1): with an explicit [`key`](Self::key), element for element NumPy's
    /// `Generator(PCG64DXSM(SeedSequence(seed, spawn_key=key))).random(shape)`.
    #[track_caller]
    pub fn random(client: &Client, shape: impl AsRef<[usize]>, chunks: impl Into<Chunks>) -> Self {
        let distribution = Distribution::Uniform { low: 0.0, high: 1.0 };
        Array::drawn(
            client,
            shape.as_ref(),
            &chunks.into(),
            "random",
            Location::caller(),
            (distribution, None),
        )
    }

    /// Uniform values in [`low`, `high`).
    #[track_caller]
    pub fn uniform(
        client: &Client,
        low: f64,
        high: f64,
        shape: impl AsRef<[usize]>,
        chunks: impl Into<Chunks>,
    ) -> Self {
        let place = Location::caller();
        let range = high - low;
        if !(range >= 0.0 && range.is_finite()) {
            let text = format!("uniform needs finite low <= high, not {low} and {high}");
            return Array::broken(client, "uniform", place, ArrayProblem::Argument(text));
        }
        let distribution = Distribution::Uniform { low, high };
        Array::drawn(client, shape.as_ref(), &chunks.into(), "uniform", place, (distribution, None))
    }

    /// Normal values of a given mean and standard deviation.
    ///
    /// ```
    /// use serried::array::Array;
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// Builder::new().seed(1u64).run(|client| {
    ///     let x = Array::normal(client, 10.0, 2.0, [1000, 1000], [300, 1000]);
    ///     assert!((x.mean().compute()? - 10.0).abs() < 0.02);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn normal(
        client: &Client,
        mean: f64,
        standard_deviation: f64,
        shape: impl AsRef<[usize]>,
        chunks: impl Into<Chunks>,
    ) -> Self {
        let place = Location::caller();
        if standard_deviation < 0.0 || standard_deviation.is_nan() {
            let text = format!("normal needs a standard deviation of 0 or more, not {standard_deviation}");
            return Array::broken(client, "normal", place, ArrayProblem::Argument(text));
        }
        let distribution = Distribution::Normal { mean, deviation: standard_deviation };
        Array::drawn(client, shape.as_ref(), &chunks.into(), "normal", place, (distribution, None))
    }

    /// Exponential values of a given scale, which is their mean.
    #[track_caller]
    pub fn exponential(
        client: &Client,
        scale: f64,
        shape: impl AsRef<[usize]>,
        chunks: impl Into<Chunks>,
    ) -> Self {
        let place = Location::caller();
        if scale < 0.0 || scale.is_nan() {
            let text = format!("exponential needs a scale of 0 or more, not {scale}");
            return Array::broken(client, "exponential", place, ArrayProblem::Argument(text));
        }
        let distribution = Distribution::Exponential { scale };
        Array::drawn(client, shape.as_ref(), &chunks.into(), "exponential", place, (distribution, None))
    }
}

impl Array<i64> {
    /// Uniform integers of `low..high`, without bias.
    #[track_caller]
    pub fn integers(
        client: &Client,
        low: i64,
        high: i64,
        shape: impl AsRef<[usize]>,
        chunks: impl Into<Chunks>,
    ) -> Self {
        let place = Location::caller();
        if low >= high {
            let text = format!("integers needs low < high, not {low} and {high}");
            return Array::broken(client, "integers", place, ArrayProblem::Argument(text));
        }
        let distribution = Distribution::Integers { low, high };
        Array::drawn(client, shape.as_ref(), &chunks.into(), "integers", place, (distribution, None))
    }
}

/// A function of the element's own stream.
struct ByStream;

impl<T: Element> Bind<fn(&mut Stream) -> T> for ByStream {
    type Output = Kernel;
    fn bind(draw: fn(&mut Stream) -> T) -> Kernel {
        Kernel::Random(Box::new(move |mut stream: Stream, out: &mut Register| {
            T::values_mut(out).push(draw(&mut stream));
        }))
    }
}
