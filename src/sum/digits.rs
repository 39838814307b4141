//! An exact sum as digits of base 2^64, with the carries put off.
//!
//! This is the small superaccumulator of R. M. Neal (*Fast Exact Summation Using
//! Small and Large Superaccumulators*, arXiv:1505.05571, 2015) with two changes.
//! A digit has 128 bits for 64, so that a number touches one digit only. And only
//! the digits that the summands have reached are kept, two or three instead of
//! 34, so that an array of sums stays small.

use serde::{Deserialize, Serialize};

/// The bits by which neighbouring digits differ in weight.
pub(super) const DIGIT_BITS: i32 = 64;

/// The largest digit when all is carried.
const DIGIT: i128 = u64::MAX as i128;

/// Additions between two carries. Each adds less than 2^(53 + 63) to a digit,
/// which may hold up to 2^65 before.
const PUT_OFF: u32 = 2000;

/// A sum of integers times powers of two: digit i, counted from `first`, weighs
/// 2^(64 i), and may be negative.
#[derive(Clone, Debug, Default)]
pub(super) struct Digits {
    first: i32,
    digits: Vec<i128>,
    /// The additions since the last carry.
    pending: u32,
}

/// The absolute value and the sign of a sum, in words of 64 bits, the least
/// significant first, without zeros at either end. The lowest word weighs
/// 2^(64 first).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Magnitude {
    pub(super) negative: bool,
    pub(super) first: i32,
    pub(super) words: Vec<u64>,
}

impl Digits {
    /// Adds `mantissa * 2^exponent`, or subtracts it; the mantissa has up to 53
    /// bits.
    #[inline]
    pub(super) fn add(&mut self, mantissa: u64, exponent: i32, negative: bool) {
        let digit = i128::from(mantissa) << (exponent & (DIGIT_BITS - 1));
        self.add_digit(exponent >> DIGIT_BITS.trailing_zeros(), if negative { -digit } else { digit });
        self.pending += 1;
        if self.pending >= PUT_OFF {
            self.carry();
        }
    }

    /// The same for a mantissa of up to 106 bits.
    #[inline]
    pub(super) fn add_wide(&mut self, mantissa: u128, exponent: i32, negative: bool) {
        const HALF: u32 = 53;
        self.add(mantissa as u64 & ((1 << HALF) - 1), exponent, negative);
        self.add((mantissa >> HALF) as u64, exponent + HALF as i32, negative);
    }

    /// Adds another sum.
    pub(super) fn add_all(&mut self, other: &Self) {
        self.carry();
        let mut other = other.clone();
        other.carry();
        for (index, &digit) in (other.first..).zip(&other.digits) {
            self.add_digit(index, digit);
        }
        self.pending += 1;
    }

    #[inline]
    fn add_digit(&mut self, index: i32, digit: i128) {
        // A digit below the first gives a position beyond all.
        let at = index.wrapping_sub(self.first) as u32 as usize;
        match self.digits.get_mut(at) {
            Some(sum) => *sum += digit,
            None => self.add_beyond(index, digit),
        }
    }

    /// Adds to a digit that is not kept yet.
    #[cold]
    #[inline(never)]
    fn add_beyond(&mut self, index: i32, digit: i128) {
        if self.digits.is_empty() {
            self.first = index;
        }
        let below = self.first.saturating_sub(index).max(0) as usize;
        self.digits.splice(0..0, std::iter::repeat_n(0, below));
        self.first = self.first.min(index);
        let at = index.abs_diff(self.first) as usize;
        self.digits.resize(self.digits.len().max(at + 1), 0);
        self.digits[at] += digit;
    }

    /// Brings all digits but the last to 0..2^64, and the last, which has the
    /// sign, to -2^63..2^63.
    #[cold]
    #[inline(never)]
    fn carry(&mut self) {
        self.pending = 0;
        let Some((last, others)) = self.digits.split_last_mut() else {
            return;
        };
        let mut carry = 0;
        for digit in others {
            let sum = *digit + carry;
            *digit = sum & DIGIT;
            carry = sum >> DIGIT_BITS;
        }
        let sum = *last + carry;
        *last = sum;
        if i64::try_from(sum).is_err() {
            *last = sum & DIGIT;
            self.digits.push(sum >> DIGIT_BITS);
        }
    }

    /// The sum in its one and only form.
    pub(super) fn magnitude(&self) -> Magnitude {
        let mut carried = self.clone();
        carried.carry();
        let negative = carried.digits.last().is_some_and(|&top| top < 0);
        if negative {
            carried.digits.iter_mut().for_each(|digit| *digit = -*digit);
            carried.carry();
        }
        let Some(lowest) = carried.digits.iter().position(|&digit| digit != 0) else {
            return Magnitude::ZERO;
        };
        let words = carried.digits[lowest..].iter().map(|&digit| digit as u64).collect();
        let mut magnitude = Magnitude { negative, first: carried.first + lowest as i32, words };
        magnitude.trim();
        magnitude
    }
}

impl From<&Magnitude> for Digits {
    fn from(magnitude: &Magnitude) -> Self {
        let mut digits = Self::default();
        for (index, &word) in (magnitude.first..).zip(&magnitude.words) {
            let digit = i128::from(word);
            digits.add_digit(index, if magnitude.negative { -digit } else { digit });
        }
        digits
    }
}
