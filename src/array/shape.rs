//! Other shapes: axes, slices, joins, chunks.

use super::array::Array;
use super::error::ArrayProblem;
use super::layout::{Chunks, Layout, pieces};
use super::movement::{Run, arrange, fit, part_of, permute, whole};
use super::node::{Node, broadcast, broadcast_shape, view};
use super::reduce::Axes;
use super::traits::Element;
use crate::Client;
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};
use std::panic::Location;
use std::sync::Arc;

/// What is taken along an axis: `..`, `a..b`, `a..=b`, `a..`, `..b`, `..=b`, an index, or any of the ranges with
/// a [step](Span::step). Negative numbers count from the end, as in NumPy.
///
/// With a negative step a range is gone through from its first bound to its second one, as a slice in NumPy: of
/// `every(-1, 5..2)` come elements 5, 4 and 3, and of `every(-1, 5..=2)` also 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: Option<isize>,
    stop: Stop,
    step: isize,
    index: bool,
}

/// Where a range ends. An end that belongs to it is kept as such: the element behind it is another one when the
/// range is gone through backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// At the end of the axis in the direction of the step.
    Open,
    Before(isize),
    With(isize),
}

impl Span {
    /// Every `step`th element; backwards, from the end, if it is negative.
    #[must_use]
    pub fn step(self, step: isize) -> Self {
        Span { step, ..self }
    }
}

/// The elements of a range, every `step`th: `every(3, ..)`, or from the first bound backwards:
/// `every(-1, 5..=0)`.
///
/// ```
/// use serried::array::{Array, every};
/// use serried::span;
///
/// # fn main() -> serried::Result<()> {
/// serried::run(|client| {
///     let x = Array::arange(client, 0i64, 10, 1, 4);
///     let elements = |span| Ok::<_, serried::Error>(x.slice(span).compute()?.into_raw_vec_and_offset().0);
///     assert_eq!(elements(span![every(3, ..)])?, [0, 3, 6, 9]);
///     assert_eq!(elements(span![every(-2, 5..1)])?, [5, 3]);
///     assert_eq!(elements(span![every(-2, 5..=1)])?, [5, 3, 1]);
///     assert_eq!(elements(span![every(-4, ..)])?, [9, 5, 1]);
///     Ok(())
/// })
/// # }
/// ```
#[must_use]
pub fn every(step: isize, range: impl Into<Span>) -> Span {
    range.into().step(step)
}

impl From<RangeFull> for Span {
    fn from(_: RangeFull) -> Self {
        Span { start: None, stop: Stop::Open, step: 1, index: false }
    }
}

impl From<Range<isize>> for Span {
    fn from(range: Range<isize>) -> Self {
        Span { start: Some(range.start), stop: Stop::Before(range.end), step: 1, index: false }
    }
}

impl From<RangeInclusive<isize>> for Span {
    fn from(range: RangeInclusive<isize>) -> Self {
        Span { start: Some(*range.start()), stop: Stop::With(*range.end()), step: 1, index: false }
    }
}

impl From<RangeFrom<isize>> for Span {
    fn from(range: RangeFrom<isize>) -> Self {
        Span { start: Some(range.start), stop: Stop::Open, step: 1, index: false }
    }
}

impl From<RangeTo<isize>> for Span {
    fn from(range: RangeTo<isize>) -> Self {
        Span { start: None, stop: Stop::Before(range.end), step: 1, index: false }
    }
}

impl From<RangeToInclusive<isize>> for Span {
    fn from(range: RangeToInclusive<isize>) -> Self {
        Span { start: None, stop: Stop::With(range.end), step: 1, index: false }
    }
}

impl From<isize> for Span {
    fn from(index: isize) -> Self {
        Span { start: Some(index), stop: Stop::Open, step: 1, index: true }
    }
}

/// What [`Array::slice`] takes along each axis; axes that are not named are taken whole.
///
/// ```
/// use serried::array::{Array, every};
/// use serried::span;
///
/// # fn main() -> serried::Result<()> {
/// serried::run(|client| {
///     let x = Array::from_fn(client, |i| (10 * i[0] + i[1]) as i64, [6, 8], [2, 3]);
///     let part = x.slice(span![every(2, ..), 1..-1]);
///     assert_eq!(part.shape(), [3, 6]);
///     assert_eq!(part.slice(span![1, ..2]).compute()?.into_raw_vec_and_offset().0, [21, 22]);
///     Ok(())
/// })
/// # }
/// ```
#[macro_export]
macro_rules! span {
    ($($span:expr),* $(,)?) => {{
        // `1..-1` ends before the last element, and is not an empty range.
        #[allow(clippy::reversed_empty_ranges)]
        let spans = [$($crate::array::Span::from($span)),*];
        spans
    }};
}

