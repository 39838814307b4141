//! The stream of one piece of work.

use std::convert::Infallible;
use std::fmt;

use rand_core::{Rng, TryRng, utils};
use rand_pcg::Lcg128CmDxsm64;
use serde::{Deserialize, Serialize};

use super::source::Source;
use super::{Seed, SeedSequence};

/// The multiplier of the one step that seeding takes. NumPy seeds with the full
/// multiplier of 128 bits, though the generator then runs on a cheaper one.
const SEEDING_MULTIPLIER: u128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645;

/// NumPy's distance of two jumped streams: 2^128 divided by the golden ratio.
const JUMP: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// A stream of random numbers: NumPy's
/// `Generator(PCG64DXSM(SeedSequence(seed, spawn_key=key)))`, bit for bit.
///
/// The draws below are NumPy's. A stream is also a generator of the `rand`
/// crates, so that their methods and all of `rand_distr` work on it; these give
/// other values than NumPy's distributions of the same name.
///
/// A stream that is written by serde and read back goes on where it was.
///
/// ```
/// use rand_distr::{Distribution, Poisson};
/// use serried::random::{Seed, Stream};
///
/// // numpy.random.Generator(PCG64DXSM(SeedSequence(1, spawn_key=(2,))))
/// let mut stream = Stream::new(&Seed::from(1u64), &[2]);
/// assert_eq!(stream.integers(0, 100), 86);
/// assert_eq!(stream.random(), 0.7233520204519998);
/// assert_eq!(stream.standard_normal(), 0.49170231576075024);
///
/// let count: f64 = Poisson::new(3.0)?.sample(&mut stream);
/// assert!(count >= 0.0);
/// # Ok::<(), rand_distr::PoissonError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "State", into = "State")]
pub struct Stream {
    pub(super) generator: Lcg128CmDxsm64,
    /// The upper half of a draw whose lower half was all that was asked for.
    unused_half: Option<u32>,
}

impl Stream {
    /// The stream of a seed and a key.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let seed = Seed::from(42u64);
    /// assert_ne!(Stream::new(&seed, &[0]), Stream::new(&seed, &[1]));
    /// ```
    #[inline]
    #[must_use]
    pub fn new(seed: &Seed, key: &[u32]) -> Self {
        Self::from_sequence(&SeedSequence::new(seed, key))
    }

    /// The stream of a seed sequence: NumPy's `PCG64DXSM(sequence)`.
    ///
    /// ```
    /// use serried::random::{Seed, SeedSequence, Stream};
    ///
    /// let seed = Seed::from(42u64);
    /// let sequence = SeedSequence::new(&seed, &[3]);
    /// assert_eq!(Stream::from_sequence(&sequence), Stream::new(&seed, &[3]));
    /// ```
    #[inline]
    #[must_use]
    pub fn from_sequence(sequence: &SeedSequence) -> Self {
        let [start_high, start_low, increment_high, increment_low] = sequence.generator_state();
        let start = u128::from(start_high) << 64 | u128::from(start_low);
        let increment = u128::from(increment_high) << 65 | u128::from(increment_low) << 1 | 1;
        let state = start.wrapping_add(increment).wrapping_mul(SEEDING_MULTIPLIER).wrapping_add(increment);
        Self { generator: Lcg128CmDxsm64::from_state(state, increment >> 1), unused_half: None }
    }

    /// The next 64 random bits: NumPy's `random_raw`.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// The next 32 random bits: the lower half of a draw of 64, whose upper half
    /// is kept for the next call.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let mut stream = Stream::new(&Seed::from(42u64), &[]);
    /// let mut halves = stream.clone();
    /// let bits = stream.next_u64();
    /// assert_eq!([halves.next_u32(), halves.next_u32()], [bits as u32, (bits >> 32) as u32]);
    /// ```
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        self.unused_half.take().unwrap_or_else(|| {
            let bits = self.generator.next_u64();
            self.unused_half = Some((bits >> 32) as u32);
            bits as u32
        })
    }

    /// Skips `draws` draws of 64 bits, in time that grows with the logarithm of
    /// their number: NumPy's `bit_generator.advance`.
    ///
    /// A kept half of a draw is dropped. The period is 2^128, so that advancing
    /// by `k.wrapping_neg()` goes back by `k`.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let mut stream = Stream::new(&Seed::from(42u64), &[]);
    /// let mut far = stream.clone();
    /// far.advance(1000);
    /// for _ in 0..1000 {
    ///     stream.random();
    /// }
    /// assert_eq!(stream, far);
    /// ```
    pub fn advance(&mut self, draws: u128) {
        self.generator.advance(draws);
        self.unused_half = None;
    }

    /// The stream as far ahead as 2^128 divided by the golden ratio: NumPy's
    /// `PCG64DXSM(...).jumped()`.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let stream = Stream::new(&Seed::from(42u64), &[]);
    /// assert_ne!(stream.jumped(), stream);
    /// ```
    #[must_use]
    pub fn jumped(&self) -> Self {
        let mut jumped = self.clone();
        jumped.advance(JUMP);
        jumped
    }

    /// What a step adds to the state: what tells the sequence from others.
    fn increment(&self) -> u128 {
        self.generator.stream() << 1 | 1
    }
}

impl Source for Stream {
    #[inline]
    fn next_bits(&mut self) -> u64 {
        self.next_u64()
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.next_u32())
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next_u64())
    }

    /// Whole draws, little end first; the rest of the last one is dropped.
    #[inline]
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        utils::fill_bytes_via_next_word(bytes, || self.try_next_u64())
    }
}

impl fmt::Debug for Stream {
    /// What NumPy's `bit_generator.state` holds, with the wide numbers in
    /// hexadecimal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Stream")
            .field("state", &format_args!("{:#034x}", self.generator.state()))
            .field("increment", &format_args!("{:#034x}", self.increment()))
            .field("unused_half", &self.unused_half)
            .finish()
    }
}

/// What NumPy's `bit_generator.state` holds, in the form in which a stream
/// travels: not every format has integers of 128 bits, so these go as halves,
/// high half first.
#[derive(Serialize, Deserialize)]
struct State {
    state: [u64; 2],
    increment: [u64; 2],
    unused_half: Option<u32>,
}

impl From<Stream> for State {
    fn from(stream: Stream) -> Self {
        let halves = |value: u128| [(value >> 64) as u64, value as u64];
        Self {
            state: halves(stream.generator.state()),
            increment: halves(stream.increment()),
            unused_half: stream.unused_half,
        }
    }
}

impl From<State> for Stream {
    fn from(State { state, increment, unused_half }: State) -> Self {
        let whole = |[high, low]: [u64; 2]| u128::from(high) << 64 | u128::from(low);
        let generator = Lcg128CmDxsm64::from_state(whole(state), whole(increment) >> 1);
        Self { generator, unused_half }
    }
}
