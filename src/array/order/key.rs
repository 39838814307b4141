//! Integers that are ordered as the elements are.

/// Numbers in the order of NumPy's `sort`: NaN comes last.
pub(in crate::array) trait Ordered: Copy {
    /// The largest key; that of NaN, for floats.
    const LARGEST: u64;

    /// The key of an element. All NaN have one key, and -0 comes before +0.
    fn key(self) -> u64;

    /// The element of a key.
    fn of_key(key: u64) -> Self;
}

macro_rules! floats {
    ($($float:ty, $bits:ty, $signed:ty;)*) => {$(
        impl Ordered for $float {
            const LARGEST: u64 = <$bits>::MAX as u64;
            #[inline(always)]
            fn key(self) -> u64 {
                let bits = self.to_bits();
                // A negative number is the larger the smaller its bits are.
                let flipped = bits ^ ((bits as $signed >> (<$bits>::BITS - 1)) as $bits | 1 << (<$bits>::BITS - 1));
                u64::from(if self.is_nan() { <$bits>::MAX } else { flipped })
            }
            fn of_key(key: u64) -> Self {
                let key = key as $bits;
                let sign = 1 << (<$bits>::BITS - 1);
                match key {
                    <$bits>::MAX => <$float>::NAN,
                    key if key & sign != 0 => <$float>::from_bits(key ^ sign),
                    key => <$float>::from_bits(!key),
                }
            }
        }
    )*};
}

floats! {
    f64, u64, i64;
    f32, u32, i32;
}

macro_rules! integers {
    ($($integer:ty, $bits:ty;)*) => {$(
        impl Ordered for $integer {
            const LARGEST: u64 = <$bits>::MAX as u64;
            #[inline(always)]
            fn key(self) -> u64 {
                u64::from((self as $bits).wrapping_sub(<$integer>::MIN as $bits))
            }
            fn of_key(key: u64) -> Self {
                (key as $bits).wrapping_add(<$integer>::MIN as $bits) as $integer
            }
        }
    )*};
}

integers! {
    i64, u64;
    i32, u32;
    u8, u8;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nan_comes_last_and_zeros_side_by_side() {
        assert_eq!((-f64::NAN).key(), f64::NAN.key());
        assert!(f64::NAN.key() > f64::INFINITY.key());
        assert_eq!(f32::NAN.key(), f32::LARGEST);
        assert_eq!((-0.0f64).key() + 1, 0.0f64.key());
        assert_eq!((i64::MIN.key(), i64::MAX.key()), (0, u64::MAX));
    }

    proptest! {
        #[test]
        fn keys_are_ordered_as_elements_are(a: f64, b: f64, c: f32, d: f32, e: i64, f: i64) {
            prop_assert_eq!(a.key().cmp(&b.key()), a.total_cmp(&b));
            prop_assert_eq!(c.key().cmp(&d.key()), c.total_cmp(&d));
            prop_assert_eq!(e.key().cmp(&f.key()), e.cmp(&f));
            prop_assert_eq!(f64::of_key(a.key()).to_bits(), a.to_bits());
            prop_assert_eq!(f32::of_key(c.key()).to_bits(), c.to_bits());
            prop_assert_eq!(i64::of_key(e.key()), e);
            prop_assert_eq!(i32::of_key((e as i32).key()), e as i32);
            prop_assert_eq!(u8::of_key((e as u8).key()), e as u8);
        }
    }
}
