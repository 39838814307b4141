//! The hash that turns a seed and a key into the state of a generator.

use serde::{Deserialize, Serialize};

use super::Seed;

/// Words of the pool that seed and key are mixed into.
const POOL: usize = 4;

// The constants of M. O'Neill's `seed_seq_fe`, which NumPy took over.
const ABSORB_START: u32 = 0x43b0_d7e5;
const ABSORB_FACTOR: u32 = 0x931e_8875;
const GENERATE_START: u32 = 0x8b51_f9dd;
const GENERATE_FACTOR: u32 = 0x58f3_8ded;
const MIX_LEFT: u32 = 0xca01_f9dd;
const MIX_RIGHT: u32 = 0x4973_f715;
const SHIFT: u32 = 16;

/// NumPy's `SeedSequence(seed, spawn_key=key)`: a hash of seed and key that can
/// be read as any number of well-mixed words.
///
/// The words of a key are absorbed one after another, so that a sequence is
/// also what all keys with the same front have in common: [`child`](Self::child)
/// and [`extended`](Self::extended) go on from there. Nothing is allocated but
/// the result of the `generate_` methods.
///
/// The method is `seed_seq_fe` of M. O'Neill
/// ([*Developing a seed_seq Alternative*](https://www.pcg-random.org/posts/developing-a-seed_seq-alternative.html),
/// 2015), in the form that R. Kern gave it for NumPy.
///
/// ```
/// use serried::random::{Seed, SeedSequence};
///
/// // numpy.random.SeedSequence(42, spawn_key=(3, 7)).generate_state(2)
/// let sequence = SeedSequence::new(&Seed::from(42u64), &[3, 7]);
/// assert_eq!(sequence.generate_state_u32(2), [958908296, 2590339925]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SeedSequence {
    pool: [u32; POOL],
    /// What the next word is hashed with. It depends on the number of words
    /// absorbed so far, not on the words.
    multiplier: u32,
}

impl SeedSequence {
    /// The sequence of a seed and a spawn key.
    ///
    /// Two keys differ whenever their words do, in number or in value. This
    /// holds for seeds of up to 128 bits; see [`Seed::fits_128_bits`].
    #[inline]
    #[must_use]
    pub fn new(seed: &Seed, spawn_key: &[u32]) -> Self {
        // NumPy pads the seed with zeros to the size of the pool when there is
        // a key, and fills the pool with hashed zeros when there is none: the
        // same words, so that the key can be absorbed afterwards.
        let words = seed.words();
        let mut multiplier = ABSORB_START;
        let mut pool: [u32; POOL] =
            std::array::from_fn(|slot| hashed(words.get(slot).copied().unwrap_or(0), &mut multiplier));
        for source in 0..POOL {
            for target in 0..POOL {
                if source != target {
                    pool[target] = mixed(pool[target], hashed(pool[source], &mut multiplier));
                }
            }
        }
        Self { pool, multiplier }.extended(words.get(POOL..).unwrap_or(&[])).extended(spawn_key)
    }

    /// The sequence whose key is longer by one word.
    ///
    /// ```
    /// use serried::random::{Seed, SeedSequence};
    ///
    /// let seed = Seed::from(42u64);
    /// let prefix = SeedSequence::new(&seed, &[3]);
    /// assert_eq!(prefix.child(7), SeedSequence::new(&seed, &[3, 7]));
    /// ```
    #[inline]
    #[must_use]
    pub fn child(&self, word: u32) -> Self {
        let mut child = self.clone();
        for slot in &mut child.pool {
            *slot = mixed(*slot, hashed(word, &mut child.multiplier));
        }
        child
    }

    /// The sequence whose key is longer by several words.
    ///
    /// ```
    /// use serried::random::{Seed, SeedSequence};
    ///
    /// let seed = Seed::from(42u64);
    /// let prefix = SeedSequence::new(&seed, &[3]);
    /// assert_eq!(prefix.extended(&[7, 1]), SeedSequence::new(&seed, &[3, 7, 1]));
    /// ```
    #[inline]
    #[must_use]
    pub fn extended(&self, words: &[u32]) -> Self {
        words.iter().fold(self.clone(), |sequence, &word| sequence.child(word))
    }

