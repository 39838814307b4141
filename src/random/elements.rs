//! Random numbers that belong to the elements of an array.

use serde::{Deserialize, Serialize};

use super::{ElementCursor, RESERVED, Seed, Stream, StreamFamily};

/// The random numbers of an array without end: number i is the same whichever
/// part of the array it is made in.
///
/// Raw draw i of the stream of seed and key decides element i. A uniform value
/// takes one draw, so a uniform array of any shape, in C order, is NumPy's
/// `Generator(PCG64DXSM(SeedSequence(seed, spawn_key=key))).random(shape)`. A
/// normal or exponential value takes one draw in 98 cases of 100 and more in
/// the others; these go on with a stream of the element's own, the one that
/// [`stream`](Self::stream) gives.
///
/// The numbers are filled into slices from a [cursor](Self::at) that stands at
/// the first of them:
///
/// ```
/// use serried::random::{Elements, Seed, Stream};
///
/// let seed = Seed::from(42u64);
/// let elements = Elements::new(&seed, &[3, 7]);
/// let mut whole = [0.0; 1000];
/// elements.at(0).fill_standard_normal(&mut whole);
/// let mut part = [0.0; 10];
/// elements.at(500).fill_standard_normal(&mut part);
/// assert_eq!(part, whole[500..510]);
///
/// elements.at(0).fill_random(&mut whole);
/// let mut stream = Stream::new(&seed, &[3, 7]);
/// assert_eq!(whole, [0.0; 1000].map(|_| stream.random()));
/// ```
///
/// # Keys
/// Two arrays need two keys, and an array and another piece of work too. The
/// streams of single elements need no thought: the key of element i is
/// (4294967295, 4294967295, 4294967295, *key*..., i's high word, i's low word),
/// which begins as no [`Key`](super::Key) may and no key of the runtime does.
/// Such keys of two arrays differ in length or, since the last two words are
/// always the element's, in one of the words.
///
/// Two kinds of numbers from one key (normal and exponential, say) are not
/// independent of each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elements {
    /// At the draw of element 0.
    draws: Stream,
    /// The streams of single elements, by high and low word.
    own: StreamFamily,
}

impl Elements {
    /// The elements of a seed and a key.
    #[must_use]
    pub fn new(seed: &Seed, key: &[u32]) -> Self {
        let own = StreamFamily::new(seed, &[RESERVED; 3]).subfamily(key);
        Self { draws: Stream::new(seed, key), own }
    }

    /// A cursor that stands at element `first`.
    ///
    /// It costs about a tenth of a microsecond. To go through the rows of a part
    /// of a wide array, take one cursor and [step](ElementCursor::step) it.
    #[must_use]
    pub fn at(&self, first: u64) -> ElementCursor<'_> {
        let mut draws = self.draws.clone();
        draws.advance(u128::from(first));
        ElementCursor::new(draws.generator, &self.own, first)
    }

    /// The stream of one element, from its beginning: for distributions that take
    /// any number of draws.
    ///
    /// It is a stream like others, NumPy's with the key that is written above.
    ///
    /// ```
    /// use serried::random::{Elements, RESERVED, Seed, Stream};
    ///
    /// let seed = Seed::from(42u64);
    /// let stream = Elements::new(&seed, &[3, 7]).stream((1 << 32) + 5);
    /// assert_eq!(stream, Stream::new(&seed, &[RESERVED, RESERVED, RESERVED, 3, 7, 1, 5]));
    /// ```
    #[must_use]
    pub fn stream(&self, element: u64) -> Stream {
        self.own.stream(&words(element))
    }
}

/// The words of an element's number, high word first: elements side by side share
/// the front of their keys.
pub(super) fn words(element: u64) -> [u32; 2] {
    [(element >> 32) as u32, element as u32]
}
