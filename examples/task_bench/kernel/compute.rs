//! Kernels bound by arithmetic.

use std::hint::black_box;

/// Values that the fused kernel works on: 16 registers of four.
const VALUES: usize = 64;

/// Floating-point operations of the fused kernel: a multiplication and an addition per value and iteration, and the
/// product at the end.
pub(super) fn fused_flops(iterations: u64) -> u64 {
    2 * VALUES as u64 * iterations + VALUES as u64
}

/// x <- x * x + x for 64 values, and their product in the end. The values are soon infinite, which costs nothing.
///
/// The 16 registers do not depend on each other, so the rate is that at which the processor can begin fused
/// operations. A slower kernel would flatter every runtime that is measured with it.
pub(super) fn fused(iterations: u64) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has just said that it has both features.
        #[allow(unsafe_code)]
        return unsafe { fused_avx2(iterations) };
    }
    fused_portable(iterations)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn fused_avx2(iterations: u64) -> f64 {
    use std::arch::x86_64::{_mm256_fmadd_pd, _mm256_mul_pd, _mm256_setr_pd};
    let mut registers = [_mm256_setr_pd(1.0, 2.0, 3.0, 4.0); VALUES / 4];
    for _ in 0..iterations {
        for x in &mut registers {
            *x = _mm256_fmadd_pd(*x, *x, *x);
        }
    }
    let [first, rest @ ..] = registers;
    let product = rest.into_iter().fold(first, |product, x| _mm256_mul_pd(product, x));
    lanes(product).iter().product()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
fn lanes(register: std::arch::x86_64::__m256d) -> [f64; 4] {
    use std::arch::x86_64::{_mm_cvtsd_f64, _mm_unpackhi_pd, _mm256_extractf128_pd};
    let halves = [_mm256_extractf128_pd::<0>(register), _mm256_extractf128_pd::<1>(register)];
    let [low, high] = halves.map(|half| [_mm_cvtsd_f64(half), _mm_cvtsd_f64(_mm_unpackhi_pd(half, half))]);
    [low[0], low[1], high[0], high[1]]
}

/// For processors without these instructions, or with others. Where there is no fused operation `mul_add` would
/// be a call of a function.
fn fused_portable(iterations: u64) -> f64 {
    let mut registers = [[1.0, 2.0, 3.0, 4.0f64]; VALUES / 4];
    for _ in 0..iterations {
        for x in registers.as_flattened_mut() {
            *x = if cfg!(target_arch = "x86_64") { *x * *x + *x } else { x.mul_add(*x, *x) };
        }
    }
    let lane = |k: usize| registers.iter().map(|register| register[k]).product::<f64>();
    (0..4).map(lane).product()
}

/// Products that are summed up side by side.
const SUMS: usize = 32;

pub(super) fn products_flops(iterations: u64) -> u64 {
    2 * SUMS as u64 * iterations
}

/// c <- c + a * b, 32 wide. How that becomes instructions is left to the compiler.
pub(super) fn products(iterations: u64) -> f64 {
    let a: [f64; SUMS] = std::array::from_fn(|k| 1.0 + k as f64);
    let b: [f64; SUMS] = std::array::from_fn(|k| 1.0 / (1.0 + k as f64));
    let mut c = [0.0; SUMS];
    for _ in 0..iterations {
        // Else the products would be made once, before the loop.
        let a = black_box(&a);
        for k in 0..SUMS {
            c[k] += a[k] * b[k];
        }
    }
    c.iter().sum()
}

/// A chain of multiplications and remainders, each waiting for the one before: time, but no arithmetic units.
pub(super) fn chain(iterations: u64) -> u64 {
    (0..iterations).fold(113, |a, _| 139 * a % 0x7fff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fused_kernel_is_the_portable_one() {
        // Until the integers have more than 53 bits neither rounds.
        for n in 0..5 {
            assert_eq!(fused(n), fused_portable(n), "after {n} iterations");
        }
        assert_eq!(fused(0), 24f64.powi(16));
        assert_eq!(fused(1), (2.0 * 6.0 * 12.0 * 20.0f64).powi(16));
        for n in [10, 1000] {
            assert_eq!((fused(n), fused_portable(n)), (f64::INFINITY, f64::INFINITY));
        }
    }

    #[test]
    fn other_kernels_count_their_iterations() {
        assert!((products(100) - 3200.0).abs() < 1e-9);
        assert_eq!(chain(0), 113);
        assert_eq!(chain(1), 139 * 113);
        assert_eq!(chain(5), (0..5).fold(113u64, |a, _| a * 139 % (i32::MAX as u64)));
    }
}
