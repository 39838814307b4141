//! Stages that make any number of elements of one, a few at a time: what an element stands for may be larger
//! than memory.

use super::{
    Block, BuiltStage, Consumer, Elements, Finish, Stage, StageHeader, Work,
    stages::{header, shared},
};
use crate::task::{Args, Build, Failure, Inputs, contain};
use std::{marker::PhantomData, sync::Arc};

struct ExpandStage<T, C> {
    header: StageHeader,
    call: C,
    input: PhantomData<fn(T)>,
}

impl<T: Clone + Send + 'static, C> Consumer for ExpandStage<T, C> {
    fn duplicate(&self, block: &Block) -> Block {
        block.copy::<T>()
    }
}

impl<T, R, I, C> Stage for ExpandStage<T, C>
where
    T: Clone + Send + 'static,
    R: Clone + Send + 'static,
    I: Iterator<Item = Result<R, Failure>>,
    C: Fn(T) -> I + Send + Sync,
{
    fn apply(&self, block: Block, work: &mut Work<'_>) -> Block {
        let mut all: Option<Elements<R>> = None;
        let mut pending = super::elements::Pending::default();
        self.stream(block, work, &mut |block, _| {
            if let Some(elements) = pending.join(block) {
                all = Some(elements);
            }
        });
        all.expect("the last block is not open").into_block()
    }

    fn stream(&self, block: Block, work: &mut Work<'_>, emit: &mut dyn FnMut(Block, &mut Work<'_>)) {
        let open = block.open;
        let mut input: Elements<T> = block.typed();
        let values = std::mem::take(&mut input.values);
        let mut results: Elements<R> = Elements {
            range: input.range.clone(),
            indices: Some(Vec::new()),
            siblings: input.siblings.deeper(),
            values: Vec::new(),
        };
        for (position, value) in values.into_iter().enumerate() {
            let index = input.index(position);
            let expanded = contain(|| {
                for (number, made) in (0..).zip((self.call)(value)) {
                    let made = made?;
                    if results.values.len() >= work.piece {
                        let rest = index..input.range.end;
                        let next = Elements {
                            range: rest,
                            indices: Some(Vec::new()),
                            siblings: input.siblings.deeper(),
                            values: Vec::new(),
                        };
                        let mut full = std::mem::replace(&mut results, next);
                        // What is full may end before this element, and the next begins with it.
                        full.range.end = index + 1;
                        let mut full = full.into_block();
                        full.open = true;
                        emit(full, work);
                    }
                    results.indices.get_or_insert_default().push(index);
                    results.siblings.push(input.siblings.of(position), Some(number));
                    results.values.push(made);
                }
                Ok(())
            });
            if let Ok(Err(failure)) | Err(failure) = expanded {
                work.fail(failure, &self.header.label, index, 1);
            }
        }
        let mut last = results.into_block();
        last.open = open;
        emit(last, work);
    }
}

fn built<T, R, I, C>(header: StageHeader, call: C) -> BuiltStage
where
    T: Clone + Send + 'static,
    R: Clone + Send + 'static,
    I: Iterator<Item = Result<R, Failure>> + 'static,
    C: Fn(T) -> I + Send + Sync + 'static,
{
    Ok(Arc::new(ExpandStage { header, call, input: PhantomData }))
}

/// `fn(T) -> I`, an iterator over results.
pub(crate) struct Expand<M>(PhantomData<M>);

impl<T, I, M> Build<fn(T) -> I> for Expand<M>
where
    T: Clone + Send + 'static,
    I: Iterator<Item: 'static> + 'static,
    M: Finish<I::Item, Value: Clone + Send + 'static>,
{
    type Output = BuiltStage;
    fn build(function: fn(T) -> I, inputs: &mut Inputs<'_>) -> BuiltStage {
        built(header(inputs)?, move |value: T| function(value).map(M::finish))
    }
}

/// `fn(T, &W) -> I`: all elements see the same values `W`.
pub(crate) struct ExpandWith<A, M>(PhantomData<(A, M)>);

impl<T, I, A, M> Build<fn(T, &A::Values) -> I> for ExpandWith<A, M>
where
    T: Clone + Send + 'static,
    I: Iterator<Item: 'static> + 'static,
    A: Args<Values: Send + Sync + 'static>,
    M: Finish<I::Item, Value: Clone + Send + 'static>,
{
    type Output = BuiltStage;
    fn build(function: fn(T, &A::Values) -> I, inputs: &mut Inputs<'_>) -> BuiltStage {
        let header = header(inputs)?;
        let shared = shared::<A>(inputs)?;
        built(header, move |value: T| function(value, &shared).map(M::finish))
    }
}
