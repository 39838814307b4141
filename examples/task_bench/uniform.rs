//! Uniform numbers that belong to a place in the graph: a hash of its coordinates.
//!
//! Task Bench hashes with SipHash-2-4 (Aumasson & Bernstein 2012); with the same hash and key the graphs and the
//! imbalances here are the same as there, number for number.

/// The bytes 1, 2, ..., 15, 0.
const KEY: [u64; 2] = [0x0807_0605_0403_0201, 0x000f_0e0d_0c0b_0a09];

/// A number in [0, 1), always the same for the same words.
pub(crate) fn uniform(words: &[i64]) -> f64 {
    siphash(KEY, words) as f64 / 2f64.powi(64)
}

/// SipHash-2-4 of the words as little-endian bytes.
fn siphash(key: [u64; 2], words: &[i64]) -> u64 {
    let mut state = State([
        key[0] ^ 0x736f_6d65_7073_6575,
        key[1] ^ 0x646f_7261_6e64_6f6d,
        key[0] ^ 0x6c79_6765_6e65_7261,
        key[1] ^ 0x7465_6462_7974_6573,
    ]);
    for &word in words {
        state.absorb(word as u64);
    }
    // The last block holds the bytes left over, of which words leave none, below the length modulo 256.
    state.absorb(((8 * words.len()) as u64) << 56);
    state.0[2] ^= 0xff;
    (0..4).for_each(|_| state.round());
    state.0.into_iter().fold(0, |hash, word| hash ^ word)
}

struct State([u64; 4]);

impl State {
    fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    fn round(&mut self) {
        let [a, b, c, d] = &mut self.0;
        *a = a.wrapping_add(*b);
        *c = c.wrapping_add(*d);
        *b = b.rotate_left(13) ^ *a;
        *d = d.rotate_left(16) ^ *c;
        *a = a.rotate_left(32);
        *c = c.wrapping_add(*b);
        *a = a.wrapping_add(*d);
        *b = b.rotate_left(17) ^ *c;
        *d = d.rotate_left(21) ^ *a;
        *c = c.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors for key 00 01 ... 0f that the authors publish, at the lengths that are whole words.
    #[test]
    fn the_authors_vectors() {
        let key = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        assert_eq!(siphash(key, &[]), 0x726f_db47_dd0e_0e31);
        assert_eq!(siphash(key, &[0x0706_0504_0302_0100]), 0x93f5_f579_9a93_2462);
    }

    /// The standard library's old hasher is SipHash-2-4 as well.
    #[test]
    #[allow(deprecated)]
    fn as_the_standard_library() {
        use std::hash::{Hasher, SipHasher};
        let words = [3, -7, i64::MAX, 0, 42, i64::MIN, 1];
        for length in 0..=words.len() {
            let mut hasher = SipHasher::new_with_keys(KEY[0], KEY[1]);
            words[..length].iter().for_each(|word| hasher.write(&word.to_le_bytes()));
            assert_eq!(siphash(KEY, &words[..length]), hasher.finish());
        }
    }

    #[test]
    fn numbers_are_uniform() {
        let n = 10_000;
        let mean = (0..n).map(|i| uniform(&[0, 5, i])).sum::<f64>() / n as f64;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
