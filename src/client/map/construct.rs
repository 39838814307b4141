//! The ways to make a map: plain or fallible, with streams, with shared values.

use super::{
    super::{arena::Label, client::Client, source::Source},
    Map,
};
use crate::random::Stream;
use crate::task::{
    Args, Build,
    pipeline::{BuiltStage, Each, Expand, ExpandWith, Fallible, Plain, Random, RandomWith, With},
};
use crate::wire::Value;
use std::{fmt::Display, panic::Location};

impl Client {
    /// Applies `function` to every element of `source`.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let squares = client.map(|i| i * i, 0..10u64);
    ///     assert_eq!(squares.compute()?, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
    ///     assert_eq!(squares.reduce(|a, b| a + b).compute()?, 285);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn map<T, R, S>(&self, function: fn(T) -> R, source: S) -> Map<R>
    where
        T: Clone + Send + 'static,
        R: Value + Clone,
        S: Source<Item = T>,
    {
        self.stage::<_, _, Each<Plain>, _>(function, source, (), false, Location::caller())
    }

    /// As [`map`](Self::map), for a function that may fail: an `Err` is a failure of the element.
    #[track_caller]
    pub fn try_map<T, R, E, S>(&self, function: fn(T) -> Result<R, E>, source: S) -> Map<R>
    where
        T: Clone + Send + 'static,
        R: Value + Clone,
        E: Display + 'static,
        S: Source<Item = T>,
    {
        self.stage::<_, _, Each<Fallible>, _>(function, source, (), false, Location::caller())
    }

    /// Applies `function` to every element and a random stream of the element's own.
    ///
    /// The stream belongs to the element: it is the same on whatever rank and thread the element is
    /// computed, and however often. Unless [`Map::key`] says otherwise its key is the number of this call
    /// and the element's number: of a range of integers the integer, else the position in the source.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// Builder::new().seed(42u64).run(|client| {
    ///     let darts = client.map_random(|_, mut rng| {
    ///         let (x, y) = (rng.random(), rng.random());
    ///         u64::from(x * x + y * y < 1.0)
    ///     }, 0..10_000u64);
    ///     let pi = 4.0 * darts.reduce(|a, b| a + b).compute()? as f64 / 10_000.0;
    ///     assert!((pi - std::f64::consts::PI).abs() < 0.1);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn map_random<T, R, S>(&self, function: fn(T, Stream) -> R, source: S) -> Map<R>
    where
        T: Clone + Send + 'static,
        R: Value + Clone,
        S: Source<Item = T>,
    {
        self.stage::<_, _, Random<Plain>, _>(function, source, (), true, Location::caller())
    }

    /// As [`map_random`](Self::map_random), for a function that may fail.
    #[track_caller]
    pub fn try_map_random<T, R, E, S>(&self, function: fn(T, Stream) -> Result<R, E>, source: S) -> Map<R>
    where
        T: Clone + Send + 'static,
        R: Value + Clone,
        E: Display + 'static,
        S: Source<Item = T>,
    {
        self.stage::<_, _, Random<Fallible>, _>(function, source, (), true, Location::caller())
    }

    /// Applies `function` to every element, with values that are common to all of them.
    ///
    /// `shared` is a tuple of values and handles, as the arguments of a task; it is sent once to each rank.
    /// The function sees the tuple by reference, a handle given by reference as an `Arc`.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let table = client.broadcast(vec![1.0, 10.0, 100.0])?;
    ///     let scaled = client.map_with(|i, (table, factor)| table[i] * factor, 0..3, (&table, 2.0));
    ///     assert_eq!(scaled.compute()?, [2.0, 20.0, 200.0]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn map_with<T, W, R, S, A>(&self, function: fn(T, &W) -> R, source: S, shared: A) -> Map<R>
    where
        T: Clone + Send + 'static,
        W: Send + Sync + 'static,
        R: Value + Clone,
        S: Source<Item = T>,
        A: Args<Values = W>,
    {
        self.stage::<_, _, With<A, Plain>, _>(function, source, shared, false, Location::caller())
    }

