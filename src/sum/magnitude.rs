//! What is asked of a sum when it is complete: exact arithmetic, and one rounding.

use super::digits::{DIGIT_BITS, Magnitude};

/// A format of binary floating-point numbers.
#[derive(Clone, Copy)]
struct Format {
    /// The bits of a mantissa.
    precision: i32,
    /// The exponent of the smallest positive number.
    smallest: i32,
    /// The bits of infinity.
    infinity: u64,
}

const F64: Format = Format { precision: 53, smallest: -1074, infinity: f64::INFINITY.to_bits() };
const F32: Format = Format { precision: 24, smallest: -149, infinity: f32::INFINITY.to_bits() as u64 };

impl Magnitude {
    pub(super) const ZERO: Self = Self { negative: false, first: 0, words: Vec::new() };

    /// The nearest `f64`, the even one of two; an infinity beyond the largest.
    pub(super) fn rounded(&self) -> f64 {
        self.rounded_with(false)
    }

    /// The nearest `f32`: not the one that is nearest to the nearest `f64`, which may lie in the middle of two.
    pub(super) fn rounded_to_f32(&self) -> f32 {
        let value = f32::from_bits(self.bits(F32, false) as u32);
        if self.is_negative() { -value } else { value }
    }

    /// The nearest `f64` of this and, if `more`, of something smaller than the
    /// last bit of this.
    fn rounded_with(&self, more: bool) -> f64 {
        let value = f64::from_bits(self.bits(F64, more));
        if self.is_negative() { -value } else { value }
    }

    /// Zero has no sign.
    fn is_negative(&self) -> bool {
        self.negative && !self.words.is_empty()
    }

    /// The bits of the nearest number of a format, without a sign.
    fn bits(&self, format: Format, more: bool) -> u64 {
        let Format { precision, smallest, infinity } = format;
        let Some(top) = self.words.last() else {
            return 0;
        };
        let lowest = DIGIT_BITS * self.first;
        let bits = DIGIT_BITS * self.words.len() as i32 - top.leading_zeros() as i32;
        // The weight of the last bit of the result.
        let last = (lowest + bits - precision).max(smallest);
        let dropped = last - lowest;
        let mantissa = if dropped > 0 {
            let mantissa = self.bits_from(dropped);
            let half = self.bits_from(dropped - 1) & 1 == 1;
            let tie = half && !more && self.zeros_below(dropped - 1);
            mantissa + u64::from(half && (!tie || mantissa & 1 == 1))
        } else {
            self.bits_from(0) << -dropped
        };
        // A mantissa of 2^precision carries into the exponent, as it should.
        let exponent = ((last - smallest) as u64).min(infinity >> (precision - 1));
        ((exponent << (precision - 1)) + mantissa).min(infinity)
    }

    /// 64 bits, from position `from` on.
    fn bits_from(&self, from: i32) -> u64 {
        let word = |at: usize| u128::from(self.words.get(at).copied().unwrap_or(0));
        let (at, shift) = ((from / DIGIT_BITS) as usize, from % DIGIT_BITS);
        ((word(at + 1) << DIGIT_BITS | word(at)) >> shift) as u64
    }

    /// Whether all bits below position `below` are zero.
    fn zeros_below(&self, below: i32) -> bool {
        let (at, shift) = ((below / DIGIT_BITS) as usize, below % DIGIT_BITS);
        let partial = self.words.get(at).copied().unwrap_or(0) & ((1 << shift) - 1);
        partial == 0 && self.words.iter().take(at).all(|&word| word == 0)
    }

    /// The quotient by a product of divisors, rounded once.
    pub(super) fn divided_by(&self, divisors: &[u64]) -> f64 {
        // So many words below that the quotient has more bits than a result.
        let mut quotient = self.padded(divisors.len() + 1);
        let mut more = false;
        for &divisor in divisors {
            let divisor = u128::from(divisor);
            let mut remainder = 0;
            for word in quotient.words.iter_mut().rev() {
                let dividend = remainder << DIGIT_BITS | u128::from(*word);
                *word = (dividend / divisor) as u64;
                remainder = dividend % divisor;
            }
            more |= remainder != 0;
        }
        quotient.trim();
        quotient.rounded_with(more)
    }

    /// The product of the absolute values.
    pub(super) fn times(&self, other: &Self) -> Self {
        let mut words = vec![0; self.words.len() + other.words.len()];
        for (at, &left) in self.words.iter().enumerate() {
            let mut carry = 0;
            for (word, &right) in words[at..].iter_mut().zip(other.words.iter().chain([&0])) {
                let sum = u128::from(left) * u128::from(right) + u128::from(*word) + carry;
                *word = sum as u64;
                carry = sum >> DIGIT_BITS;
            }
        }
        let mut product = Self { negative: false, first: self.first + other.first, words };
        product.trim();
        product
    }

    /// The difference of the absolute values, of which that of `self` has to be
    /// the larger.
    pub(super) fn minus(&self, other: &Self) -> Self {
        let mut difference = self.padded((self.first - other.first).max(0) as usize);
        let other = other.padded((other.first - self.first).max(0) as usize);
        let mut borrow = 0;
        for (at, word) in difference.words.iter_mut().enumerate() {
            let other = other.words.get(at).copied().unwrap_or(0);
            let sum = i128::from(*word) - i128::from(other) + borrow;
            *word = sum as u64;
            borrow = sum >> DIGIT_BITS;
        }
        difference.trim();
        difference
    }

    /// The same value with words of zeros below.
    fn padded(&self, words: usize) -> Self {
        Self {
            negative: self.negative,
            first: self.first - words as i32,
            words: [&vec![0; words], self.words.as_slice()].concat(),
        }
    }

    /// Drops words of zeros at the top.
    pub(super) fn trim(&mut self) {
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }
}

impl From<u64> for Magnitude {
    fn from(value: u64) -> Self {
        let mut magnitude = Self { negative: false, first: 0, words: vec![value] };
        magnitude.trim();
        magnitude
    }
}