/// Start, step and number of the elements that a span takes of an axis.
fn resolve(span: &Span, axis: usize, length: usize) -> Result<Run, ArrayProblem> {
    let length = length as isize;
    let from_end = |at: isize| if at < 0 { at + length } else { at };
    if span.index {
        let at = span.start.unwrap_or(0);
        return match usize::try_from(from_end(at)) {
            Ok(start) if from_end(at) < length => Ok(Run { input: Some(0), start, step: 1, count: 1 }),
            _ => Err(ArrayProblem::Argument(format!(
                "there is no element {at} along axis {axis}, which has {length}"
            ))),
        };
    }
    if span.step == 0 {
        return Err(ArrayProblem::Argument("a slice cannot go in steps of 0".into()));
    }
    // Bounds are places between which it is gone: from the start on, and up to the element before the stop.
    let forwards = span.step > 0;
    let (first, last) = if forwards { (0, length) } else { (-1, length - 1) };
    let inside = |at: isize| at.clamp(first, last);
    let start = span.start.map_or(if forwards { first } else { last }, |at| inside(from_end(at)));
    let stop = match span.stop {
        Stop::Open => {
            if forwards {
                last
            } else {
                first
            }
        }
        Stop::Before(at) => inside(from_end(at)),
        Stop::With(at) => inside(from_end(at).saturating_add(span.step.signum())),
    };
    let way = if forwards { stop - start } else { start - stop };
    let count = way.max(0).unsigned_abs().div_ceil(span.step.unsigned_abs());
    // The step to an element that is not there may be larger than any number.
    let step = if count > 1 { span.step } else { 1 };
    Ok(Run { input: Some(0), start: start.max(0).unsigned_abs(), step, count })
}

/// The chunks of a slice: what it takes of each chunk.
fn sliced_chunks(run: &Run, chunks: &[usize]) -> Vec<usize> {
    let mut counts = Vec::new();
    let mut start = 0;
    for &length in chunks {
        // Elements of the run whose place is in this chunk.
        let before = |place: usize| -> usize {
            let step = run.step.unsigned_abs();
            match run.step > 0 {
                true => place.saturating_sub(run.start).div_ceil(step).min(run.count),
                // Backwards, the elements with places of at least `place` come first.
                false if place > run.start => 0,
                false => ((run.start - place) / step + 1).min(run.count),
            }
        };
        counts.push(before(start).abs_diff(before(start + length)));
        start += length;
    }
    if run.step < 0 {
        counts.reverse();
    }
    counts.retain(|&count| count > 0);
    if counts.is_empty() { vec![0] } else { counts }
}

fn check_axis(axis: usize, shape: &[usize]) -> Result<(), ArrayProblem> {
    match axis < shape.len() {
        true => Ok(()),
        false => Err(ArrayProblem::NoSuchAxis { axis, shape: shape.to_vec() }),
    }
}

fn whole_axes(shape: &[usize]) -> Vec<Vec<Run>> {
    shape.iter().map(|&count| whole(count)).collect()
}

impl<T: Element> Array<T> {
    /// A part of the array, with what `spans` takes along each axis; axes with an index go away. See
    /// [`span!`](crate::span).
    #[track_caller]
    #[must_use]
    pub fn slice(&self, spans: impl AsRef<[Span]>) -> Array<T> {
        let spans = spans.as_ref();
        self.derive("slice", Location::caller(), |node| {
            let shape = &node.layout.shape;
            if spans.len() > shape.len() {
                let text = format!("{} spans for an array of {} axes", spans.len(), shape.len());
                return Err(ArrayProblem::Argument(text));
            }
            let mut runs = whole_axes(shape);
            for (axis, span) in spans.iter().enumerate() {
                runs[axis] = vec![resolve(span, axis, shape[axis])?];
            }
            let chunks =
                runs.iter().zip(&node.layout.chunks).map(|(runs, chunks)| sliced_chunks(&runs[0], chunks));
            let layout = Layout::of_chunks(chunks.collect());
            let is_whole = |(run, &length): (&Vec<Run>, &usize)| run[0].count == length && run[0].step == 1;
            let part = match runs.iter().zip(shape).all(is_whole) {
                true => Arc::clone(node),
                false => part_of(node, "slice", runs, layout),
            };
            let kept: Vec<usize> =
                (0..shape.len()).filter(|&axis| !spans.get(axis).is_some_and(|span| span.index)).collect();
            Ok(if kept.len() == shape.len() { part } else { permute(&part, &kept) })
        })
    }

