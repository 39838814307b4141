//! The array as the user sees it.

use super::error::{ArrayError, ArrayProblem};
use super::layout::Layout;
use super::node::Node;
use super::room::check_room;
use super::traits::Element;
use crate::{Assembly, Block, Client, Collection, DType, Delayed, Result};
use ndarray::{ArrayD, IxDyn, Slice};
use std::{fmt, marker::PhantomData, panic::Location, sync::Arc};

/// A lazy array, cut into chunks along all axes.
///
/// Nothing is computed before it is asked for ([`compute`](Self::compute), [`persist`](Self::persist),
/// [`Client::compute`](crate::Client::compute) for several results at once), and then chunk by chunk: chunks
/// are made where they are used and dropped after their last reader, so that an array may be larger than the
/// memory. A handle is cheap to clone.
///
/// Operations whose operands do not fit make a *broken* array: the error, which names both operands and the
/// line of the program, comes out of `compute`, or at once of [`check`](Self::check).
pub struct Array<T> {
    pub(super) node: Arc<Node>,
    element: PhantomData<fn() -> T>,
}

impl<T> Clone for Array<T> {
    fn clone(&self) -> Self {
        Array { node: Arc::clone(&self.node), element: PhantomData }
    }
}

/// One number that an array comes down to, as a sum: a lazy array without axes.
///
/// It stands where a number would in operations on arrays, and [`compute`](Self::compute) gives the number.
pub struct Scalar<T> {
    pub(super) array: Array<T>,
}

impl<T> Clone for Scalar<T> {
    fn clone(&self) -> Self {
        Scalar { array: self.array.clone() }
    }
}

impl<T: Element> Array<T> {
    pub(super) fn of(node: Arc<Node>) -> Self {
        debug_assert_eq!(node.dtype, T::DTYPE);
        Array { node, element: PhantomData }
    }

    /// An array that cannot be computed because of `problem`.
    pub(super) fn broken(
        client: &Client,
        operation: &str,
        place: &Location<'_>,
        problem: ArrayProblem,
    ) -> Self {
        Array::of(Node::broken(client, T::DTYPE, ArrayError::new(operation, place, problem)))
    }

    /// The array that `build` makes of this one; a broken one if this one is broken or `build` says so.
    pub(super) fn derive<U: Element>(
        &self,
        operation: &str,
        place: &Location<'_>,
        build: impl FnOnce(&Arc<Node>) -> std::result::Result<Arc<Node>, ArrayProblem>,
    ) -> Array<U> {
        if let Some(error) = self.node.error() {
            return Array::of(Node::again(&self.node.client, U::DTYPE, error));
        }
        // What was asked for may be larger than anything can be.
        let built = build(&self.node).and_then(|node| match node.error() {
            None => node.layout.check(U::DTYPE.size()).map(|()| node),
            Some(_) => Ok(node),
        });
        match built {
            Ok(node) => Array::of(node),
            Err(problem) => Array::broken(&self.node.client, operation, place, problem),
        }
    }

    /// As `derive`, of two arrays.
    pub(super) fn derive_with<V: Element, U: Element>(
        &self,
        other: &Array<V>,
        operation: &str,
        place: &Location<'_>,
        build: impl FnOnce(&Arc<Node>, &Arc<Node>) -> std::result::Result<Arc<Node>, ArrayProblem>,
    ) -> Array<U> {
        if let Some(error) = other.node.error() {
            return Array::of(Node::again(&self.node.client, U::DTYPE, error));
        }
        self.derive(operation, place, |node| build(node, &other.node))
    }

    /// The length of each axis.
    ///
    /// # Panics
    /// If the array is [broken](Self::check).
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.layout().shape
    }

    /// The number of axes.
    ///
    /// # Panics
    /// If the array is [broken](Self::check).
    #[must_use]
    pub fn ndim(&self) -> usize {
        self.layout().axes()
    }

    /// The number of elements.
    ///
    /// # Panics
    /// If the array is [broken](Self::check).
    #[must_use]
    pub fn len(&self) -> usize {
        self.layout().elements()
    }

    /// Whether there are no elements.
    ///
    /// # Panics
    /// If the array is [broken](Self::check).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The lengths of the chunks along each axis.
    ///
    /// # Panics
    /// If the array is [broken](Self::check).
    #[must_use]
    pub fn chunks(&self) -> &[Vec<usize>] {
        &self.layout().chunks
    }

    /// The type of the elements.
    #[must_use]
    pub fn dtype(&self) -> DType {
        T::DTYPE
    }

    /// The bytes of all elements.
    ///
    /// # Panics
    /// If the array is [broken](Self::check).
    #[must_use]
    pub fn nbytes(&self) -> usize {
        self.len() * T::DTYPE.size()
    }

    /// The run that the array belongs to.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.node.client
    }

    fn layout(&self) -> &Layout {
        if let Some(error) = self.node.error() {
            panic!("{error}");
        }
        &self.node.layout
    }

    /// Whether the operations that led to the array can be done at all.
    ///
    /// # Errors
    /// What is wrong with the first one that cannot.
    pub fn check(&self) -> Result<()> {
        match self.node.error() {
            Some(error) => Err(crate::Error::Array(Arc::clone(error))),
            None => Ok(()),
        }
    }

    /// Computes the array and brings it together.
    ///
    /// # Errors
    /// If the array is broken, if it is larger than the memory, or if one of its tasks fails.
    pub fn compute(&self) -> Result<ArrayD<T>> {
        self.check()?;
        has_room::<T>(&self.node.layout)?;
        self.node.client.compute(self)
    }

    /// Computes the array and leaves its chunks on the ranks that made them, for what is computed of it
    /// afterwards. They are dropped with the last handle.
    ///
    /// # Errors
    /// As for [`compute`](Self::compute).
    pub fn persist(&self) -> Result<Array<T>> {
        self.node.client.persist(self)?;
        self.node.keep();
        Ok(self.clone())
    }

    /// The chunks as tasks, in C order of their grid: for tasks of one's own that read them.
    #[must_use]
    pub fn blocks(&self) -> Vec<Delayed<Block>> {
        self.node.tasks().to_vec()
    }
}

