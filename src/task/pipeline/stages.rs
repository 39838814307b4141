//! Stages: the user's function applied to every element, in its different shapes.

use super::{
    Block, BuiltStage, Consumer, Elements, Stage, Work,
    elements::Position,
    streams::{ElementStreams, Keys},
};
use crate::random::Stream;
use crate::task::{Args, Build, Failure, Inputs, arguments::InputsRef, contain};
use serde::{Deserialize, Serialize};
use std::{fmt::Display, marker::PhantomData, sync::Arc};

/// What every stage knows besides its function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StageHeader {
    pub(crate) label: String,
    pub(crate) retries: u32,
    pub(crate) key: Option<Keys>,
}

/// What a function's return value means.
pub(crate) trait Finish<X>: 'static {
    type Value;
    fn finish(returned: X) -> Result<Self::Value, Failure>;
}

/// The return value is the result.
#[derive(Debug)]
pub(crate) struct Plain;

impl<X> Finish<X> for Plain {
    type Value = X;
    #[inline]
    fn finish(returned: X) -> Result<X, Failure> {
        Ok(returned)
    }
}

/// The return value is a `Result` whose `Err` is a failure of the task.
#[derive(Debug)]
pub(crate) struct Fallible;

impl<X, E: Display> Finish<Result<X, E>> for Fallible {
    type Value = X;
    #[inline]
    fn finish(returned: Result<X, E>) -> Result<X, Failure> {
        returned.map_err(Failure::error)
    }
}

struct MapStage<T, C> {
    header: StageHeader,
    call: C,
    input: PhantomData<fn(T)>,
}

impl<T: Clone + Send + 'static, C> Consumer for MapStage<T, C> {
    fn duplicate(&self, block: &Block) -> Block {
        block.copy::<T>()
    }
}

