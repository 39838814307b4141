//! Unbiased integers of a range.
//!
//! The method is D. Lemire's (*Fast Random Integer Generation in an Interval*,
//! ACM Transactions on Modeling and Computer Simulation 29, 2019): the upper
//! half of a product of random bits and the number of values, drawn again in
//! the rare case in which the lower half would leave some values a share too
//! large. Which ranges use 32 bits and which use 64 is NumPy's choice.

use super::Stream;
use super::source::Source;

/// A uniform integer of `0..=last`.
#[inline]
pub(super) fn up_to(stream: &mut Stream, last: u64) -> u64 {
    match (last, u32::try_from(last)) {
        (0, _) => 0,
        // All bits are wanted, and the number of values would overflow.
        (_, Ok(u32::MAX)) => u64::from(stream.next_u32()),
        (u64::MAX, _) => stream.next_bits(),
        (_, Ok(last)) => u64::from(below_32(stream, last + 1)),
        (last, Err(_)) => below_64(stream, last + 1),
    }
}

/// A uniform integer of `0..count`, from 32 bits a try.
#[inline]
fn below_32(stream: &mut Stream, count: u32) -> u32 {
    let mut product = u64::from(stream.next_u32()) * u64::from(count);
    if (product as u32) < count {
        // The division is paid only here: 2^32 mod count.
        let surplus = count.wrapping_neg() % count;
        while (product as u32) < surplus {
            product = u64::from(stream.next_u32()) * u64::from(count);
        }
    }
    (product >> 32) as u32
}

/// A uniform integer of `0..count`, from 64 bits a try.
#[inline]
pub(super) fn below_64(stream: &mut Stream, count: u64) -> u64 {
    let mut product = u128::from(stream.next_bits()) * u128::from(count);
    if (product as u64) < count {
        let surplus = surplus(count);
        while (product as u64) < surplus {
            product = u128::from(stream.next_bits()) * u128::from(count);
        }
    }
    (product >> 64) as u64
}

/// 2^64 mod count: as many of the products of 64 bits are too many.
#[inline]
pub(super) fn surplus(count: u64) -> u64 {
    count.wrapping_neg() % count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Seed;

    #[test]
    fn one_value_costs_no_draw() {
        let mut stream = Stream::new(&Seed::from(1u64), &[]);
        let before = stream.clone();
        assert_eq!(up_to(&mut stream, 0), 0);
        assert_eq!(stream, before);
    }

    #[test]
    fn every_kind_of_range_reaches_its_ends_and_no_further() {
        let mut stream = Stream::new(&Seed::from(2u64), &[]);
        let mut seen = [0u32; 5];
        for _ in 0..1000 {
            seen[up_to(&mut stream, 4) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| count > 150), "{seen:?}");
        for last in [u64::from(u32::MAX) - 1, u64::from(u32::MAX), 1 << 32, u64::MAX - 1, u64::MAX] {
            let values: Vec<u64> = (0..1000).map(|_| up_to(&mut stream, last)).collect();
            assert!(values.iter().all(|&value| value <= last));
            assert!(values.iter().any(|&value| value > last - last / 100));
            assert!(values.iter().any(|&value| value < last / 100));
        }
    }

    #[test]
    fn a_draw_that_would_be_biased_is_thrown_away() {
        // Just above half of the bits, every second try has to be repeated.
        let mut stream = Stream::new(&Seed::from(3u64), &[]);
        let mut generator = stream.clone();
        let draws = 1000;
        for _ in 0..draws {
            up_to(&mut stream, 1 << 63);
        }
        let mut used = 0;
        while generator != stream {
            generator.next_u64();
            used += 1;
        }
        assert!((1800..2200).contains(&used), "{used}");
    }
}