impl<T: Element> Scalar<T> {
    pub(super) fn of(array: Array<T>) -> Self {
        Scalar { array }
    }

    /// Computes the number.
    ///
    /// # Errors
    /// If the operations that led to it cannot be done, or one of its tasks fails.
    pub fn compute(&self) -> Result<T> {
        self.array.node.client.compute(self)
    }

    /// The number as an array without axes.
    #[must_use]
    pub fn to_array(&self) -> Array<T> {
        self.array.clone()
    }
}

impl<T: Element> From<Scalar<T>> for Array<T> {
    fn from(scalar: Scalar<T>) -> Self {
        scalar.array
    }
}

impl<T: Element> Collection for Array<T> {
    type Part = Block;
    type Assembly = Chunked<T>;
    fn parts(&self) -> Vec<Delayed<Block>> {
        self.blocks()
    }
    fn assembly(&self) -> Chunked<T> {
        Chunked { layout: self.node.layout.clone(), element: PhantomData }
    }
}

/// Puts the chunks of an array together.
#[derive(Debug)]
pub struct Chunked<T> {
    layout: Layout,
    element: PhantomData<fn() -> T>,
}

impl<T: Element> Assembly for Chunked<T> {
    type Part = Block;
    type Output = ArrayD<T>;
    fn assemble(&self, mut parts: Vec<Block>) -> Result<ArrayD<T>> {
        if parts.len() == 1 {
            return Ok(parts.remove(0).into_array());
        }
        has_room::<T>(&self.layout)?;
        let mut whole = ArrayD::from_elem(IxDyn(&self.layout.shape), T::default());
        for (chunk, part) in self.layout.chunks().zip(parts) {
            let mut place = whole.slice_each_axis_mut(|axis| Slice::from(chunk.range(axis.axis.index())));
            place.assign(&part.view::<T>());
        }
        Ok(whole)
    }
}

/// Whether all of an array can be in one place.
fn has_room<T: Element>(layout: &Layout) -> Result<()> {
    check_room(layout.elements(), T::DTYPE.size()).map_err(|problem| {
        let (operation, place) = ("compute".to_owned(), "on rank 0".to_owned());
        crate::Error::Array(Arc::new(ArrayError { operation, place, problem }))
    })
}

impl<T: Element> Collection for Scalar<T> {
    type Part = Block;
    type Assembly = Single<T>;
    fn parts(&self) -> Vec<Delayed<Block>> {
        self.array.blocks()
    }
    fn assembly(&self) -> Single<T> {
        Single(PhantomData)
    }
}

/// Takes the number out of the only chunk of an array without axes.
#[derive(Debug)]
pub struct Single<T>(PhantomData<fn() -> T>);

impl<T: Element> Assembly for Single<T> {
    type Part = Block;
    type Output = T;
    fn assemble(&self, parts: Vec<Block>) -> Result<T> {
        Ok(parts[0].as_slice::<T>()[0])
    }
}

impl<T: Element> fmt::Display for Array<T> {
    /// Shape, element type, bytes, chunks, and the number of tasks that would be run for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = self.node.error() {
            return write!(f, "a broken array: {error}");
        }
        let layout = &self.node.layout;
        let chunk: Vec<String> = layout.chunks.iter().map(|chunks| summary(chunks)).collect();
        write!(
            f,
            "array of {}, shape {}, {}; {} chunk{} of shape ({}){}",
            self.dtype(),
            tuple(&layout.shape),
            bytes(self.nbytes()),
            layout.count(),
            if layout.count() == 1 { "" } else { "s" },
            chunk.join(", "),
            match layout.count() {
                0 | 1 => String::new(),
                _ => format!(", {} at most", bytes(layout.largest_chunk() * self.dtype().size())),
            }
        )?;
        match self.node.client.task_count(self) {
            Ok(1) => write!(f, "; 1 task"),
            Ok(tasks) => write!(f, "; {tasks} tasks"),
            Err(_) => Ok(()),
        }
    }
}

impl<T: Element> fmt::Debug for Array<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<T: Element> fmt::Debug for Scalar<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.array.node.error() {
            Some(error) => write!(f, "a broken number: {error}"),
            None => write!(f, "a number of {}", T::DTYPE),
        }
    }
}

/// Lengths as Python writes a shape.
fn tuple(lengths: &[usize]) -> String {
    match lengths {
        [length] => format!("({length},)"),
        _ => format!("({})", lengths.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// The length of chunks that are equal but for the last, or all lengths.
fn summary(chunks: &[usize]) -> String {
    let (last, rest) = chunks.split_last().expect("an axis has chunks");
    match rest.first() {
        None => last.to_string(),
        Some(first) if rest.iter().all(|length| length == first) && last <= first => first.to_string(),
        Some(_) => format!("{chunks:?}"),
    }
}

fn bytes(bytes: usize) -> String {
    let mut size = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if size < 1024.0 {
            let digits = usize::from(unit != "B" && size < 100.0);
            return format!("{size:.digits$} {unit}");
        }
        size /= 1024.0;
    }
    format!("{size:.1} PiB")
}