    /// The elements at `indices` along an axis, in this order; an index may come several times.
    #[track_caller]
    #[must_use]
    pub fn take(&self, axis: usize, indices: &[usize]) -> Array<T> {
        self.derive("take", Location::caller(), |node| {
            let shape = &node.layout.shape;
            check_axis(axis, shape)?;
            if let Some(index) = indices.iter().find(|&&index| index >= shape[axis]) {
                let text =
                    format!("there is no element {index} along axis {axis}, which has {}", shape[axis]);
                return Err(ArrayProblem::Argument(text));
            }
            let mut runs = whole_axes(shape);
            runs[axis] =
                indices.iter().map(|&start| Run { input: Some(0), start, step: 1, count: 1 }).collect();
            let mut chunks = node.layout.chunks.clone();
            chunks[axis] = pieces(indices.len(), chunks[axis].iter().copied().max().unwrap_or(1));
            let layout = Layout::of_chunks(chunks);
            Ok(part_of(node, "take", runs, layout))
        })
    }

    /// The axes in reverse order; of a matrix, the transpose.
    #[track_caller]
    #[must_use]
    pub fn t(&self) -> Array<T> {
        self.derive("t", Location::caller(), |node| {
            let order: Vec<usize> = (0..node.layout.axes()).rev().collect();
            Ok(permute(node, &order))
        })
    }

    /// The axes in another order: axis k of the result is axis `order[k]` of this array.
    #[track_caller]
    #[must_use]
    pub fn permute_axes(&self, order: impl AsRef<[usize]>) -> Array<T> {
        let order = order.as_ref();
        self.derive("permute_axes", Location::caller(), |node| {
            let shape = &node.layout.shape;
            Axes::Some(order.to_vec()).mask(shape)?;
            if order.len() != shape.len() {
                let text = format!("{order:?} does not name each of the {} axes once", shape.len());
                return Err(ArrayProblem::Argument(text));
            }
            Ok(permute(node, order))
        })
    }

