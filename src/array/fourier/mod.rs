//! Discrete Fourier transforms, as in `numpy.fft`.
//!
//! `rustfft` and `realfft` transform the lanes of a chunk, which needs chunks of whole lanes: the array is
//! cut anew if it has others. The results of a transform do not depend on the chunks, and its last bits are
//! the same for one kind of CPU. Transforms are not scaled and inverse ones are divided by the number of
//! elements: NumPy's `norm="backward"`.

mod kernel;

use super::array::Array;
use super::error::ArrayProblem;
use super::layout::{Chunks, Layout};
use super::movement::fit;
use super::node::{Node, Reader};
use super::reduce::Axes;
use super::traits::Element;
use crate::{Block, Client, Delayed};
use num_complex::Complex64;
use std::panic::Location;
use std::sync::Arc;

fn forward((block, axis): (Arc<Block>, usize)) -> Block {
    Block::from(kernel::forward(block.view(), axis))
}

fn inverse((block, axis): (Arc<Block>, usize)) -> Block {
    Block::from(kernel::inverse(block.view(), axis))
}

fn real_forward((block, axis): (Arc<Block>, usize)) -> Block {
    Block::from(kernel::real_forward(block.view(), axis))
}

fn real_inverse((block, axis, length): (Arc<Block>, usize, usize)) -> Block {
    Block::from(kernel::real_inverse(block.view(), axis, length))
}

/// The chunks in which all lanes along an axis are whole. Along the longest other axis they get shorter, so
/// that they do not have more elements than before.
fn whole_lanes(layout: &Layout, axis: usize) -> Layout {
    let mut chunks = layout.chunks.clone();
    let pieces = chunks[axis].len();
    if pieces == 1 {
        return layout.clone();
    }
    chunks[axis] = vec![layout.shape[axis]];
    let longest = |axis: usize| layout.chunks[axis].iter().copied().max().unwrap_or(0);
    let others = (0..layout.axes()).filter(|&other| other != axis);
    // The first of the longest ones.
    if let Some(other) = others.max_by_key(|&other| (longest(other), usize::MAX - other)) {
        let piece = longest(other).div_ceil(pieces).max(1);
        chunks[other] =
            layout.chunks[other].iter().flat_map(|&length| super::layout::pieces(length, piece)).collect();
    }
    Layout::of_chunks(chunks)
}

/// Transforms the lanes along an axis, each to one of `length` elements.
fn transform<U: Element>(
    node: &Arc<Node>,
    name: &'static str,
    axis: usize,
    length: impl FnOnce(usize) -> Result<usize, ArrayProblem>,
    task: impl Fn(&Client, &Delayed<Block>) -> Delayed<Block> + Send + Sync + 'static,
) -> Result<Arc<Node>, ArrayProblem> {
    let shape = &node.layout.shape;
    match shape.get(axis) {
        None => return Err(ArrayProblem::NoSuchAxis { axis, shape: shape.clone() }),
        Some(0) => {
            let text = format!("there is nothing to transform along axis {axis} of shape {shape:?}");
            return Err(ArrayProblem::Argument(text));
        }
        Some(_) => {}
    }
    let length = length(shape[axis])?;
    let input = fit(node, &whole_lanes(&node.layout, axis));
    let mut layout = input.layout.clone();
    (layout.shape[axis], layout.chunks[axis]) = (length, vec![length]);
    let input = Reader::new(&input);
    let make = move || input.tasks().iter().map(|block| task(&input.client, block).label(name)).collect();
    Ok(Node::tasks_of(&node.client, U::DTYPE, layout, name, make))
}

impl Array<Complex64> {
    /// The discrete Fourier transform along an axis, as `numpy.fft.fft`.
    ///
    /// ```
    /// use num_complex::Complex64;
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let wave = |i: &[usize]| Complex64::cis(std::f64::consts::TAU * (3 * i[1]) as f64 / 64.0);
    ///     let x = Array::from_fn(client, wave, [10, 64], [5, 16]);
    ///     let spectrum = x.fft(1).compute()?;
    ///     assert!((spectrum[[7, 3]].re - 64.0).abs() < 1e-12 && spectrum[[7, 4]].norm() < 1e-12);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn fft(&self, axis: usize) -> Array<Complex64> {
        self.derive("fft", Location::caller(), |node| {
            transform::<Complex64>(node, "fft", axis, Ok, move |client, block| {
                client.delayed(forward, (block, axis))
            })
        })
    }

    /// The inverse of [`fft`](Self::fft), as `numpy.fft.ifft`.
    #[track_caller]
    #[must_use]
    pub fn ifft(&self, axis: usize) -> Array<Complex64> {
        self.derive("ifft", Location::caller(), |node| {
            transform::<Complex64>(node, "ifft", axis, Ok, move |client, block| {
                client.delayed(inverse, (block, axis))
            })
        })
    }

    /// The inverse of [`rfft`](Array::rfft), with `length` elements along the axis, as `numpy.fft.irfft`. Of
    /// an axis of m elements the length is 2 m - 2 or 2 m - 1.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::arange(client, 0.0, 101.0, 1.0, 20);
    ///     let difference = (x.rfft(0).irfft(0, 101) - x).abs().max();
    ///     assert!(difference.compute()? < 1e-12);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn irfft(&self, axis: usize, length: usize) -> Array<f64> {
        self.derive("irfft", Location::caller(), |node| {
            let checked = |half: usize| match length > 0 && length / 2 + 1 == half {
                true => Ok(length),
                false => Err(ArrayProblem::Argument(format!(
                    "{half} elements along axis {axis} belong to a transform of {} or {}, not {length}",
                    (2 * half - 2).max(1),
                    2 * half - 1
                ))),
            };
            transform::<f64>(node, "irfft", axis, checked, move |client, block| {
                client.delayed(real_inverse, (block, axis, length))
            })
        })
    }

    /// The Fourier transform along several axes, as `numpy.fft.fftn`.
    #[track_caller]
    #[must_use]
    pub fn fftn(&self, axes: impl Into<Axes>) -> Array<Complex64> {
        self.along_axes(&axes.into(), "fftn", Location::caller(), Array::<Complex64>::fft)
    }

    /// The inverse of [`fftn`](Self::fftn), as `numpy.fft.ifftn`.
    #[track_caller]
    #[must_use]
    pub fn ifftn(&self, axes: impl Into<Axes>) -> Array<Complex64> {
        self.along_axes(&axes.into(), "ifftn", Location::caller(), Array::<Complex64>::ifft)
    }
}