impl<T, R, C> Stage for MapStage<T, C>
where
    T: Clone + Send + 'static,
    R: Send + 'static,
    C: Fn(Position<'_>, T) -> Result<R, Failure> + Send + Sync,
{
    fn apply(&self, block: Block, work: &mut Work<'_>) -> Block {
        let mut input: Elements<T> = block.typed();
        let values = std::mem::take(&mut input.values);
        let total = values.len();
        let mut results = Vec::with_capacity(total);
        let mut failed = Vec::new();
        let mut rest = values.into_iter();
        while rest.len() > 0 {
            // One guard around as many elements as go well: entering it costs nothing per element.
            let stopped = contain(|| {
                for (position, value) in (total - rest.len()..).zip(rest.by_ref()) {
                    results.push(self.element(input.position(position), value)?);
                }
                Ok(())
            });
            let position = total - rest.len();
            let failure = match stopped {
                Ok(Ok(())) => break,
                Ok(Err(failed)) => failed,
                Err(panicked) => (panicked, 1),
            };
            failed.push(position - 1);
            let index = input.index(position - 1);
            work.fail(failure.0, &self.header.label, index, failure.1);
        }
        without(&input, &failed, results).into_block()
    }
}

impl<T: Clone, R, C: Fn(Position<'_>, T) -> Result<R, Failure>> MapStage<T, C> {
    #[inline]
    fn element(&self, position: Position<'_>, value: T) -> Result<R, (Failure, u32)> {
        if self.header.retries == 0 {
            return (self.call)(position, value).map_err(|failure| (failure, 1));
        }
        let mut attempt = 1;
        loop {
            let again = value.clone();
            match contain(|| (self.call)(position, again)).and_then(|result| result) {
                Ok(result) => return Ok(result),
                Err(failure) if attempt > self.header.retries => return Err((failure, attempt)),
                Err(_) => attempt += 1,
            }
        }
    }
}

/// The results of `input` without the elements at the positions `missing`.
pub(super) fn without<T: Send + 'static, R: Send + 'static>(
    input: &Elements<T>,
    missing: &[usize],
    values: Vec<R>,
) -> Elements<R> {
    if missing.is_empty() {
        let (indices, siblings) = (input.indices.clone(), input.siblings.clone());
        return Elements { range: input.range.clone(), indices, siblings, values };
    }
    let total = values.len() + missing.len();
    let mut skip = missing.iter().peekable();
    let (mut indices, mut siblings) = (Vec::with_capacity(values.len()), input.siblings.some());
    for position in (0..total).filter(|position| skip.next_if_eq(&position).is_none()) {
        indices.push(input.index(position));
        siblings.push(input.siblings.of(position), None);
    }
    Elements { range: input.range.clone(), indices: Some(indices), siblings, values }
}

fn built<T, R, C>(header: StageHeader, call: C) -> BuiltStage
where
    T: Clone + Send + 'static,
    R: Send + 'static,
    C: Fn(Position<'_>, T) -> Result<R, Failure> + Send + Sync + 'static,
{
    Ok(Arc::new(MapStage { header, call, input: PhantomData }))
}

pub(super) fn header(inputs: &mut Inputs<'_>) -> Result<StageHeader, Failure> {
    inputs.constant()
}

fn streams(header: &StageHeader, inputs: &Inputs<'_>) -> ElementStreams {
    header.key.as_ref().expect("a map with streams has a key").streams(inputs)
}

pub(super) fn shared<A: Args>(inputs: &mut Inputs<'_>) -> Result<A::Values, Failure> {
    A::unpack(&mut InputsRef(inputs)).map_err(|failure| failure.0)
}

/// `fn(T) -> X`.
pub(crate) struct Each<M>(PhantomData<M>);

impl<T, X, M> Build<fn(T) -> X> for Each<M>
where
    T: Clone + Send + 'static,
    X: 'static,
    M: Finish<X, Value: Send + 'static>,
{
    type Output = BuiltStage;
    fn build(function: fn(T) -> X, inputs: &mut Inputs<'_>) -> BuiltStage {
        built(header(inputs)?, move |_, value: T| M::finish(function(value)))
    }
}

/// `fn(T, Stream) -> X`: every element has a stream of its own.
pub(crate) struct Random<M>(PhantomData<M>);

impl<T, X, M> Build<fn(T, Stream) -> X> for Random<M>
where
    T: Clone + Send + 'static,
    X: 'static,
    M: Finish<X, Value: Send + 'static>,
{
    type Output = BuiltStage;
    fn build(function: fn(T, Stream) -> X, inputs: &mut Inputs<'_>) -> BuiltStage {
        let header = header(inputs)?;
        let streams = streams(&header, inputs);
        built(header, move |position, value: T| M::finish(function(value, streams.stream(position))))
    }
}

/// `fn(T, &W) -> X`: all elements see the same values `W`.
pub(crate) struct With<A, M>(PhantomData<(A, M)>);

impl<T, X, A, M> Build<fn(T, &A::Values) -> X> for With<A, M>
where
    T: Clone + Send + 'static,
    X: 'static,
    A: Args<Values: Send + Sync + 'static>,
    M: Finish<X, Value: Send + 'static>,
{
    type Output = BuiltStage;
    fn build(function: fn(T, &A::Values) -> X, inputs: &mut Inputs<'_>) -> BuiltStage {
        let header = header(inputs)?;
        let shared = shared::<A>(inputs)?;
        built(header, move |_, value: T| M::finish(function(value, &shared)))
    }
}

/// `fn(T, Stream, &W) -> X`.
pub(crate) struct RandomWith<A, M>(PhantomData<(A, M)>);

impl<T, X, A, M> Build<fn(T, Stream, &A::Values) -> X> for RandomWith<A, M>
where
    T: Clone + Send + 'static,
    X: 'static,
    A: Args<Values: Send + Sync + 'static>,
    M: Finish<X, Value: Send + 'static>,
{
    type Output = BuiltStage;
    fn build(function: fn(T, Stream, &A::Values) -> X, inputs: &mut Inputs<'_>) -> BuiltStage {
        let header = header(inputs)?;
        let streams = streams(&header, inputs);
        let shared = shared::<A>(inputs)?;
        let call = move |position: Position<'_>, value: T| {
            M::finish(function(value, streams.stream(position), &shared))
        };
        built(header, call)
    }
}

/// `fn(&T) -> bool`: keeps the elements for which it is true.
pub(crate) struct Filter<T>(PhantomData<T>);

struct FilterStage<T> {
    header: StageHeader,
    keep: fn(&T) -> bool,
}

impl<T: Clone + Send + 'static> Build<fn(&T) -> bool> for Filter<T> {
    type Output = BuiltStage;
    fn build(keep: fn(&T) -> bool, inputs: &mut Inputs<'_>) -> BuiltStage {
        Ok(Arc::new(FilterStage { header: header(inputs)?, keep }))
    }
}

