//! Filling runs of elements.

use rand_pcg::Lcg128CmDxsm64;

use super::elements::words;
use super::lanes::{LANES, Lanes, Step};
use super::source::{Bits, Conversion, Unit};
use super::{Stream, StreamFamily, dispatch, integers, ziggurat};

/// Elements that are filled at once: small enough for their draws to stay in the
/// innermost cache.
const BLOCK: usize = 512;

/// A place among [`Elements`](super::Elements): what fills slices with the
/// elements from there on.
///
/// Filling does not move the cursor; [`step`](Self::step) does.
///
/// ```
/// use serried::random::{ElementStride, Elements, Seed};
///
/// // Columns 5000 to 5999 of rows 20 to 29 of an array with 20,000 columns.
/// let elements = Elements::new(&Seed::from(42u64), &[1]);
/// let row = ElementStride::new(20_000);
/// let mut part = vec![0.0; 10 * 1000];
/// let mut cursor = elements.at(20 * 20_000 + 5000);
/// for values in part.chunks_exact_mut(1000) {
///     cursor.fill_standard_normal(values);
///     cursor.step(&row);
/// }
/// let mut one = [0.0];
/// elements.at(29 * 20_000 + 5007).fill_standard_normal(&mut one);
/// assert_eq!(part[9 * 1000 + 7], one[0]);
/// ```
#[derive(Clone, Debug)]
pub struct ElementCursor<'a> {
    lanes: Lanes,
    own: &'a StreamFamily,
    element: u64,
}

/// A distance between elements, which a cursor can step again and again at the
/// price of a few multiplications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementStride {
    step: Step,
    elements: u64,
}

impl ElementStride {
    /// The stride over a number of elements.
    #[must_use]
    pub fn new(elements: u64) -> Self {
        Self { step: Step::ahead(elements), elements }
    }
}

impl<'a> ElementCursor<'a> {
    /// The cursor at `element`, whose draw is the next one of `generator`.
    pub(super) fn new(generator: Lcg128CmDxsm64, own: &'a StreamFamily, element: u64) -> Self {
        Self { lanes: Lanes::new(&generator), own, element }
    }

    /// The element at which the cursor stands.
    #[must_use]
    pub fn element(&self) -> u64 {
        self.element
    }

    /// Moves the cursor ahead. Beyond element 2^64 - 1 follows element 0 with
    /// other numbers: an array has no more elements than that.
    pub fn step(&mut self, stride: &ElementStride) {
        self.lanes.step(&stride.step);
        self.element = self.element.wrapping_add(stride.elements);
    }

    /// Fills `values` with the raw draws, 64 random bits each.
    pub fn fill_u64(&self, values: &mut [u64]) {
        fill_rows::<Bits>(&mut self.lanes.clone(), values);
    }

    /// Fills `values` with uniform values in [0, 1), as
    /// [`Stream::random`] draws them.
    pub fn fill_random(&self, values: &mut [f64]) {
        fill_rows::<Unit>(&mut self.lanes.clone(), values);
    }

    /// Fills `values` with standard normal values, by the method of
    /// [`Stream::standard_normal`].
    pub fn fill_standard_normal(&self, values: &mut [f64]) {
        self.fill_blocks(values, |bits| ziggurat::normal_point(bits).parts(), ziggurat::uncertain_normal);
    }

    /// Fills `values` with standard exponential values, by the method of
    /// [`Stream::standard_exponential`].
    pub fn fill_standard_exponential(&self, values: &mut [f64]) {
        self.fill_blocks(
            values,
            |bits| ziggurat::exponential_point(bits).parts(),
            ziggurat::uncertain_exponential,
        );
    }

    /// Fills `values` with uniform integers of `low..high`, without bias, by the
    /// method of Lemire (2019) on 64 bits: one draw an element and, in the rare
    /// case that it is thrown away, the stream of the element.
    ///
    /// NumPy takes 32 bits for ranges of up to 2^32, so these are not its
    /// integers.
    ///
    /// # Panics
    /// If `low >= high`.
    ///
    /// ```
    /// use serried::random::{Elements, Seed};
    ///
    /// let mut dice = [0; 600];
    /// Elements::new(&Seed::from(42u64), &[1]).at(0).fill_integers(1, 7, &mut dice);
    /// assert!(dice.iter().all(|die| (1..=6).contains(die)));
    /// ```
    pub fn fill_integers(&self, low: i64, high: i64, values: &mut [i64]) {
        assert!(low < high, "fill_integers needs low < high, not {low} and {high}");
        self.fill_integers_inclusive(low, high - 1, values);
    }

