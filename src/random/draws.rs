//! One draw at a time: the distributions of NumPy's `Generator`.

use super::source::Source;
use super::{Stream, integers, ziggurat};

impl Stream {
    /// A uniform value in [0, 1): a multiple of 2^-53, from one draw.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let mut stream = Stream::new(&Seed::from(42u64), &[]);
    /// let inside = (0..10_000).filter(|_| stream.random().hypot(stream.random()) < 1.0).count();
    /// assert!((inside as f64 / 2500.0 - std::f64::consts::PI).abs() < 0.1);
    /// ```
    #[inline]
    pub fn random(&mut self) -> f64 {
        self.next_unit()
    }

    /// A uniform value in [`low`, `high`): NumPy's `uniform(low, high)`.
    ///
    /// Rounding can give `high` itself when the interval is narrow beside its
    /// ends, as in NumPy.
    ///
    /// # Panics
    /// If `high < low`, or if `high - low` is not finite.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let angle = Stream::new(&Seed::from(42u64), &[]).uniform(-180.0, 180.0);
    /// assert!((-180.0..180.0).contains(&angle));
    /// ```
    #[inline]
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        let range = high - low;
        assert!(
            range >= 0.0 && range.is_finite(),
            "uniform needs finite low <= high whose difference is finite, not {low} and {high}"
        );
        low + range * self.random()
    }

    /// A standard normal value: mean 0, standard deviation 1, by the ziggurat of
    /// Marsaglia and Tsang (2000) as NumPy runs it.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let mut stream = Stream::new(&Seed::from(42u64), &[]);
    /// let inside = (0..10_000).filter(|_| stream.standard_normal().abs() < 1.0).count();
    /// assert!((6600..7050).contains(&inside));
    /// ```
    #[inline]
    pub fn standard_normal(&mut self) -> f64 {
        ziggurat::normal(self)
    }

    /// A normal value of a given mean and standard deviation.
    ///
    /// # Panics
    /// If the standard deviation is negative or not a number.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let mut stream = Stream::new(&Seed::from(42u64), &[]);
    /// let height = stream.normal(1.75, 0.1);
    /// assert!((1.0..2.5).contains(&height));
    /// ```
    #[inline]
    pub fn normal(&mut self, mean: f64, standard_deviation: f64) -> f64 {
        assert!(
            standard_deviation >= 0.0,
            "normal needs a standard deviation of 0 or more, not {standard_deviation}"
        );
        mean + standard_deviation * self.standard_normal()
    }

    /// A standard exponential value: mean 1, by the ziggurat of Marsaglia and
    /// Tsang (2000) as NumPy runs it.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// assert!(Stream::new(&Seed::from(42u64), &[]).standard_exponential() >= 0.0);
    /// ```
    #[inline]
    pub fn standard_exponential(&mut self) -> f64 {
        ziggurat::exponential(self)
    }

    /// An exponential value of a given scale, which is its mean and the inverse
    /// of its rate.
    ///
    /// # Panics
    /// If the scale is negative or not a number.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let rate = 4.0;
    /// let waiting_time = Stream::new(&Seed::from(42u64), &[]).exponential(1.0 / rate);
    /// assert!(waiting_time >= 0.0);
    /// ```
    #[inline]
    pub fn exponential(&mut self, scale: f64) -> f64 {
        assert!(scale >= 0.0, "exponential needs a scale of 0 or more, not {scale}");
        scale * self.standard_exponential()
    }

    /// A uniform integer of `low..high`, without bias, by the method of Lemire
    /// (2019): NumPy's `integers(low, high)`.
    ///
    /// Up to 2^32 values take 32 bits each, of which a draw holds two: the other
    /// half serves the next such call. A single value takes none.
    ///
    /// # Panics
    /// If `low >= high`.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let die = Stream::new(&Seed::from(42u64), &[]).integers(1, 7);
    /// assert!((1..=6).contains(&die));
    /// ```
    #[inline]
    pub fn integers(&mut self, low: i64, high: i64) -> i64 {
        assert!(low < high, "integers needs low < high, not {low} and {high}");
        self.integers_inclusive(low, high - 1)
    }

    /// A uniform integer of `low..=high`: NumPy's
    /// `integers(low, high, endpoint=True)`.
    ///
    /// # Panics
    /// If `low > high`.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let mut stream = Stream::new(&Seed::from(42u64), &[]);
    /// let any: i64 = stream.integers_inclusive(i64::MIN, i64::MAX);
    /// # let _ = any;
    /// ```
    #[inline]
    pub fn integers_inclusive(&mut self, low: i64, high: i64) -> i64 {
        assert!(low <= high, "integers_inclusive needs low <= high, not {low} and {high}");
        let offset = integers::up_to(self, low.abs_diff(high));
        low.wrapping_add_unsigned(offset)
    }

    /// A uniform integer of `low..high`: NumPy's
    /// `integers(low, high, dtype=uint64)`.
    ///
    /// # Panics
    /// If `low >= high`.
    ///
    /// ```
    /// use serried::random::{Seed, Stream};
    ///
    /// let value = Stream::new(&Seed::from(42u64), &[]).integers_u64(1 << 63, u64::MAX);
    /// assert!(value >= 1 << 63);
    /// ```
    #[inline]
    pub fn integers_u64(&mut self, low: u64, high: u64) -> u64 {
        assert!(low < high, "integers_u64 needs low < high, not {low} and {high}");
        low + integers::up_to(self, high - 1 - low)
    }
}
