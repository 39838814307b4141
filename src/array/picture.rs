//! A picture of how an array is cut into chunks.
//!
//! Up to three axes are drawn as a strip, a sheet or a box; an array of more axes as several of those side by
//! side, the last three axes last.

use super::array::Array;
use super::traits::Element;
use std::fmt::Write;

/// The length of the longest axis in the picture, and the least that an axis gets.
const LONGEST: f64 = 200.0;
const SHORTEST: f64 = 20.0;
/// Lines that would be closer are left out.
const CLOSEST: f64 = 3.0;
/// Around a figure, for the numbers.
const MARGIN: f64 = 14.0;
/// For numbers at the right of a figure.
const NUMBERS: f64 = 70.0;
/// The height of the numbers, and the width of a digit.
const TEXT: f64 = 12.0;
const DIGIT: f64 = 8.0;
/// An axis that goes into the depth: right and up, and shorter.
const DEPTH: (f64, f64) = (0.5, -0.35);

impl<T: Element> Array<T> {
    /// A picture of the chunks as SVG, for a notebook or a report: a strip, a sheet or a box for up to three
    /// axes, several of them for more. Where chunks are too many to be seen, only some lines are drawn.
    ///
    /// ```
    /// use serried::array::Array;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let x = Array::<f64>::zeros(client, [40_000, 40_000], [10_000, 5000]);
    ///     let picture = x.svg();
    ///     assert!(picture.starts_with("<svg ") && picture.contains(">40000</text>"));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Panics
    /// If the array is [broken](Self::check).
    #[must_use]
    pub fn svg(&self) -> String {
        svg(&self.to_string(), self.chunks())
    }
}

/// The picture as SVG. `chunks` are the lengths of the chunks of each axis.
fn svg(title: &str, chunks: &[Vec<usize>]) -> String {
    let longest = chunks.iter().map(|chunks| chunks.iter().sum()).max().unwrap_or(1).max(1);
    let axes: Vec<Axis> = chunks.iter().map(|chunks| Axis::new(chunks, longest)).collect();
    let (first, others) = axes.split_at(axes.len() % 3);
    let groups = std::iter::once(first).filter(|first| !first.is_empty() || axes.is_empty());
    let mut picture = Picture::default();
    for group in groups.chain(others.chunks(3)) {
        picture.figure(group);
    }
    picture.finish(title)
}

/// An axis in the picture: the places of its ends and of the cuts between chunks.
struct Axis {
    length: usize,
    cuts: Vec<f64>,
}

impl Axis {
    fn new(chunks: &[usize], longest: usize) -> Self {
        let length: usize = chunks.iter().sum();
        let size = (LONGEST * length as f64 / longest as f64).max(SHORTEST);
        let mut cuts = vec![0.0];
        let mut end = 0;
        for chunk in &chunks[..chunks.len().saturating_sub(1)] {
            end += chunk;
            let place = size * end as f64 / length.max(1) as f64;
            if place - cuts[cuts.len() - 1] >= CLOSEST && size - place >= CLOSEST {
                cuts.push(place);
            }
        }
        cuts.push(size);
        Axis { length, cuts }
    }

    fn size(&self) -> f64 {
        self.cuts.last().copied().unwrap_or(SHORTEST)
    }

    /// Without an axis a figure is as high, or as wide, as the shortest.
    fn none() -> Self {
        Axis { length: 1, cuts: vec![0.0, SHORTEST] }
    }
}

type Point = (f64, f64);

#[derive(Default)]
struct Picture {
    body: String,
    width: f64,
    height: f64,
}

impl Picture {
    /// One to three axes, or the single element of an array without axes.
    fn figure(&mut self, axes: &[Axis]) {
        let none = (Axis::none(), Axis::none());
        let (depth, down, across) = match axes {
            [depth, down, across] => (Some(depth), down, across),
            [down, across] => (None, down, across),
            [across] => (None, &none.0, across),
            _ => (None, &none.0, &none.1),
        };
        let into = depth.map_or((0.0, 0.0), |depth| (depth.size() * DEPTH.0, depth.size() * DEPTH.1));
        // The number beside the edge that goes into the depth needs room at the left.
        let number = depth.map_or(0.0, |depth| DIGIT * depth.length.to_string().len() as f64);
        let (x, y) = (self.width + MARGIN.max(number + 8.0 - into.0 / 2.0), MARGIN - into.1);
        let (right, below) = ((across.size(), 0.0), (0.0, down.size()));
        if let Some(depth) = depth {
            self.face((x, y), (across, right), (depth, into));
            self.face((x + right.0, y), (depth, into), (down, below));
            let middle = (x + into.0 / 2.0 - 4.0, y + into.1 / 2.0 - 2.0);
            self.number(middle, "end", depth.length);
        }
        self.face((x, y), (across, right), (down, below));
        if !axes.is_empty() {
            self.number((x + right.0 / 2.0, y + below.1 + TEXT + 3.0), "middle", across.length);
        }
        if axes.len() > 1 {
            let edge = (x + right.0 + into.0 + 5.0, y + into.1 + below.1 / 2.0 + TEXT / 3.0);
            self.number(edge, "start", down.length);
        }
        self.width = x + right.0 + into.0 + NUMBERS;
        self.height = self.height.max(y + below.1 + TEXT + MARGIN);
    }