    /// Fills `values` with uniform integers of `low..=high`.
    ///
    /// # Panics
    /// If `low > high`.
    pub fn fill_integers_inclusive(&self, low: i64, high: i64, values: &mut [i64]) {
        assert!(low <= high, "fill_integers_inclusive needs low <= high, not {low} and {high}");
        let integer = |offset| low.wrapping_add_unsigned(offset);
        match low.abs_diff(high).checked_add(1) {
            // All bits are wanted, and the number of values would overflow.
            None => self.fill_blocks(values, |bits| (integer(bits), true), |_, bits| integer(bits)),
            Some(count) => {
                let surplus = integers::surplus(count);
                self.fill_blocks(
                    values,
                    |bits| {
                        let product = u128::from(bits) * u128::from(count);
                        (integer((product >> 64) as u64), product as u64 >= surplus)
                    },
                    |own, _| integer(integers::below_64(own, count)),
                );
            }
        }
    }

    /// Fills `values` with what `draw` makes of the stream of each element.
    ///
    /// This is the way to all distributions of `rand_distr`. To seed a stream
    /// takes some 15 ns, so that an element costs several times what it costs in
    /// the methods above.
    ///
    /// ```
    /// use rand_distr::{Distribution, Gamma};
    /// use serried::random::{Elements, Seed};
    ///
    /// let gamma = Gamma::new(2.0, 3.0)?;
    /// let elements = Elements::new(&Seed::from(42u64), &[1]);
    /// let mut values = [0.0; 10];
    /// elements.at(90).fill_with(&mut values, |stream| gamma.sample(stream));
    /// assert_eq!(values[5], gamma.sample(&mut elements.stream(95)));
    /// # Ok::<(), rand_distr::GammaError>(())
    /// ```
    pub fn fill_with<T>(&self, values: &mut [T], mut draw: impl FnMut(&mut Stream) -> T) {
        for (index, value) in values.iter_mut().enumerate() {
            let element = self.element.wrapping_add(index as u64);
            *value = draw(&mut self.own.stream(&words(element)));
        }
    }

    /// Fills `values` by a quick test of one draw, `point`, which gives a value
    /// and whether it may be taken. Where it may not, `uncertain` goes on from the
    /// draw with the stream of the element.
    #[inline(always)]
    fn fill_blocks<T>(
        &self,
        values: &mut [T],
        point: impl Fn(u64) -> (T, bool),
        uncertain: impl Fn(&mut Stream, u64) -> T,
    ) {
        let mut lanes = self.lanes.clone();
        let mut draws = [0; BLOCK];
        let mut rejected = [0u16; BLOCK];
        let mut first = self.element;
        for values in values.chunks_mut(BLOCK) {
            let draws = &mut draws[..values.len().next_multiple_of(LANES)];
            dispatch::fill_rows::<Bits>(&mut lanes, draws);
            // Without a branch: every index is written, and stays if it is rejected.
            let mut count = 0;
            for (index, (value, &bits)) in values.iter_mut().zip(&*draws).enumerate() {
                let certain;
                (*value, certain) = point(bits);
                rejected[count] = index as u16;
                count += usize::from(!certain);
            }
            for &index in &rejected[..count] {
                let index = usize::from(index);
                let mut own = self.own.stream(&words(first.wrapping_add(index as u64)));
                values[index] = uncertain(&mut own, draws[index]);
            }
            first = first.wrapping_add(BLOCK as u64);
        }
    }
}

