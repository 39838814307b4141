//! What is computed together.

use super::{delayed::Delayed, future::Future, handles::NodeRef};
use crate::error::{Error, Result};
use crate::task::Outcome;
use crate::wire::Value;
use std::marker::PhantomData;

/// What [`Client::compute`](super::Client::compute) computes in one pass: a reference to a handle, a slice of
/// handles, or a tuple of these.
pub trait Targets {
    /// The values.
    type Output;
    /// What is left of the targets without their handles.
    type Shape: Shape<Output = Self::Output>;
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn visit(&self, visit: &mut dyn FnMut(&NodeRef));
    #[doc(hidden)]
    fn shape(&self) -> Self::Shape;
}

/// Targets without their handles: how many there are, and of which types.
pub trait Shape: Send + Sync {
    /// The values.
    type Output;
    /// Handles of values that stay on the ranks.
    type Handles;
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn collect(&self, outcomes: &mut dyn Iterator<Item = Outcome>) -> Result<Self::Output>;
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn handles(&self, nodes: &mut dyn Iterator<Item = NodeRef>) -> Self::Handles;
}

/// The shape of a single target.
#[derive(Debug)]
pub struct One<T>(PhantomData<fn() -> T>);

/// The shape of a slice of targets.
#[derive(Debug)]
pub struct Many<T>(usize, PhantomData<fn() -> T>);

#[allow(private_interfaces)]
impl<T: Value> Shape for One<T> {
    type Output = T;
    type Handles = Delayed<T>;
    fn collect(&self, outcomes: &mut dyn Iterator<Item = Outcome>) -> Result<T> {
        take(outcomes.next().expect("an outcome for every handle"))
    }
    fn handles(&self, nodes: &mut dyn Iterator<Item = NodeRef>) -> Delayed<T> {
        Delayed::of(nodes.next().expect("a node for every handle"))
    }
}

#[allow(private_interfaces)]
impl<T: Value> Shape for Many<T> {
    type Output = Vec<T>;
    type Handles = Vec<Delayed<T>>;
    fn collect(&self, outcomes: &mut dyn Iterator<Item = Outcome>) -> Result<Vec<T>> {
        outcomes.take(self.0).map(take).collect()
    }
    fn handles(&self, nodes: &mut dyn Iterator<Item = NodeRef>) -> Vec<Delayed<T>> {
        nodes.take(self.0).map(Delayed::of).collect()
    }
}

#[allow(private_interfaces)]
impl<T: Value> Targets for &Delayed<T> {
    type Output = T;
    type Shape = One<T>;
    fn visit(&self, visit: &mut dyn FnMut(&NodeRef)) {
        visit(&self.node);
    }
    fn shape(&self) -> One<T> {
        One(PhantomData)
    }
}

#[allow(private_interfaces)]
impl<T: Value> Targets for &Future<T> {
    type Output = T;
    type Shape = One<T>;
    fn visit(&self, visit: &mut dyn FnMut(&NodeRef)) {
        (&self.value).visit(visit);
    }
    fn shape(&self) -> One<T> {
        One(PhantomData)
    }
}

/// Something made of several tasks, as a chunked array, that is computed as one thing.
pub trait Collection {
    /// The value of a task.
    type Part: Value;
    /// What puts the parts together.
    type Assembly: Assembly<Part = Self::Part>;
    /// The tasks. Each call gives handles on the same ones.
    fn parts(&self) -> Vec<Delayed<Self::Part>>;
    /// What puts their values together.
    fn assembly(&self) -> Self::Assembly;
}

/// Makes one value of the values of several tasks.
pub trait Assembly: Send + Sync {
    /// The value of a task.
    type Part: Value;
    /// The value of them all.
    type Output;
    /// Puts the parts together, in the order of [`Collection::parts`].
    ///
    /// # Errors
    /// If they cannot be.
    fn assemble(&self, parts: Vec<Self::Part>) -> Result<Self::Output>;
}

/// The shape of a collection.
#[derive(Debug)]
pub struct Assembled<A> {
    parts: usize,
    assembly: A,
}

#[allow(private_interfaces)]
impl<A: Assembly> Shape for Assembled<A> {
    type Output = A::Output;
    type Handles = Vec<Delayed<A::Part>>;
    fn collect(&self, outcomes: &mut dyn Iterator<Item = Outcome>) -> Result<A::Output> {
        let parts = Many(self.parts, PhantomData).collect(outcomes)?;
        self.assembly.assemble(parts)
    }
    fn handles(&self, nodes: &mut dyn Iterator<Item = NodeRef>) -> Vec<Delayed<A::Part>> {
        nodes.take(self.parts).map(Delayed::of).collect()
    }
}

#[allow(private_interfaces)]
impl<C: Collection> Targets for &C {
    type Output = <C::Assembly as Assembly>::Output;
    type Shape = Assembled<C::Assembly>;
    fn visit(&self, visit: &mut dyn FnMut(&NodeRef)) {
        self.parts().iter().for_each(|part| visit(&part.node));
    }
    fn shape(&self) -> Self::Shape {
        Assembled { parts: self.parts().len(), assembly: self.assembly() }
    }
}

macro_rules! slices {
    ($([$($generics:tt)*] $slice:ty)*) => {$(
        #[allow(private_interfaces)]
        impl<$($generics)*> Targets for $slice {
            type Output = Vec<T>;
            type Shape = Many<T>;
            fn visit(&self, visit: &mut dyn FnMut(&NodeRef)) {
                self.iter().for_each(|handle| visit(&handle.node));
            }
            fn shape(&self) -> Many<T> {
                Many(self.len(), PhantomData)
            }
        }
    )*};
}

slices! {
    [T: Value] &[Delayed<T>]
    [T: Value] &Vec<Delayed<T>>
    [T: Value, const N: usize] &[Delayed<T>; N]
}

macro_rules! tuples {
    ($(($($name:ident $index:tt)*))*) => {$(
        #[allow(private_interfaces)]
        impl<$($name: Targets),*> Targets for ($($name,)*) {
            type Output = ($($name::Output,)*);
            type Shape = ($($name::Shape,)*);
            fn visit(&self, visit: &mut dyn FnMut(&NodeRef)) {
                $(self.$index.visit(visit);)*
            }
            fn shape(&self) -> Self::Shape {
                ($(self.$index.shape(),)*)
            }
        }

        #[allow(private_interfaces)]
        impl<$($name: Shape),*> Shape for ($($name,)*) {
            type Output = ($($name::Output,)*);
            type Handles = ($($name::Handles,)*);
            fn collect(&self, outcomes: &mut dyn Iterator<Item = Outcome>) -> Result<Self::Output> {
                Ok(($(self.$index.collect(outcomes)?,)*))
            }
            fn handles(&self, nodes: &mut dyn Iterator<Item = NodeRef>) -> Self::Handles {
                ($(self.$index.handles(nodes),)*)
            }
        }
    )*};
}

tuples! {
    (A 0) (A 0 B 1) (A 0 B 1 C 2) (A 0 B 1 C 2 D 3) (A 0 B 1 C 2 D 3 E 4) (A 0 B 1 C 2 D 3 E 4 F 5)
    (A 0 B 1 C 2 D 3 E 4 F 5 G 6) (A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7)
}

/// The value of an outcome.
pub(super) fn take<T: Value>(outcome: Outcome) -> Result<T> {
    outcome.map_err(Error::from)?.take_or_copy().map_err(Error::from)
}
