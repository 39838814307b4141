//! The seed of a run: a non-negative integer of any size.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The largest power of ten in a word, and its number of zeros: the step in
/// which decimal digits are read and written.
const DECIMAL_STEP: u64 = 1_000_000_000;
const DECIMAL_DIGITS: usize = 9;

/// The seed of a run: a non-negative integer of any size, as NumPy takes it.
///
/// One seed stands for a whole run, and every piece of work has its own key
/// under it. A seed is read and written in decimal, also by serde.
///
/// ```
/// use serried::random::Seed;
///
/// let seed: Seed = "340282366920938463463374607431768211455".parse()?;
/// assert_eq!(seed, Seed::from(u128::MAX));
/// assert_eq!(seed.bits(), 128);
/// assert_eq!(Seed::from(42u64).to_string(), "42");
/// # Ok::<(), serried::random::ParseSeedError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seed {
    /// Least significant word first, without zeros at the end: zero has none.
    words: Vec<u32>,
}

impl Seed {
    /// A seed that nobody has used before: 128 bits of the operating system's
    /// entropy. Print it, or the run cannot be repeated.
    ///
    /// # Panics
    /// If the operating system has no entropy to give.
    ///
    /// ```
    /// use serried::random::Seed;
    ///
    /// let seed = Seed::fresh();
    /// println!("seed {seed}");
    /// assert!(seed.fits_128_bits());
    /// assert_ne!(seed, Seed::fresh());
    /// ```
    #[must_use]
    pub fn fresh() -> Self {
        let mut bytes = [0; 16];
        if let Err(error) = getrandom::fill(&mut bytes) {
            panic!("no entropy from the operating system for a fresh seed: {error}");
        }
        Self::from(u128::from_le_bytes(bytes))
    }

    /// The words of the seed, least significant first; none for zero.
    ///
    /// ```
    /// use serried::random::Seed;
    ///
    /// assert_eq!(Seed::from(7 + (9u64 << 32)).words(), [7, 9]);
    /// ```
    #[must_use]
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// The number of bits of the seed: the position of its highest one, and 0
    /// for zero.
    ///
    /// ```
    /// use serried::random::Seed;
    ///
    /// assert_eq!(Seed::from(0u64).bits(), 0);
    /// assert_eq!(Seed::from(256u64).bits(), 9);
    /// ```
    #[must_use]
    pub fn bits(&self) -> u64 {
        let Some(top) = self.words.last() else {
            return 0;
        };
        32 * self.words.len() as u64 - u64::from(top.leading_zeros())
    }

    /// Whether the seed is below 2^128.
    ///
    /// A [`SeedSequence`](super::SeedSequence) reads the words of a larger seed
    /// where it would read those of a key, so that only seeds that fit are
    /// certain not to share a stream with another seed and key.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let large: Seed = "340282366920938463463374607431768211457".parse()?; // 2^128 + 1
    /// assert!(!large.fits_128_bits());
    /// assert_eq!(Stream::new(&large, &[]), Stream::new(&Seed::from(1u64), &[1]));
    /// # Ok::<(), serried::random::ParseSeedError>(())
    /// ```
    #[must_use]
    pub fn fits_128_bits(&self) -> bool {
        self.words.len() <= 4
    }

    /// `self * factor + addend`, in place: how decimal digits are appended.
    fn multiply_add(&mut self, factor: u64, addend: u64) {
        let mut carry = addend;
        for word in &mut self.words {
            let sum = u64::from(*word) * factor + carry;
            *word = sum as u32;
            carry = sum >> 32;
        }
        if carry > 0 {
            self.words.push(carry as u32);
        }
    }
}

impl From<u32> for Seed {
    fn from(value: u32) -> Self {
        Self::from(u128::from(value))
    }
}

impl From<u64> for Seed {
    fn from(value: u64) -> Self {
        Self::from(u128::from(value))
    }
}

impl From<u128> for Seed {
    fn from(value: u128) -> Self {
        let mut words: Vec<u32> = (0..4).map(|word| (value >> (32 * word)) as u32).collect();
        while words.last() == Some(&0) {
            words.pop();
        }
        Self { words }
    }
}

/// Why a text is not a [`Seed`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseSeedError {
    /// There is no digit at all.
    #[error("the seed is empty; write a non-negative decimal integer such as 42")]
    Empty,
    /// There is something else than a digit.
    #[error(
        "the seed {text:?} has {character:?} in it; \
         write a non-negative integer in decimal digits alone, such as 42"
    )]
    NotADigit {
        /// The whole text.
        text: String,
        /// Its first character that is not one of 0 to 9.
        character: char,
    },
}

