//! One stream as interleaved lanes that advance side by side.
//!
//! A linear congruential generator can take `LANES` steps at once: they are one
//! step of a generator with another multiplier and another increment (F. Brown,
//! *Random Number Generation with Arbitrary Strides*, Transactions of the
//! American Nuclear Society 71, 1994). Lane j stands at draw j of a row of
//! `LANES` draws and steps from row to row, so that a row is the same draws in
//! the same order as one generator gives, without one waiting for the other.

use rand_pcg::Lcg128CmDxsm64;

/// Lanes, and the draws of a row: enough to hide the latency of the
/// multiplications in the widest vector registers.
pub(super) const LANES: usize = 16;

/// The multiplier of the generator, also of its output function.
const MULTIPLIER: u64 = 0xda94_2042_e4dd_58b5;

/// What brings a generator `0..=LANES` steps ahead.
const STEPS: [Step; LANES + 1] = {
    let mut steps = [Step { multiplier: 1, increments: 0 }; LANES + 1];
    let mut ahead = 0;
    while ahead < LANES {
        let Step { multiplier, increments } = steps[ahead];
        steps[ahead + 1] = Step {
            multiplier: multiplier.wrapping_mul(MULTIPLIER as u128),
            increments: increments.wrapping_mul(MULTIPLIER as u128).wrapping_add(1),
        };
        ahead += 1;
    }
    steps
};

/// `state -> state * multiplier + increment * increments`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    multiplier: u128,
    increments: u128,
}

impl Step {
    /// What brings a generator `draws` steps ahead, by repeated squaring.
    pub(super) fn ahead(draws: u64) -> Self {
        let mut ahead = Self { multiplier: 1, increments: 0 };
        let mut square = STEPS[1];
        let mut draws = draws;
        while draws > 0 {
            if draws & 1 == 1 {
                ahead = ahead.then(square);
            }
            square = square.then(square);
            draws >>= 1;
        }
        ahead
    }

    /// This step and then another.
    fn then(self, next: Self) -> Self {
        Self {
            multiplier: self.multiplier.wrapping_mul(next.multiplier),
            increments: self.increments.wrapping_mul(next.multiplier).wrapping_add(next.increments),
        }
    }
}

/// The multiplier from row to row, in halves.
const ROW_HIGH: u64 = (STEPS[LANES].multiplier >> 64) as u64;
const ROW_LOW: u64 = STEPS[LANES].multiplier as u64;

/// The states of one generator at `LANES` draws in a row, split in halves: what
/// vector registers can hold.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    high: [u64; LANES],
    low: [u64; LANES],
    /// The increment from row to row.
    row_increment: u128,
    /// The parameter that tells the sequence of the generator from others.
    sequence: u128,
}

impl Lanes {
    /// The lanes whose first row begins with the next draw of `generator`.
    pub(super) fn new(generator: &Lcg128CmDxsm64) -> Self {
        let increment = generator.stream() << 1 | 1;
        let states: [u128; LANES] = std::array::from_fn(|lane| {
            let Step { multiplier, increments } = STEPS[lane];
            let carried = generator.state().wrapping_mul(multiplier);
            carried.wrapping_add(increment.wrapping_mul(increments))
        });
        Self {
            high: states.map(|state| (state >> 64) as u64),
            low: states.map(|state| state as u64),
            row_increment: increment.wrapping_mul(STEPS[LANES].increments),
            sequence: generator.stream(),
        }
    }

    /// The generator whose next draw is the first of the next row.
    pub(super) fn generator(&self) -> Lcg128CmDxsm64 {
        let state = u128::from(self.high[0]) << 64 | u128::from(self.low[0]);
        Lcg128CmDxsm64::from_state(state, self.sequence)
    }

    /// Brings all lanes ahead.
    pub(super) fn step(&mut self, step: &Step) {
        let increment = (self.sequence << 1 | 1).wrapping_mul(step.increments);
        for (high, low) in self.high.iter_mut().zip(&mut self.low) {
            let state = u128::from(*high) << 64 | u128::from(*low);
            let state = state.wrapping_mul(step.multiplier).wrapping_add(increment);
            (*high, *low) = ((state >> 64) as u64, state as u64);
        }
    }

    /// Fills whole rows with converted draws; a remainder of less than a row is
    /// left alone.
    ///
    /// Written for the vectoriser, one array per half and no carries between
    /// lanes; compiled once for each instruction set (see `dispatch`).
    #[inline(always)]
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub(super) fn fill_rows<T>(&mut self, values: &mut [T], convert: impl Fn(u64) -> T) {
        let increment_high = (self.row_increment >> 64) as u64;
        let increment_low = self.row_increment as u64;
        let (mut high, mut low) = (self.high, self.low);
        let (rows, _) = values.as_chunks_mut::<LANES>();
        for row in rows {
            for lane in 0..LANES {
                row[lane] = convert(permuted(high[lane], low[lane]));
                let product_high = multiply_high(low[lane], ROW_LOW)
                    .wrapping_add(low[lane].wrapping_mul(ROW_HIGH))
                    .wrapping_add(high[lane].wrapping_mul(ROW_LOW));
                low[lane] = low[lane].wrapping_mul(ROW_LOW).wrapping_add(increment_low);
                let carry = u64::from(low[lane] < increment_low);
                high[lane] = product_high.wrapping_add(increment_high).wrapping_add(carry);
            }
        }
        (self.high, self.low) = (high, low);
    }

    /// The same without vectors in mind: a scalar unit multiplies 64 bits into
    /// 128, and has no use for halves.
    pub(super) fn fill_rows_scalar<T>(&mut self, values: &mut [T], convert: impl Fn(u64) -> T) {
        let (rows, _) = values.as_chunks_mut::<LANES>();
        for row in rows {
            for (value, (high, low)) in row.iter_mut().zip(self.high.iter_mut().zip(&mut self.low)) {
                *value = convert(permuted(*high, *low));
                let state = (u128::from(*high) << 64 | u128::from(*low))
                    .wrapping_mul(STEPS[LANES].multiplier)
                    .wrapping_add(self.row_increment);
                (*high, *low) = ((state >> 64) as u64, state as u64);
            }
        }
    }
}

/// The output function of PCG64DXSM: double xorshift, multiply.
#[inline(always)]
fn permuted(high: u64, low: u64) -> u64 {
    let bits = (high ^ (high >> 32)).wrapping_mul(MULTIPLIER);
    (bits ^ (bits >> 48)).wrapping_mul(low | 1)
}

/// The upper half of a product, from products of 32-bit halves: vector units
/// have no wider multiplication that keeps all bits.
#[inline(always)]
fn multiply_high(left: u64, right: u64) -> u64 {
    const LOW: u64 = u32::MAX as u64;
    let (left_high, left_low) = (left >> 32, left & LOW);
    let (right_high, right_low) = (right >> 32, right & LOW);
    let middle = left_high * right_low + ((left_low * right_low) >> 32);
    let other = left_low * right_high + (middle & LOW);
    left_high * right_high + (middle >> 32) + (other >> 32)
}