    /// A parallelogram from `corner` along the vectors of two axes, cut by the lines of both.
    fn face(&mut self, corner: Point, first: (&Axis, Point), second: (&Axis, Point)) {
        let at = |a: f64, b: f64| {
            let ((ax, ay), (bx, by)) = (first.1, second.1);
            (corner.0 + a * ax + b * bx, corner.1 + a * ay + b * by)
        };
        let corners = [at(0.0, 0.0), at(1.0, 0.0), at(1.0, 1.0), at(0.0, 1.0)];
        let corners: Vec<String> = corners.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(self.body, "  <polygon points=\"{}\"/>", corners.join(" "));
        for (axis, ends) in [(first.0, false), (second.0, true)] {
            for cut in &axis.cuts[1..axis.cuts.len() - 1] {
                let share = cut / axis.size();
                let ((x1, y1), (x2, y2)) = match ends {
                    false => (at(share, 0.0), at(share, 1.0)),
                    true => (at(0.0, share), at(1.0, share)),
                };
                let _ = writeln!(self.body, "  <path d=\"M{x1:.1},{y1:.1} L{x2:.1},{y2:.1}\"/>");
            }
        }
    }

    fn number(&mut self, (x, y): Point, anchor: &str, number: usize) {
        let _ =
            writeln!(self.body, "  <text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{number}</text>");
    }

    fn finish(self, title: &str) -> String {
        let Picture { body, width, height } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\">\n  <title>{title}</title>\n  \
             <style>polygon {{ fill: #d8e6f0; stroke: #24506e; stroke-width: 1.5 }} \
             path {{ stroke: #24506e; stroke-width: 0.7 }} \
             text {{ font: {TEXT}px sans-serif; fill: #24506e }}</style>\n{body}</svg>\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that stand behind a word.
    fn numbers(svg: &str, word: &str) -> Vec<f64> {
        svg.split(word).skip(1).filter_map(|rest| rest.split('"').next()?.parse().ok()).collect()
    }

    #[test]
    fn there_is_a_line_for_every_cut() {
        let lines = |chunks: &[Vec<usize>]| {
            let svg = svg("t", chunks);
            (svg.matches("<polygon").count(), svg.matches("<path").count(), svg.matches("<text").count())
        };
        assert_eq!(lines(&[]), (1, 0, 0));
        assert_eq!(lines(&[vec![5, 5, 5]]), (1, 2, 1));
        assert_eq!(lines(&[vec![5, 5, 5], vec![20]]), (1, 2, 2));
        // Every axis of a box is seen on two faces.
        assert_eq!(lines(&[vec![5, 5], vec![4, 4, 2], vec![9]]), (3, 2 * (1 + 2), 3));
        assert_eq!(lines(&[vec![7, 7], vec![5, 5], vec![4, 4, 2], vec![9]]), (4, 1 + 2 * (1 + 2), 4));
        assert_eq!(lines(&[vec![0], vec![3]]), (1, 0, 2));
    }

    #[test]
    fn a_line_too_close_to_the_last_is_left_out() {
        let many = svg("t", &[vec![1; 100_000]]);
        assert!(many.matches("<path").count() <= (LONGEST / CLOSEST) as usize);
        assert!(many.contains(">100000</text>"));
    }

    #[test]
    fn everything_is_inside() {
        for chunks in
            [vec![], vec![vec![9]], vec![vec![1, 400], vec![3; 7]], vec![vec![4; 4]; 3], vec![vec![2; 9]; 8]]
        {
            let svg = svg("t", &chunks);
            let (width, height) = (
                numbers(&svg, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"")[0],
                numbers(&svg, " height=\"")[0],
            );
            assert!(numbers(&svg, " x=\"").iter().all(|&x| (0.0..=width).contains(&x)), "{svg}");
            assert!(numbers(&svg, " y=\"").iter().all(|&y| (0.0..=height).contains(&y)), "{svg}");
            for points in svg.split("points=\"").skip(1) {
                for point in points.split('"').next().expect("points").split(' ') {
                    let (x, y) = point.split_once(',').expect("a point");
                    let (x, y): (f64, f64) = (x.parse().expect("x"), y.parse().expect("y"));
                    assert!((0.0..=width).contains(&x) && (0.0..=height).contains(&y), "{svg}");
                }
            }
        }
    }
}
