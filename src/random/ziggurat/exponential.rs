//! Standard exponential values.

use super::exponential_tables::{EDGES, HEIGHTS, THRESHOLDS};
use super::wedge::Wedge;
use super::{LAYERS, Layer, Point, fill_from};
use crate::random::block::BlockReader;
use crate::random::source::Source;

/// Points of a layer are integers of this many bits.
const POINT_BITS: u32 = 53;
const POINTS: f64 = (1u64 << POINT_BITS) as f64;

/// Where the tail begins: the edge of the widest rectangle.
const TAIL: f64 = EDGES[LAYERS - 1];

static LAYER: [Layer; LAYERS] = {
    let mut layers = [Layer { threshold: 0, unit: 0.0 }; LAYERS];
    let mut layer = 0;
    while layer < LAYERS {
        layers[layer] = Layer { threshold: THRESHOLDS[layer], unit: EDGES[layer] / POINTS };
        layer += 1;
    }
    layers
};

/// The point that a draw stands for: 3 bits are unused, 8 pick the layer and 53
/// the place.
#[inline(always)]
pub(in crate::random) fn point(bits: u64) -> Point {
    let layer = &LAYER[layer_of(bits)];
    let place = bits >> (u64::BITS - POINT_BITS);
    Point { value: place as i64 as f64 * layer.unit, certain: place < layer.threshold }
}

#[inline(always)]
fn layer_of(bits: u64) -> usize {
    usize::from((bits >> 3) as u8)
}

/// A standard exponential value.
#[inline]
pub(in crate::random) fn draw(source: &mut impl Source) -> f64 {
    let bits = source.next_bits();
    let Point { value, certain } = point(bits);
    if certain { value } else { draw_uncertain(source, bits) }
}

/// Fills `values` with standard exponential values.
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
            // The tail of an exponential is the exponential again. Uniform values
            // can be 0 but not 1, hence the logarithm of 1 - u.
            0 => return TAIL - libm::log1p(-source.next_unit()),
            layer => {
                if wedge(layer).covers(value, source.next_unit(), density) {
                    return value;
                }
            }
        }
        bits = source.next_bits();
    }
}

/// The density.
pub(super) fn density(place: f64) -> f64 {
    libm::exp(-place)
}

/// What of a layer, from 1, is not certain.
#[inline]
pub(super) fn wedge(layer: usize) -> Wedge {
    let inner = if layer == 1 { 0.0 } else { EDGES[layer - 1] };
    let (outer, top, bottom) = (EDGES[layer], HEIGHTS[layer - 1], HEIGHTS[layer]);
    // The density is its own second derivative.
    Wedge { inner, outer, top, bottom, curvature: 0.5 * (top + bottom) }
}

#[cfg(test)]
mod tests {
    use super::super::{checksum, scripted::Scripted};
    use super::*;

    /// The draw of a layer and a place.
    fn bits(layer: u64, place: u64) -> u64 {
        layer << 3 | place << 11
    }

    #[test]
    fn the_tables_are_those_of_numpy() {
        assert_eq!(checksum(&LAYER, &HEIGHTS), 0x71fb_5f52_af5e_1b45);
    }

    #[test]
    fn the_layers_have_equal_areas() {
        let area = (TAIL + 1.0) * density(TAIL);
        for layer in 2..LAYERS {
            let rectangle = EDGES[layer] * (HEIGHTS[layer - 1] - HEIGHTS[layer]);
            assert!((rectangle / area - 1.0).abs() < 1e-12, "layer {layer}: {rectangle}");
            assert!((density(EDGES[layer]) / HEIGHTS[layer] - 1.0).abs() < 1e-14);
        }
    }

    #[test]
    fn a_draw_at_the_threshold_is_uncertain() {
        let threshold = LAYER[100].threshold;
        assert!(point(bits(100, threshold - 1)).certain);
        assert!(!point(bits(100, threshold)).certain);
    }

    #[test]
    fn the_tail_is_the_exponential_again() {
        let mut source = Scripted::new(&[bits(0, (1 << POINT_BITS) - 1), 1 << 63]);
        let value = draw(&mut source);
        assert!((value - (TAIL + std::f64::consts::LN_2)).abs() < 1e-14, "{value}");
        assert!(source.is_empty());
    }

    #[test]
    fn a_point_above_the_density_is_thrown_away() {
        let outermost = bits(200, (1 << POINT_BITS) - 1);
        let mut source = Scripted::new(&[outermost, u64::MAX, bits(100, 0)]);
        assert_eq!(draw(&mut source), 0.0);
        assert!(source.is_empty());
    }
}