impl<T: Clone + Send + 'static> Consumer for FilterStage<T> {
    fn duplicate(&self, block: &Block) -> Block {
        block.copy::<T>()
    }
}

impl<T: Clone + Send + 'static> Stage for FilterStage<T> {
    fn apply(&self, block: Block, work: &mut Work<'_>) -> Block {
        let mut input: Elements<T> = block.typed();
        let values = std::mem::take(&mut input.values);
        let (mut indices, mut siblings) = (Vec::new(), input.siblings.some());
        let mut kept = Vec::new();
        for (position, value) in values.into_iter().enumerate() {
            let index = input.index(position);
            match contain(|| (self.keep)(&value)) {
                Ok(true) => {
                    indices.push(index);
                    siblings.push(input.siblings.of(position), None);
                    kept.push(value);
                }
                Ok(false) => {}
                Err(failure) => work.fail(failure, &self.header.label, index, 1),
            }
        }
        Elements { range: input.range, indices: Some(indices), siblings, values: kept }.into_block()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::RankContext;

    fn stage(retries: u32, call: fn(u64) -> Result<u64, String>) -> Arc<dyn Stage> {
        let header = StageHeader { label: "f".into(), retries, key: None };
        built(header, move |_, value: u64| Fallible::finish(call(value))).expect("built")
    }

    fn run(stage: &dyn Stage, count: u64) -> (Elements<u64>, Vec<(u32, crate::task::TaskError)>) {
        crate::task::install_hook();
        let context = RankContext::for_tests(3);
        let mut work = Work { context: &context, operator: 0, piece: 1, failures: Vec::new() };
        let block = Elements::dense(10..10 + count, (10..10 + count).collect()).into_block();
        let out = stage.apply(block, &mut work).typed();
        (out, work.failures)
    }

    #[test]
    fn failed_elements_are_left_out_and_named() {
        let odd = |x: u64| match x % 4 {
            1 => Err(format!("{x} is odd")),
            3 => panic!("{x} is worse"),
            _ => Ok(x * 2),
        };
        let (out, failures) = run(&*stage(0, odd), 6);
        assert_eq!(out.values, [20, 24, 28]);
        assert_eq!(out.indices, Some(vec![10, 12, 14]));
        let told: Vec<_> = failures.iter().map(|(_, e)| (e.index, e.rank, e.message.clone())).collect();
        assert_eq!(told.len(), 3);
        assert!(told[0].2.starts_with("11 is worse (at "), "{told:?}");
        assert_eq!(told[1], (Some(13), 3, "13 is odd".to_owned()));
    }

    #[test]
    fn a_failed_element_is_tried_again_as_often_as_asked() {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let flaky = |x: u64| {
            if x == 11 && CALLS.fetch_add(1, Relaxed) < 2 { panic!("not yet") } else { Ok(x) }
        };
        let (out, failures) = run(&*stage(2, flaky), 3);
        assert_eq!(out.values, [10, 11, 12]);
        assert!(failures.is_empty());
        let never = |x: u64| {
            if x == 12 { Err("never".to_owned()) } else { Ok(x) }
        };
        let (_, failures) = run(&*stage(2, never), 3);
        assert_eq!(failures[0].1.attempts, 3);
    }
}