    /// The first `count` words: NumPy's `generate_state(count)`.
    #[must_use]
    pub fn generate_state_u32(&self, count: usize) -> Vec<u32> {
        self.state().take(count).collect()
    }

    /// The first `count` double words: NumPy's `generate_state(count, uint64)`.
    ///
    /// ```
    /// use serried::random::{Seed, SeedSequence};
    ///
    /// let sequence = SeedSequence::new(&Seed::from(42u64), &[]);
    /// let words = sequence.generate_state_u32(2);
    /// let double = sequence.generate_state_u64(1);
    /// assert_eq!(double[0], u64::from(words[0]) | u64::from(words[1]) << 32);
    /// ```
    #[must_use]
    pub fn generate_state_u64(&self, count: usize) -> Vec<u64> {
        let mut words = self.state();
        (0..count).map(|_| next_double_word(&mut words)).collect()
    }

    /// The first four double words, which seed a generator.
    #[inline]
    pub(super) fn generator_state(&self) -> [u64; 4] {
        let mut words = self.state();
        std::array::from_fn(|_| next_double_word(&mut words))
    }

    /// All words, without end.
    #[inline]
    fn state(&self) -> impl Iterator<Item = u32> {
        let mut multiplier = GENERATE_START;
        self.pool.iter().cycle().map(move |word| {
            let value = word ^ multiplier;
            multiplier = multiplier.wrapping_mul(GENERATE_FACTOR);
            let value = value.wrapping_mul(multiplier);
            value ^ (value >> SHIFT)
        })
    }
}

/// The next two of an endless sequence of words, low word first.
#[inline]
fn next_double_word(words: &mut impl Iterator<Item = u32>) -> u64 {
    let mut word = || words.next().map_or(0, u64::from);
    word() | word() << 32
}

/// One word hashed with a multiplier that changes from word to word.
#[inline]
fn hashed(word: u32, multiplier: &mut u32) -> u32 {
    let value = word ^ *multiplier;
    *multiplier = multiplier.wrapping_mul(ABSORB_FACTOR);
    let value = value.wrapping_mul(*multiplier);
    value ^ (value >> SHIFT)
}

/// One slot of the pool, mixed with a hashed word.
#[inline]
fn mixed(slot: u32, word: u32) -> u32 {
    let value = MIX_LEFT.wrapping_mul(slot).wrapping_sub(MIX_RIGHT.wrapping_mul(word));
    value ^ (value >> SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_key_and_a_zero_are_two_keys() {
        let seed = Seed::from(5u64);
        assert_ne!(SeedSequence::new(&seed, &[]), SeedSequence::new(&seed, &[0]));
        assert_ne!(SeedSequence::new(&seed, &[0]), SeedSequence::new(&seed, &[0, 0]));
    }

    #[test]
    fn a_seed_beyond_the_pool_is_absorbed_like_a_key() {
        // numpy.random.SeedSequence(2**200 + 12345, spawn_key=(9,)).generate_state(3)
        let seed: Seed = "1606938044258990275541962092341162602522202993782792835313721".parse().unwrap();
        let words = SeedSequence::new(&seed, &[9]).generate_state_u32(3);
        assert_eq!(words, [3621779963, 2514202179, 2753241855]);
    }

    #[test]
    fn double_words_beyond_the_pool_go_on_with_the_words() {
        let sequence = SeedSequence::new(&Seed::from(1u64), &[2]);
        let words = sequence.generate_state_u32(14);
        let pairs: Vec<u64> =
            words.chunks(2).map(|pair| u64::from(pair[0]) | u64::from(pair[1]) << 32).collect();
        assert_eq!(sequence.generate_state_u64(7), pairs);
        assert_eq!(sequence.generator_state(), pairs[..4]);
    }
}
