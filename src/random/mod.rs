//! Random streams that belong to the piece of work, never to the worker.
//!
//! A [`Stream`] is named by a [`Seed`] and a key, a short list of 32-bit words.
//! Whoever holds both can make it, on any rank, at any time and in any order,
//! for the price of a few dozen multiplications; nothing is generated ahead of
//! time and nothing has to be handed out. The same two names give the same
//! stream in NumPy, bit for bit:
//!
//! ```
//! use serried::random::{Seed, Stream};
//!
//! // numpy.random.Generator(PCG64DXSM(SeedSequence(42, spawn_key=(3, 7)))).random()
//! let mut stream = Stream::new(&Seed::from(42u64), &[3, 7]);
//! assert_eq!(stream.random(), 0.05432408175347603);
//! ```
//!
//! # From a seed to a stream
//!
//! | type | is |
//! |---|---|
//! | [`Seed`] | a non-negative integer of any size, chosen once for a whole run |
//! | [`Key`] | a validated list of words that names one piece of work |
//! | [`KeyRegistry`] | what refuses that two pieces of work get one key |
//! | [`SeedSequence`] | the hash of seed and key |
//! | [`StreamFamily`] | the streams that share a seed and the front of their keys |
//! | [`Stream`] | the generator itself, with NumPy's distributions |
//! | [`Elements`] | the numbers of an array, each the same in whichever part it is made |
//!
//! A map over a million indices prepares its family once, and an index then
//! costs one more word of the hash:
//!
//! ```
//! use serried::random::{Seed, Stream, StreamFamily};
//!
//! let seed = Seed::from(42u64);
//! let family = StreamFamily::new(&seed, &[3]);
//! assert_eq!(family.stream(&[7]), Stream::new(&seed, &[3, 7]));
//! ```
//!
//! # The generator
//!
//! The base generator is PCG64DXSM (M. O'Neill, *PCG: A Family of Simple Fast
//! Space-Efficient Statistically Good Algorithms for Random Number Generation*,
//! 2014, with the output function that she and NumPy added in 2019–2021), as
//! [`rand_pcg::Lcg128CmDxsm64`]: 128 bits of state, and an increment of 127
//! free bits. Seed and key are hashed into both, so that two streams are two
//! different sequences and not two places of one. Never split a stream by
//! advancing it by a large power of two; give each piece of work its own key.
//!
//! The draws are NumPy's: the ziggurats of Marsaglia and Tsang (2000) and the
//! bounded integers of Lemire (2019), in the order and with the tables of
//! `numpy.random.Generator`. The rare draws that need a logarithm or an
//! exponential call the portable ones of [`libm`], so that every CPU gives the
//! same bits; beside a NumPy built on another mathematical library such a draw
//! may differ by one unit in the last place, about one draw in ten thousand at
//! the very most.
//!
//! # Blocks
//!
//! [`Stream::fill_random`] and its siblings draw many values at once, from
//! sixteen interleaved lanes of the same stream that advance together in vector
//! registers where the CPU has them. They give exactly the values of one draw
//! after another and leave the stream where these would leave it.

mod block;
mod cursor;
mod dispatch;
mod draws;
mod elements;
mod family;
mod fill;
mod integers;
mod key;
mod lanes;
mod registry;
mod seed;
mod sequence;
mod source;
mod stream;
mod ziggurat;

pub use cursor::{ElementCursor, ElementStride};
pub use elements::Elements;
pub use family::StreamFamily;
pub use key::{Key, KeyError, RESERVED};
pub use registry::KeyRegistry;
pub use seed::{ParseSeedError, Seed};
pub use sequence::SeedSequence;
pub use stream::Stream;