    /// A new axis of length 1 before axis `axis`.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::<f64>::ones(client, [4, 3], [2, 3]);
    ///     let centred = &x - x.mean_axis(1).insert_axis(1);
    ///     assert_eq!(centred.shape(), [4, 3]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn insert_axis(&self, axis: usize) -> Array<T> {
        self.derive("insert_axis", Location::caller(), |node| {
            let mut shape = node.layout.shape.clone();
            if axis > shape.len() {
                return Err(ArrayProblem::NoSuchAxis { axis, shape });
            }
            let mut axes: Vec<Option<usize>> = (0..shape.len()).map(Some).collect();
            axes.insert(axis, None);
            shape.insert(axis, 1);
            Ok(view(node, axes, &shape))
        })
    }

    /// The array without an axis of length 1.
    #[track_caller]
    #[must_use]
    pub fn remove_axis(&self, axis: usize) -> Array<T> {
        self.derive("remove_axis", Location::caller(), |node| {
            let shape = &node.layout.shape;
            check_axis(axis, shape)?;
            if shape[axis] != 1 {
                let text = format!("axis {axis} has length {}; only one of length 1 can go", shape[axis]);
                return Err(ArrayProblem::Argument(text));
            }
            let kept: Vec<usize> = (0..shape.len()).filter(|&other| other != axis).collect();
            Ok(permute(node, &kept))
        })
    }

    /// The array repeated along new axes in front and along axes of length 1, without being copied.
    #[track_caller]
    #[must_use]
    pub fn broadcast_to(&self, shape: impl AsRef<[usize]>) -> Array<T> {
        let shape = shape.as_ref();
        self.derive("broadcast_to", Location::caller(), |node| {
            if broadcast_shape(&node.layout.shape, shape)? != shape {
                let (left, right) = (node.layout.shape.clone(), shape.to_vec());
                return Err(ArrayProblem::Broadcast { left, right });
            }
            Ok(broadcast(node, shape))
        })
    }

    /// The same array in other chunks.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let rows = Array::<f64>::ones(client, [100, 100], [10, 100]);
    ///     let columns = rows.rechunk([100, 10]);
    ///     assert_eq!(columns.chunks(), [vec![100], vec![10; 10]]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn rechunk(&self, chunks: impl Into<Chunks>) -> Array<T> {
        let chunks = chunks.into();
        self.derive("rechunk", Location::caller(), |node| {
            let layout = Layout::new(&node.layout.shape, &chunks, T::DTYPE.size())?;
            Ok(fit(node, &layout))
        })
    }

    /// Arrays one after another along an axis.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let (a, b) = (Array::<f64>::zeros(client, [2, 3], [2, 3]), Array::ones(client, [1, 3], [1, 3]));
    ///     assert_eq!(Array::concatenate(client, 0, &[a, b]).sum().compute()?, 3.0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn concatenate(client: &Client, axis: usize, arrays: &[Array<T>]) -> Array<T> {
        let place = Location::caller();
        let Some(first) = arrays.first() else {
            let problem = ArrayProblem::Argument("there is nothing to join: give at least one array".into());
            return Array::broken(client, "concatenate", place, problem);
        };
        if let Some(broken) = arrays.iter().find(|array| array.node.error().is_some()) {
            return broken.clone();
        }
        first.derive("concatenate", place, |node| {
            let shape = &node.layout.shape;
            check_axis(axis, shape)?;
            for other in arrays {
                let other = other.shape();
                let fits = other.len() == shape.len()
                    && (0..shape.len()).all(|at| at == axis || other[at] == shape[at]);
                if !fits {
                    let rule = format!("all lengths but that along axis {axis} must be equal");
                    return Err(ArrayProblem::Shapes { left: shape.clone(), right: other.to_vec(), rule });
                }
            }
            // The others in the chunks of the first, along the axes that they share.
            let inputs: Vec<Arc<Node>> = arrays
                .iter()
                .map(|array| {
                    let mut chunks = node.layout.chunks.clone();
                    chunks[axis].clone_from(&array.node.layout.chunks[axis]);
                    fit(&array.node, &Layout::of_chunks(chunks))
                })
                .collect();
            let mut runs = whole_axes(shape);
            runs[axis] = (0..inputs.len())
                .map(|input| {
                    let count = inputs[input].layout.shape[axis];
                    Run { input: Some(input), start: 0, step: 1, count }
                })
                .collect();
            let mut chunks = node.layout.chunks.clone();
            chunks[axis] =
                inputs.iter().flat_map(|input| input.layout.chunks[axis].iter().copied()).collect();
            chunks[axis].retain(|&length| length > 0);
            if chunks[axis].is_empty() {
                chunks[axis].push(0);
            }
            let layout = Layout::of_chunks(chunks);
            Ok(arrange(&node.client, "concatenate", &inputs, runs, layout, None))
        })
    }

    /// Arrays of one shape side by side along a new axis before axis `axis`.
    #[track_caller]
    #[must_use]
    pub fn stack(client: &Client, axis: usize, arrays: &[Array<T>]) -> Array<T> {
        let arrays: Vec<Array<T>> = arrays.iter().map(|array| array.insert_axis(axis)).collect();
        Array::concatenate(client, axis, &arrays)
    }

    /// The array with `before` and `after` elements of `value` along each axis.
    #[track_caller]
    #[must_use]
    pub fn pad(&self, widths: impl AsRef<[(usize, usize)]>, value: T) -> Array<T> {
        let widths = widths.as_ref();
        self.derive("pad", Location::caller(), |node| {
            let shape = &node.layout.shape;
            if widths.len() != shape.len() {
                let text = format!("{} widths for an array of {} axes", widths.len(), shape.len());
                return Err(ArrayProblem::Argument(text));
            }
            let padding = |count: usize| Run { input: None, start: 0, step: 1, count };
            let runs = whole_axes(shape)
                .into_iter()
                .zip(widths)
                .map(|(runs, &(before, after))| vec![padding(before), runs[0], padding(after)]);
            let chunks = node.layout.chunks.iter().zip(widths).map(|(chunks, &(before, after))| {
                let mut chunks = chunks.clone();
                // The padding goes to the chunks at the ends.
                chunks[0] = chunks[0].saturating_add(before);
                if let Some(last) = chunks.last_mut() {
                    *last = last.saturating_add(after);
                }
                chunks
            });
            let layout = Layout::of_chunks(chunks.collect());
            let runs = runs.collect();
            Ok(arrange(&node.client, "pad", std::slice::from_ref(node), runs, layout, Some(value.number())))
        })
    }

    /// The elements in C order in another shape with as many elements. A length may be left open:
    /// [`usize::MAX`] stands for what is left.
    #[track_caller]
    #[must_use]
    pub fn reshape(&self, shape: impl AsRef<[usize]>) -> Array<T> {
        let shape = shape.as_ref();
        self.derive("reshape", Location::caller(), |node| super::reshape::reshape(node, shape))
    }

    /// All elements in C order along one axis.
    #[track_caller]
    #[must_use]
    pub fn flatten(&self) -> Array<T> {
        self.derive("flatten", Location::caller(), |node| {
            super::reshape::reshape(node, &[node.layout.elements()])
        })
    }
}