/// Fills `values` with one converted draw each.
fn fill_rows<C: Conversion>(lanes: &mut Lanes, values: &mut [C::Value])
where
    C::Value: Copy + Default,
{
    let rows = values.len() - values.len() % LANES;
    let (rows, rest) = values.split_at_mut(rows);
    dispatch::fill_rows::<C>(lanes, rows);
    if !rest.is_empty() {
        let mut row = [C::Value::default(); LANES];
        dispatch::fill_rows::<C>(lanes, &mut row);
        rest.copy_from_slice(&row[..rest.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::source::Source;
    use crate::random::{Elements, Seed};

    const COUNT: usize = 100_000;

    fn elements() -> Elements {
        Elements::new(&Seed::from(20u64), &[5, 1])
    }

    /// The draw of an element, and then those of its own stream.
    struct OneByOne {
        draw: Option<u64>,
        own: Stream,
    }

    impl Source for OneByOne {
        fn next_bits(&mut self) -> u64 {
            self.draw.take().unwrap_or_else(|| self.own.next_u64())
        }
    }

    /// Element by element, what the whole method makes of its draws.
    fn one_by_one<T>(first: u64, draw: impl Fn(&mut OneByOne) -> T) -> impl Iterator<Item = T> {
        let elements = elements();
        let mut stream = Stream::new(&Seed::from(20u64), &[5, 1]);
        stream.advance(u128::from(first));
        (first..).map(move |element| {
            draw(&mut OneByOne { draw: Some(stream.next_u64()), own: elements.stream(element) })
        })
    }

    #[test]
    fn an_element_goes_on_with_its_own_stream() {
        // Across a change of the high word.
        let first = (1 << 32) - COUNT as u64 / 2;
        let mut values = vec![0.0; COUNT];
        elements().at(first).fill_standard_normal(&mut values);
        assert!(values.iter().copied().eq(one_by_one(first, ziggurat::normal).take(COUNT)));
        elements().at(first).fill_standard_exponential(&mut values);
        assert!(values.iter().copied().eq(one_by_one(first, ziggurat::exponential).take(COUNT)));
    }

    #[test]
    fn half_of_the_integers_go_on_with_their_own_stream() {
        let count = (1 << 63) + 1;
        let integer = |source: &mut OneByOne| {
            std::iter::repeat_with(|| u128::from(source.next_bits()) * u128::from(count))
                .find(|product| *product as u64 >= integers::surplus(count))
                .map(|product| (i128::from(i64::MIN) + (product >> 64) as i128) as i64)
        };
        let mut values = vec![0; COUNT];
        elements().at(7).fill_integers_inclusive(i64::MIN, 0, &mut values);
        assert!(values.iter().copied().map(Some).eq(one_by_one(7, integer).take(COUNT)));
    }

    #[test]
    fn a_stride_is_as_many_elements() {
        let elements = elements();
        let mut values = [0; 20];
        let mut expected = [0; 20];
        for stride in [0, 1, 15, 16, 17, 20_000, 1 << 40, u64::MAX] {
            let mut cursor = elements.at(3);
            cursor.step(&ElementStride::new(stride));
            assert_eq!(cursor.element(), 3u64.wrapping_add(stride));
            cursor.fill_u64(&mut values);
            let mut stream = Stream::new(&Seed::from(20u64), &[5, 1]);
            stream.advance(3 + u128::from(stride));
            stream.fill_u64(&mut expected);
            assert_eq!(values, expected, "{stride}");
        }
    }

    /// The largest distance of a sample's distribution from `distribution`, times
    /// the root of its size: above 1.95 in one sample of a thousand (Kolmogorov).
    fn distance(mut values: Vec<f64>, distribution: impl Fn(f64) -> f64) -> f64 {
        let count = values.len() as f64;
        values.sort_by(f64::total_cmp);
        let farthest = values.iter().enumerate().fold(0.0, |farthest: f64, (below, &value)| {
            let expected = distribution(value);
            let steps = [below, below + 1].map(|below| (below as f64 / count - expected).abs());
            farthest.max(steps[0]).max(steps[1])
        });
        farthest * count.sqrt()
    }

    #[test]
    fn values_are_distributed_as_they_should_be() {
        let mut values = vec![0.0; 1_000_000];
        elements().at(0).fill_standard_normal(&mut values);
        let variance = values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64;
        assert!((variance - 1.0).abs() < 0.006, "{variance}");
        // Every value beyond the tail's edge has gone on with its own stream.
        let tail = values.iter().filter(|x| x.abs() > 3.654_152_885_361_009).count();
        assert!((200..320).contains(&tail), "{tail} of 258 expected");
        let normal = |x: f64| 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
        let normal = distance(values.clone(), normal);
        assert!(normal < 1.95, "{normal}");

        elements().at(0).fill_standard_exponential(&mut values);
        let exponential = distance(values, |x| -libm::expm1(-x));
        assert!(exponential < 1.95, "{exponential}");
    }
}