    /// As [`map_with`](Self::map_with), for a function that may fail.
    #[track_caller]
    pub fn try_map_with<T, W, R, E, S, A>(
        &self,
        function: fn(T, &W) -> Result<R, E>,
        source: S,
        shared: A,
    ) -> Map<R>
    where
        T: Clone + Send + 'static,
        W: Send + Sync + 'static,
        R: Value + Clone,
        E: Display + 'static,
        S: Source<Item = T>,
        A: Args<Values = W>,
    {
        self.stage::<_, _, With<A, Fallible>, _>(function, source, shared, false, Location::caller())
    }

    /// [`map_random`](Self::map_random) and [`map_with`](Self::map_with) in one: an element, its stream, and
    /// the shared values.
    #[track_caller]
    pub fn map_random_with<T, W, R, S, A>(
        &self,
        function: fn(T, Stream, &W) -> R,
        source: S,
        shared: A,
    ) -> Map<R>
    where
        T: Clone + Send + 'static,
        W: Send + Sync + 'static,
        R: Value + Clone,
        S: Source<Item = T>,
        A: Args<Values = W>,
    {
        self.stage::<_, _, RandomWith<A, Plain>, _>(function, source, shared, true, Location::caller())
    }

    /// As [`map_random_with`](Self::map_random_with), for a function that may fail.
    #[track_caller]
    pub fn try_map_random_with<T, W, R, E, S, A>(
        &self,
        function: fn(T, Stream, &W) -> Result<R, E>,
        source: S,
        shared: A,
    ) -> Map<R>
    where
        T: Clone + Send + 'static,
        W: Send + Sync + 'static,
        R: Value + Clone,
        E: Display + 'static,
        S: Source<Item = T>,
        A: Args<Values = W>,
    {
        self.stage::<_, _, RandomWith<A, Fallible>, _>(function, source, shared, true, Location::caller())
    }

    /// Makes any number of elements of every element of `source`, in their order.
    ///
    /// The iterator is advanced as its elements are needed and they are used at once, so what one element of
    /// the source stands for, a file say, may be larger than memory: by default a thread holds up to about a
    /// thousand of them, with [`Map::batch`] one.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let numbers = client.flat_map(|n| 0..n, 0..5u64);
    ///     assert_eq!(numbers.compute()?, [0, 0, 1, 0, 1, 2, 0, 1, 2, 3]);
    ///     assert_eq!(numbers.count().compute()?, 10);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn flat_map<T, R, I, S>(&self, function: fn(T) -> I, source: S) -> Map<R>
    where
        T: Clone + Send + 'static,
        R: Value + Clone,
        I: Iterator<Item = R> + 'static,
        S: Source<Item = T>,
    {
        self.stage::<_, _, Expand<Plain>, _>(function, source, (), false, Location::caller()).expanded()
    }

    /// As [`flat_map`](Self::flat_map), with values that are common to all elements as in
    /// [`map_with`](Self::map_with), and an iterator whose elements may be failures: the element of the source
    /// has failed then, and nothing more is made of it. It is not tried again, whatever [`Map::retries`] says.
    #[track_caller]
    pub fn try_flat_map_with<T, W, R, E, I, S, A>(
        &self,
        function: fn(T, &W) -> I,
        source: S,
        shared: A,
    ) -> Map<R>
    where
        T: Clone + Send + 'static,
        W: Send + Sync + 'static,
        R: Value + Clone,
        E: Display + 'static,
        I: Iterator<Item = Result<R, E>> + 'static,
        S: Source<Item = T>,
        A: Args<Values = W>,
    {
        self.stage::<_, _, ExpandWith<A, Fallible>, _>(function, source, shared, false, Location::caller())
            .expanded()
    }

    fn stage<F, R, B, A>(
        &self,
        function: F,
        source: impl Source,
        shared: A,
        random: bool,
        place: &'static Location<'static>,
    ) -> Map<R>
    where
        F: Copy + 'static,
        B: Build<F, Output = BuiltStage>,
        A: Args,
    {
        let from = source.into_node(&self.core);
        Map::behind::<F, B, A>(from, function, &shared, random, Label::Place(place))
    }
}
