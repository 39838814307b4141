//! Standard normal values.

use super::normal_tables::{EDGES, HEIGHTS};
use super::wedge::Wedge;
use super::{LAYERS, Layer, Point, fill_from};
use crate::random::block::BlockReader;
use crate::random::source::Source;

/// Points of a layer are integers of this many bits.
const POINT_BITS: u32 = 52;
const POINTS: f64 = (1u64 << POINT_BITS) as f64;

/// Where the tail begins: the edge of the widest rectangle.
const TAIL: f64 = EDGES[LAYERS - 1];

/// Multiplying by it is what NumPy does; dividing would round another way.
const TAIL_INVERSE: f64 = 1.0 / TAIL;

/// The layers, once for either sign: the lower 9 bits of a draw are the index.
/// A table of twice the size is cheaper than giving each value its sign.
static LAYER: [Layer; 2 * LAYERS] = {
    let mut layers = [Layer { threshold: 0, unit: 0.0 }; 2 * LAYERS];
    let mut layer = 0;
    while layer < LAYERS {
        let threshold = match layer {
            0 => rounded(TAIL / EDGES[0] * POINTS),
            // The top has no rectangle above it: none of its points is certain.
            1 => 0,
            _ => rounded(EDGES[layer - 1] / EDGES[layer] * POINTS),
        };
        let unit = EDGES[layer] / POINTS;
        layers[layer] = Layer { threshold, unit };
        layers[LAYERS + layer] = Layer { threshold, unit: -unit };
        layer += 1;
    }
    layers
};

/// The nearest integer, the even one of two, for values of less than 2^52: the
/// sum has no bits left for a fraction.
const fn rounded(value: f64) -> u64 {
    (value + POINTS - POINTS) as u64
}

/// The point that a draw stands for: 8 bits pick the layer, one the sign and 52
/// the place.
#[inline(always)]
pub(in crate::random) fn point(bits: u64) -> Point {
    let layer = &LAYER[bits as usize % LAYER.len()];
    let place = place_of(bits);
    Point { value: place as i64 as f64 * layer.unit, certain: place < layer.threshold }
}

#[inline(always)]
fn layer_of(bits: u64) -> usize {
    usize::from(bits as u8)
}

#[inline(always)]
fn place_of(bits: u64) -> u64 {
    (bits >> 9) & ((1 << POINT_BITS) - 1)
}

/// A standard normal value.
#[inline]
pub(in crate::random) fn draw(source: &mut impl Source) -> f64 {
    let bits = source.next_bits();
    let Point { value, certain } = point(bits);
    if certain { value } else { draw_uncertain(source, bits) }
}

/// Fills `values` with standard normal values.
pub(in crate::random) fn fill(reader: &mut BlockReader, values: &mut [f64]) {
    fill_from(reader, values, point, draw);
}

/// A value where the draw `bits` has failed the quick test.
#[cold]
#[inline(never)]
pub(in crate::random) fn draw_uncertain(source: &mut impl Source, mut bits: u64) -> f64 {
    loop {
        let Point { value, certain } = point(bits);
        if certain {
            return value;
        }
        match layer_of(bits) {
            0 => return tail(source, place_of(bits)),
            layer => {
                if wedge(layer).covers(value.abs(), source.next_unit(), density) {
                    return value;
                }
            }
        }
        bits = source.next_bits();
    }
}

/// The density, without its constant factor.
pub(super) fn density(place: f64) -> f64 {
    libm::exp(-0.5 * place * place)
}

/// What of a layer, from 1, is not certain.
#[inline]
pub(super) fn wedge(layer: usize) -> Wedge {
    let inner = if layer == 1 { 0.0 } else { EDGES[layer - 1] };
    let (outer, top, bottom) = (EDGES[layer], HEIGHTS[layer - 1], HEIGHTS[layer]);
    let middle = 0.5 * (inner + outer);
    let curvature = (middle * middle - 1.0) * 0.5 * (top + bottom);
    Wedge { inner, outer, top, bottom, curvature }
}

/// A value from the tail (G. Marsaglia, *Generating a Variable from the Tail of
/// the Normal Distribution*, Technometrics 6, 1964).
fn tail(source: &mut impl Source, place: u64) -> f64 {
    loop {
        // Uniform values can be 0 but not 1, hence the logarithm of 1 - u.
        let beyond = -TAIL_INVERSE * libm::log1p(-source.next_unit());
        let bound = -libm::log1p(-source.next_unit());
        if bound + bound > beyond * beyond {
            // A bit of the place, which is of no more use, is the sign.
            let negative = (place >> 8) & 1 == 1;
            return if negative { -(TAIL + beyond) } else { TAIL + beyond };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{checksum, scripted::Scripted};
    use super::*;

    /// The draw of a layer, a sign and a place.
    fn bits(layer: u64, negative: bool, place: u64) -> u64 {
        layer | u64::from(negative) << 8 | place << 9
    }

    #[test]
    fn the_tables_are_those_of_numpy() {
        let (positive, negative) = LAYER.split_at(LAYERS);
        assert_eq!(checksum(positive, &HEIGHTS), 0x2827_d2bc_2072_448e);
        for (positive, negative) in positive.iter().zip(negative) {
            assert_eq!((positive.threshold, positive.unit), (negative.threshold, -negative.unit));
        }
    }

    #[test]
    fn the_layers_have_equal_areas() {
        let area = 0.004928673233974655;
        for layer in 2..LAYERS {
            let rectangle = EDGES[layer] * (HEIGHTS[layer - 1] - HEIGHTS[layer]);
            assert!((rectangle / area - 1.0).abs() < 1e-11, "layer {layer}: {rectangle}");
            assert!((density(EDGES[layer]) / HEIGHTS[layer] - 1.0).abs() < 1e-15);
        }
    }

    #[test]
    fn a_draw_at_the_threshold_is_uncertain() {
        let threshold = LAYER[100].threshold;
        assert!(point(bits(100, false, threshold - 1)).certain);
        assert!(!point(bits(100, false, threshold)).certain);
        assert!(!point(bits(1, false, 0)).certain);
    }

    #[test]
    fn the_sign_of_a_draw_is_its_ninth_bit_also_for_zero() {
        let values = [false, true].map(|sign| draw(&mut Scripted::new(&[bits(9, sign, 0)])));
        assert_eq!(values.map(f64::to_bits), [0.0f64, -0.0].map(f64::to_bits));
    }

    #[test]
    fn the_tail_takes_pairs_until_one_fits_and_its_sign_from_the_place() {
        let half = 1 << 63;
        // The first pair goes far out and has a bound of 0: refused. Then twice ln 2.
        for (place, sign) in [(POINTS as u64 - 1, -1.0), (POINTS as u64 - 257, 1.0)] {
            let script = [bits(0, false, place), u64::MAX, 0, half, half];
            let mut source = Scripted::new(&script);
            let value = draw(&mut source);
            let expected = TAIL + std::f64::consts::LN_2 / TAIL;
            assert!((value - sign * expected).abs() < 1e-14, "{value}");
            assert!(source.is_empty());
        }
    }
}
