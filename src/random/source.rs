//! Where the distributions take their raw draws from.

/// 2^-53, the distance between two neighbouring uniform values.
const UNIT: f64 = 1.0 / (1u64 << 53) as f64;

/// Raw draws, one after another: a generator, or a block that was drawn ahead.
pub(super) trait Source {
    /// The next 64 random bits.
    fn next_bits(&mut self) -> u64;

    /// The next uniform value in [0, 1).
    #[inline]
    fn next_unit(&mut self) -> f64 {
        unit(self.next_bits())
    }
}

/// The uniform value in [0, 1) of 64 random bits: the upper 53 of them.
#[inline(always)]
pub(super) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * UNIT
}

/// What becomes of a draw of which nothing else is asked.
pub(super) trait Conversion {
    type Value;

    /// The value of 64 random bits.
    fn convert(bits: u64) -> Self::Value;

    /// The same value, for vector registers that cannot convert integers of 64
    /// bits.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    #[inline(always)]
    fn convert_by_halves(bits: u64) -> Self::Value {
        Self::convert(bits)
    }
}

/// The bits themselves.
pub(super) struct Bits;

impl Conversion for Bits {
    type Value = u64;

    #[inline(always)]
    fn convert(bits: u64) -> u64 {
        bits
    }
}

/// The [`unit`] of the bits.
pub(super) struct Unit;

impl Conversion for Unit {
    type Value = f64;

    #[inline(always)]
    fn convert(bits: u64) -> f64 {
        unit(bits)
    }

    /// Either half becomes the low end of a floating-point number of known
    /// exponent. The sum is an integer of 53 bits, and so is exact.
    #[inline(always)]
    fn convert_by_halves(bits: u64) -> f64 {
        // 2^52 and 2^84, whose last bits count 1 and 2^32.
        const LOW: u64 = 0x4330_0000_0000_0000;
        const HIGH: u64 = 0x4530_0000_0000_0000;
        const BOTH: f64 = f64::from_bits(LOW) + f64::from_bits(HIGH);
        let integer = bits >> 11;
        let low = f64::from_bits(LOW | (integer & u64::from(u32::MAX)));
        let high = f64::from_bits(HIGH | (integer >> 32));
        ((high - BOTH) + low) * UNIT
    }
}