impl FromStr for Seed {
    type Err = ParseSeedError;

    /// Reads decimal digits, any number of them, and nothing else.
    ///
    /// ```
    /// use serried::random::{ParseSeedError, Seed};
    ///
    /// assert_eq!("007".parse(), Ok(Seed::from(7u64)));
    /// assert_eq!("".parse::<Seed>(), Err(ParseSeedError::Empty));
    /// assert!("-1".parse::<Seed>().is_err());
    /// assert!("1e3".parse::<Seed>().is_err());
    /// ```
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(ParseSeedError::Empty);
        }
        if let Some(character) = text.chars().find(|character| !character.is_ascii_digit()) {
            return Err(ParseSeedError::NotADigit { text: text.to_owned(), character });
        }
        let mut seed = Self { words: Vec::new() };
        for digits in text.as_bytes().chunks(DECIMAL_DIGITS) {
            let (scale, value) = digits
                .iter()
                .fold((1, 0), |(scale, value), digit| (scale * 10, value * 10 + u64::from(digit - b'0')));
            seed.multiply_add(scale, value);
        }
        Ok(seed)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = self.words.clone();
        let mut groups = Vec::new();
        while !words.is_empty() {
            let mut remainder = 0;
            for word in words.iter_mut().rev() {
                let dividend = remainder << 32 | u64::from(*word);
                *word = (dividend / DECIMAL_STEP) as u32;
                remainder = dividend % DECIMAL_STEP;
            }
            groups.push(remainder);
            while words.last() == Some(&0) {
                words.pop();
            }
        }
        let mut text = groups.pop().unwrap_or(0).to_string();
        for group in groups.iter().rev() {
            text += &format!("{group:0width$}", width = DECIMAL_DIGITS);
        }
        formatter.pad_integral(true, "", &text)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Seed({self})")
    }
}

impl TryFrom<String> for Seed {
    type Error = ParseSeedError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Seed> for String {
    fn from(seed: Seed) -> Self {
        seed.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_normalised_however_the_seed_is_made() {
        assert!(Seed::from(0u32).words().is_empty());
        assert!("0000000000000000000000".parse::<Seed>().unwrap().words().is_empty());
        assert_eq!(Seed::from(1u128 << 96).words(), [0, 0, 0, 1]);
        assert_eq!("4294967296".parse::<Seed>().unwrap().words(), [0, 1]);
    }

    #[test]
    fn zeros_inside_a_number_are_written() {
        for text in ["0", "1000000000", "1000000000000000000", "18446744073709551616"] {
            assert_eq!(text.parse::<Seed>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn fits_changes_at_two_to_the_128() {
        let largest: Seed = u128::MAX.to_string().parse().unwrap();
        assert!(largest.fits_128_bits());
        let next: Seed = "340282366920938463463374607431768211456".parse().unwrap();
        assert_eq!((next.bits(), next.fits_128_bits()), (129, false));
    }

    #[test]
    fn anything_but_digits_is_refused_and_named() {
        for (text, character) in [("-1", '-'), ("+1", '+'), ("1e3", 'e'), ("1 2", ' '), ("٣", '٣')] {
            let error = text.parse::<Seed>().unwrap_err();
            assert_eq!(error, ParseSeedError::NotADigit { text: text.into(), character });
        }
        assert_eq!("".parse::<Seed>(), Err(ParseSeedError::Empty));
    }

    #[test]
    fn serde_writes_the_decimal_text() {
        let seed: Seed = "99999999999999999999999999999999999999999999".parse().unwrap();
        let json = serde_json::to_string(&seed).unwrap();
        assert_eq!(json, "\"99999999999999999999999999999999999999999999\"");
        assert_eq!(serde_json::from_str::<Seed>(&json).unwrap(), seed);
        assert!(serde_json::from_str::<Seed>("\"-1\"").is_err());
    }

    proptest! {
        #[test]
        fn decimal_text_agrees_with_the_integer(value: u128) {
            prop_assert_eq!(Seed::from(value).to_string(), value.to_string());
            prop_assert_eq!(value.to_string().parse::<Seed>().unwrap(), Seed::from(value));
            prop_assert_eq!(Seed::from(value).bits(), u64::from(128 - value.leading_zeros()));
        }

        #[test]
        fn decimal_text_of_any_length_survives(text in "[1-9][0-9]{0,200}") {
            prop_assert_eq!(text.parse::<Seed>().unwrap().to_string(), text);
        }
    }
}