impl Array<f64> {
    /// The half of the discrete Fourier transform along an axis that determines the other one, as
    /// `numpy.fft.rfft`: of an axis of n elements, n / 2 + 1.
    #[track_caller]
    #[must_use]
    pub fn rfft(&self, axis: usize) -> Array<Complex64> {
        self.derive("rfft", Location::caller(), |node| {
            transform::<Complex64>(
                node,
                "rfft",
                axis,
                |length| Ok(length / 2 + 1),
                move |client, block| client.delayed(real_forward, (block, axis)),
            )
        })
    }
}

impl<T: Element> Array<T> {
    fn along_axes(
        &self,
        axes: &Axes,
        name: &str,
        place: &Location<'_>,
        transform: fn(&Array<T>, usize) -> Array<T>,
    ) -> Array<T> {
        self.derive(name, place, |node| {
            let mask = axes.mask(&node.layout.shape)?;
            let axes = (0..mask.len()).rev().filter(|&axis| mask[axis]);
            Ok(axes.fold(self.clone(), |array, axis| transform(&array, axis)).node)
        })
    }

    /// The array with the frequency 0 of a transform moved to the middle of the axes, as
    /// `numpy.fft.fftshift`.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let frequencies = Array::fftfreq(client, 5, 0.2, 5);
    ///     let shifted = frequencies.fftshift(0).compute()?;
    ///     assert_eq!(shifted.into_raw_vec_and_offset().0, [-2.0, -1.0, 0.0, 1.0, 2.0]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn fftshift(&self, axes: impl Into<Axes>) -> Array<T> {
        self.along_axes(&axes.into(), "fftshift", Location::caller(), |array, axis| {
            array.rotated(axis, array.shape()[axis].div_ceil(2))
        })
    }

    /// The inverse of [`fftshift`](Self::fftshift), as `numpy.fft.ifftshift`.
    #[track_caller]
    #[must_use]
    pub fn ifftshift(&self, axes: impl Into<Axes>) -> Array<T> {
        self.along_axes(&axes.into(), "ifftshift", Location::caller(), |array, axis| {
            array.rotated(axis, array.shape()[axis] / 2)
        })
    }

    /// The elements from `first` on, and then those before.
    fn rotated(&self, axis: usize, first: usize) -> Array<T> {
        let part = |range: std::ops::Range<usize>| {
            let mut spans: Vec<super::Span> = self.shape().iter().map(|_| (..).into()).collect();
            spans[axis] = (range.start as isize..range.end as isize).into();
            self.slice(&spans)
        };
        let length = self.shape()[axis];
        Array::concatenate(self.client(), axis, &[part(first..length), part(0..first)])
    }
}

impl Array<f64> {
    /// The frequencies of the elements of a transform of `length` samples at a distance `spacing`, as
    /// `numpy.fft.fftfreq`.
    #[track_caller]
    #[must_use]
    pub fn fftfreq(client: &Client, length: usize, spacing: f64, chunks: impl Into<Chunks>) -> Array<f64> {
        let (length, positive) = (length as f64, length.div_ceil(2) as f64);
        let k = Array::arange(client, 0.0, length, 1.0, chunks);
        k.less(positive).select(&k, &(&k - length)) / (length * spacing)
    }

    /// The frequencies of the elements of a [real transform](Self::rfft), as `numpy.fft.rfftfreq`.
    #[track_caller]
    #[must_use]
    pub fn rfftfreq(client: &Client, length: usize, spacing: f64, chunks: impl Into<Chunks>) -> Array<f64> {
        let k = Array::arange(client, 0.0, (length / 2 + 1) as f64, 1.0, chunks);
        k / (length as f64 * spacing)
    }
}
