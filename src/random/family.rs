//! Streams that share a seed and the front of their keys.

use serde::{Deserialize, Serialize};

use super::{Seed, SeedSequence, Stream};

/// The streams that share a seed and the front of their keys: what a map over
/// many indices prepares once.
///
/// The words of a key are hashed one after another, so the state after the
/// common front can be kept, and a stream costs what its own words cost.
///
/// ```
/// use serried::random::{Seed, Stream, StreamFamily};
///
/// let seed = Seed::from(2024u64);
/// let replicates = StreamFamily::new(&seed, &[1]);
/// let mut total = 0.0;
/// for replicate in 0..1000 {
///     total += replicates.stream(&[replicate]).random();
/// }
/// assert!((total / 1000.0 - 0.5).abs() < 0.05);
/// assert_eq!(replicates.stream(&[8]), Stream::new(&seed, &[1, 8]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StreamFamily {
    prefix: SeedSequence,
}

impl StreamFamily {
    /// The streams of `seed` whose keys begin with `prefix`.
    #[must_use]
    pub fn new(seed: &Seed, prefix: &[u32]) -> Self {
        Self { prefix: SeedSequence::new(seed, prefix) }
    }

    /// The stream whose key is the prefix and then `suffix`.
    #[inline]
    #[must_use]
    pub fn stream(&self, suffix: &[u32]) -> Stream {
        Stream::from_sequence(&self.prefix.extended(suffix))
    }

    /// The smaller family whose prefix is longer by `words`.
    ///
    /// ```
    /// use serried::random::{Seed, StreamFamily};
    ///
    /// let seed = Seed::from(2024u64);
    /// let family = StreamFamily::new(&seed, &[1]);
    /// assert_eq!(family.subfamily(&[5]).stream(&[8]), family.stream(&[5, 8]));
    /// ```
    #[inline]
    #[must_use]
    pub fn subfamily(&self, words: &[u32]) -> Self {
        Self { prefix: self.prefix.extended(words) }
    }
}
