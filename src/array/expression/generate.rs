//! Making the elements of an array from their places in it.

use super::evaluation::Kernel;
use super::leaf::Runs;
use super::program::{Distribution, Generator, Number, Places};
use super::register::{Lane, Register, with_type};
use crate::DType;
use crate::random::{ElementCursor, Elements};

/// What generators need besides their own description.
#[derive(Debug, Clone, Copy)]
pub(super) struct Supplies<'a> {
    pub(super) kernels: &'a [Kernel],
    pub(super) streams: &'a [Elements],
}

/// Elements of a generated array that follow each other at a distance.
#[derive(Debug, Clone, Copy)]
pub(in crate::array) struct Stretch {
    pub(in crate::array) first: u64,
    pub(in crate::array) step: u64,
    pub(in crate::array) count: usize,
}

impl Stretch {
    fn elements(self) -> impl Iterator<Item = u64> {
        (0..self.count as u64).map(move |at| self.first + at * self.step)
    }
}

/// Appends the elements of a chunk from `start` on to `out`.
pub(super) fn generate(
    generator: &Generator,
    places: &Places,
    shape: &[usize],
    (start, count): (usize, usize),
    supplies: Supplies<'_>,
    out: &mut Register,
    dtype: DType,
) {
    let strides: Vec<usize> = places.strides.iter().map(|&stride| stride as usize).collect();
    let step = places.strides.last().copied().unwrap_or(0);
    for run in Runs::new(shape, start, count) {
        let first = places.first + run.place(shape, &strides) as u64;
        if step > 0 || run.count == 1 {
            fill(generator, Stretch { first, step, count: run.count }, supplies, out, dtype);
            continue;
        }
        // All of the run is one element.
        fill(generator, Stretch { first, step, count: 1 }, supplies, out, dtype);
        with_type!(dtype, T => {
            let values = T::values_mut(out);
            if let Some(&last) = values.last() {
                values.extend(std::iter::repeat_n(last, run.count - 1));
            }
        });
    }
}

fn fill(generator: &Generator, stretch: Stretch, supplies: Supplies<'_>, out: &mut Register, dtype: DType) {
    match generator {
        Generator::Full(value) => with_type!(dtype, T => {
            T::values_mut(out).extend(std::iter::repeat_n(T::of_number(*value), stretch.count));
        }),
        Generator::Arange { start, step } => arange(*start, *step, stretch, out),
        Generator::Linspace { start, step, last, stop } => {
            let value = |i: u64| match i {
                i if i == *last && i > 0 => *stop,
                // As NumPy: a step that is too small for any number is made of larger ones.
                i if *step == 0.0 && *last > 0 => i as f64 / *last as f64 * (stop - start) + start,
                i => start + step * i as f64,
            };
            f64::values_mut(out).extend(stretch.elements().map(value));
        }
        Generator::Index { axis, shape } => {
            let behind: u64 = shape[axis + 1..].iter().map(|&length| length as u64).product();
            let length = shape[*axis] as u64;
            i64::values_mut(out).extend(stretch.elements().map(|i| (i / behind % length) as i64));
        }
        Generator::Function { function, shape } => match &supplies.kernels[*function as usize] {
            Kernel::Index(call) => call(stretch, shape, out),
            other => other.unexpected(),
        },
        Generator::Random { stream, distribution } => {
            let elements = &supplies.streams[*stream as usize];
            random(elements, *distribution, stretch, supplies.kernels, out);
        }
    }
}

/// As NumPy fills an array: the second element is the first and a step, and the others go on at the distance of
/// these two, which is the step but for its last bits.
macro_rules! float_range {
    ($start:expr, $step:expr, $stretch:expr, $out:expr, $float:ty) => {{
        let (start, second) = ($start, $start + $step);
        let step = second - start;
        let elements = $stretch.elements();
        let out = <$float>::values_mut($out);
        if $stretch.first > 1 {
            out.extend(elements.map(|i| start + step * i as $float));
        } else {
            out.extend(elements.map(|i| match i {
                0 => start,
                1 => second,
                i => start + step * i as $float,
            }));
        }
    }};
}

fn arange(start: Number, step: Number, stretch: Stretch, out: &mut Register) {
    let elements = stretch.elements();
    match (start, step) {
        (Number::F64(start), Number::F64(step)) => float_range!(start, step, stretch, out, f64),
        (Number::F32(start), Number::F32(step)) => float_range!(start, step, stretch, out, f32),
        (Number::I64(start), Number::I64(step)) => {
            i64::values_mut(out).extend(elements.map(|i| start.wrapping_add(step.wrapping_mul(i as i64))));
        }
        (Number::I32(start), Number::I32(step)) => {
            i32::values_mut(out).extend(elements.map(|i| start.wrapping_add(step.wrapping_mul(i as i32))));
        }
        (Number::U8(start), Number::U8(step)) => {
            u8::values_mut(out).extend(elements.map(|i| start.wrapping_add(step.wrapping_mul(i as u8))));
        }
        _ => unreachable!("types are checked when an array is made"),
    }
}

fn random(
    elements: &Elements,
    distribution: Distribution,
    stretch: Stretch,
    kernels: &[Kernel],
    out: &mut Register,
) {
    match distribution {
        Distribution::Uniform { low, high } => {
            let values = floats(elements, stretch, out, |cursor, values| cursor.fill_random(values));
            if (low, high) != (0.0, 1.0) {
                values.iter_mut().for_each(|x| *x = low + (high - low) * *x);
            }
        }
        Distribution::Normal { mean, deviation } => {
            let values = floats(elements, stretch, out, |cursor, values| cursor.fill_standard_normal(values));
            if (mean, deviation) != (0.0, 1.0) {
                values.iter_mut().for_each(|x| *x = mean + deviation * *x);
            }
        }
        Distribution::Exponential { scale } => {
            let values =
                floats(elements, stretch, out, |cursor, values| cursor.fill_standard_exponential(values));
            if scale != 1.0 {
                values.iter_mut().for_each(|x| *x *= scale);
            }
        }
        Distribution::Integers { low, high } => {
            let fill =
                |cursor: &ElementCursor<'_>, values: &mut [i64]| cursor.fill_integers(low, high, values);
            filled(elements, stretch, i64::values_mut(out), fill);
        }
        Distribution::Function { function } => match &kernels[function as usize] {
            Kernel::Random(call) => {
                stretch.elements().for_each(|element| call(elements.stream(element), out));
            }
            other => other.unexpected(),
        },
    }
}

fn floats<'a>(
    elements: &Elements,
    stretch: Stretch,
    out: &'a mut Register,
    fill: impl Fn(&ElementCursor<'_>, &mut [f64]),
) -> &'a mut [f64] {
    filled(elements, stretch, f64::values_mut(out), fill)
}

/// Appends the elements of a stretch and returns them.
fn filled<'a, T: Lane>(
    elements: &Elements,
    stretch: Stretch,
    out: &'a mut Vec<T>,
    fill: impl Fn(&ElementCursor<'_>, &mut [T]),
) -> &'a mut [T] {
    let before = out.len();
    out.resize(before + stretch.count, T::default());
    let values = &mut out[before..];
    if stretch.step == 1 {
        fill(&elements.at(stretch.first), values);
    } else {
        for (value, element) in values.iter_mut().zip(stretch.elements()) {
            fill(&elements.at(element), std::slice::from_mut(value));
        }
    }
    values
}
