//! The part of a layer where only the density itself can decide.

/// How far an estimate may be off, as a part of the fall of the density across
/// the layer; the worst layer of either ziggurat is off by 0.0085.
const MARGIN: f64 = 1.0 / 64.0;

/// A layer between the edge of the next narrower rectangle and its own, with the
/// density that falls from one to the other.
///
/// The density of a point is estimated by the parabola through both corners with
/// the curvature of the density half way, which decides nearly all comparisons
/// at a tenth of the price of an exponential. What it decides is what the
/// density would have decided: the margin is wider than the estimate is wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wedge {
    pub(super) inner: f64,
    pub(super) outer: f64,
    /// The density at the inner edge.
    pub(super) top: f64,
    /// The density at the outer edge.
    pub(super) bottom: f64,
    /// The second derivative of the density half way between the edges.
    pub(super) curvature: f64,
}

impl Wedge {
    /// Whether the point at `place` and at a uniform part of the height lies under
    /// `density`.
    #[inline]
    pub(super) fn covers(&self, place: f64, part: f64, density: impl Fn(f64) -> f64) -> bool {
        let fall = self.top - self.bottom;
        let height = fall * part + self.bottom;
        let above = height - self.estimate(place);
        if above.abs() > MARGIN * fall { above < 0.0 } else { height < density(place) }
    }

    /// The density at `place`, nearly.
    #[inline]
    fn estimate(&self, place: f64) -> f64 {
        let (from_inner, to_outer) = (place - self.inner, self.outer - place);
        let chord = (self.top - self.bottom) * to_outer / (self.outer - self.inner);
        self.bottom + chord - 0.5 * self.curvature * from_inner * to_outer
    }

    /// The largest error of the estimate, as a part of the fall.
    #[cfg(test)]
    pub(super) fn largest_error(&self, density: impl Fn(f64) -> f64) -> f64 {
        const STEPS: u32 = 1000;
        (0..=STEPS)
            .map(|step| self.inner + (self.outer - self.inner) * f64::from(step) / f64::from(STEPS))
            .map(|place| (density(place) - self.estimate(place)).abs() / (self.top - self.bottom))
            .fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LAYERS, exponential, normal};
    use super::*;

    #[test]
    fn every_estimate_is_well_inside_the_margin() {
        for layer in 1..LAYERS {
            let error = normal::wedge(layer).largest_error(normal::density);
            assert!(error < 0.6 * MARGIN, "normal layer {layer}: {error}");
            let error = exponential::wedge(layer).largest_error(exponential::density);
            assert!(error < 0.6 * MARGIN, "exponential layer {layer}: {error}");
        }
    }

    #[test]
    fn the_estimate_decides_as_the_density_does() {
        for layer in [1, 2, 100, 254, 255] {
            let wedge = normal::wedge(layer);
            for step in 0..10_000u32 {
                let place = wedge.inner + (wedge.outer - wedge.inner) * f64::from(step % 100) / 99.0;
                let part = f64::from(step / 100) / 100.0;
                let height = (wedge.top - wedge.bottom) * part + wedge.bottom;
                assert_eq!(
                    wedge.covers(place, part, normal::density),
                    height < normal::density(place),
                    "layer {layer}, place {place}, part {part}"
                );
            }
        }
    }
}
