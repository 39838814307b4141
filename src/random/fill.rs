//! Many draws at once: the same values as one by one, in less time.

use rand_core::Rng;
use rand_pcg::Lcg128CmDxsm64;

use super::block::BlockReader;
use super::lanes::{LANES, Lanes};
use super::source::{Bits, Conversion, Unit};
use super::{Stream, dispatch, ziggurat};

/// Below this many values the start of the lanes costs more than they save.
const WORTHWHILE: usize = 4 * LANES;

impl Stream {
    /// Fills `values` with the results of [`next_u64`](Self::next_u64).
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let mut stream = Stream::new(&Seed::from(42u64), &[]);
    /// let mut one_by_one = stream.clone();
    /// let mut bits = [0; 100];
    /// stream.fill_u64(&mut bits);
    /// assert_eq!(bits, [0; 100].map(|_| one_by_one.next_u64()));
    /// assert_eq!(stream, one_by_one);
    /// ```
    pub fn fill_u64(&mut self, values: &mut [u64]) {
        fill::<Bits>(&mut self.generator, values);
    }

    /// Fills `values` with the results of [`random`](Self::random).
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let mut stream = Stream::new(&Seed::from(42u64), &[]);
    /// let mut values = vec![0.0; 100_000];
    /// stream.fill_random(&mut values);
    /// let mean = values.iter().sum::<f64>() / values.len() as f64;
    /// assert!((mean - 0.5).abs() < 0.005);
    /// ```
    pub fn fill_random(&mut self, values: &mut [f64]) {
        fill::<Unit>(&mut self.generator, values);
    }

    /// Fills `values` with the results of
    /// [`standard_normal`](Self::standard_normal).
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let mut stream = Stream::new(&Seed::from(42u64), &[]);
    /// let mut values = vec![0.0; 100_000];
    /// stream.fill_standard_normal(&mut values);
    /// let variance = values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64;
    /// assert!((variance - 1.0).abs() < 0.02);
    /// ```
    pub fn fill_standard_normal(&mut self, values: &mut [f64]) {
        if values.len() < WORTHWHILE {
            values.fill_with(|| self.standard_normal());
        } else {
            self.fill_from_blocks(values, ziggurat::fill_normal);
        }
    }

    /// Fills `values` with the results of
    /// [`standard_exponential`](Self::standard_exponential).
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let mut stream = Stream::new(&Seed::from(42u64), &[]);
    /// let mut values = vec![0.0; 100_000];
    /// stream.fill_standard_exponential(&mut values);
    /// let mean = values.iter().sum::<f64>() / values.len() as f64;
    /// assert!((mean - 1.0).abs() < 0.02);
    /// ```
    pub fn fill_standard_exponential(&mut self, values: &mut [f64]) {
        if values.len() < WORTHWHILE {
            values.fill_with(|| self.standard_exponential());
        } else {
            self.fill_from_blocks(values, ziggurat::fill_exponential);
        }
    }

    /// Lets `fill` read draws ahead, and then counts only those that it used.
    fn fill_from_blocks(&mut self, values: &mut [f64], fill: fn(&mut BlockReader, &mut [f64])) {
        let mut reader = BlockReader::new(&self.generator, values.len());
        fill(&mut reader, values);
        self.generator.advance(reader.draws_read());
    }
}

/// Fills `values` with one converted draw each.
fn fill<C: Conversion>(generator: &mut Lcg128CmDxsm64, values: &mut [C::Value]) {
    let whole_rows = match values.len() {
        ..WORTHWHILE => 0,
        length => length - length % LANES,
    };
    let (rows, rest) = values.split_at_mut(whole_rows);
    if !rows.is_empty() {
        let mut lanes = Lanes::new(generator);
        dispatch::fill_rows::<C>(&mut lanes, rows);
        *generator = lanes.generator();
    }
    rest.fill_with(|| C::convert(generator.next_u64()));
}
