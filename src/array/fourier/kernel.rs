//! Fourier transforms of all lanes of a block along an axis, by one thread.

use ndarray::{Array3, ArrayD, ArrayView3, ArrayViewD, IxDyn};
use num_complex::Complex64;
use realfft::RealFftPlanner;
use rustfft::FftPlanner;
use std::cell::RefCell;

thread_local! {
    /// Plans are kept for every length that a thread has met.
    static PLANS: RefCell<FftPlanner<f64>> = RefCell::new(FftPlanner::new());
    static REAL_PLANS: RefCell<RealFftPlanner<f64>> = RefCell::new(RealFftPlanner::new());
}

/// Lanes that are brought together, so that a line of the cache is read once if they are not contiguous.
const LANES: usize = 16;

pub(super) fn forward(block: ArrayViewD<'_, Complex64>, axis: usize) -> ArrayD<Complex64> {
    complex(block, axis, |plans, length| plans.plan_fft_forward(length), 1.0)
}

pub(super) fn inverse(block: ArrayViewD<'_, Complex64>, axis: usize) -> ArrayD<Complex64> {
    let scale = 1.0 / block.shape()[axis] as f64;
    complex(block, axis, |plans, length| plans.plan_fft_inverse(length), scale)
}

type Plan = std::sync::Arc<dyn rustfft::Fft<f64>>;

fn complex(
    block: ArrayViewD<'_, Complex64>,
    axis: usize,
    plan: impl Fn(&mut FftPlanner<f64>, usize) -> Plan,
    scale: f64,
) -> ArrayD<Complex64> {
    let length = block.shape()[axis];
    let plan = PLANS.with_borrow_mut(|plans| plan(plans, length));
    let mut scratch = vec![Complex64::default(); plan.get_outofplace_scratch_len()];
    lanes(block, axis, length, |input, output| {
        plan.process_outofplace_with_scratch(input, output, &mut scratch);
        if scale != 1.0 {
            output.iter_mut().for_each(|element| *element *= scale);
        }
    })
}

/// The half of the transform of real lanes that determines the other one.
pub(super) fn real_forward(block: ArrayViewD<'_, f64>, axis: usize) -> ArrayD<Complex64> {
    let length = block.shape()[axis];
    let plan = REAL_PLANS.with_borrow_mut(|plans| plans.plan_fft_forward(length));
    let mut scratch = plan.make_scratch_vec();
    lanes(block, axis, length / 2 + 1, |input, output| {
        plan.process_with_scratch(input, output, &mut scratch).expect("lanes of the planned length");
    })
}

/// The real lanes of `length` elements whose transform has this half. As in NumPy, the imaginary parts of
/// elements that are real in such a half are not read.
pub(super) fn real_inverse(block: ArrayViewD<'_, Complex64>, axis: usize, length: usize) -> ArrayD<f64> {
    let plan = REAL_PLANS.with_borrow_mut(|plans| plans.plan_fft_inverse(length));
    let mut scratch = plan.make_scratch_vec();
    let scale = 1.0 / length as f64;
    lanes(block, axis, length, |input, output| {
        input[0].im = 0.0;
        if length.is_multiple_of(2) {
            input[length / 2].im = 0.0;
        }
        plan.process_with_scratch(input, output, &mut scratch).expect("lanes of the planned length");
        output.iter_mut().for_each(|element| *element *= scale);
    })
}

/// Replaces each lane along an axis by one of `length` elements.
fn lanes<A: Copy + Default, B: Copy + Default>(
    block: ArrayViewD<'_, A>,
    axis: usize,
    length: usize,
    mut transform: impl FnMut(&mut [A], &mut [B]),
) -> ArrayD<B> {
    let mut shape = block.shape().to_vec();
    let product = |lengths: &[usize]| lengths.iter().product::<usize>();
    let (outer, before, inner) = (product(&shape[..axis]), shape[axis], product(&shape[axis + 1..]));
    let block: ArrayView3<'_, A> =
        block.into_shape_with_order((outer, before, inner)).expect("a block is in C order");
    let mut result = Array3::from_elem((outer, length, inner), B::default());
    let mut input = vec![A::default(); before * LANES.min(inner)];
    let mut output = vec![B::default(); length * LANES.min(inner)];
    for (from, mut to) in block.outer_iter().zip(result.outer_iter_mut()) {
        for first in (0..inner).step_by(LANES) {
            let count = LANES.min(inner - first);
            for (at, row) in from.outer_iter().enumerate() {
                (0..count).for_each(|lane| input[lane * before + at] = row[first + lane]);
            }
            for lane in 0..count {
                let output = &mut output[lane * length..(lane + 1) * length];
                transform(&mut input[lane * before..(lane + 1) * before], output);
            }
            for (at, mut row) in to.outer_iter_mut().enumerate() {
                (0..count).for_each(|lane| row[first + lane] = output[lane * length + at]);
            }
        }
    }
    shape[axis] = length;
    result.into_shape_with_order(IxDyn(&shape)).expect("the elements stay")
}
