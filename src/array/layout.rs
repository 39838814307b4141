//! How an array is cut into chunks.

use super::error::ArrayProblem;
use std::ops::Range;

/// The bytes of a chunk when nobody says how to cut. A part of the promise that results do not change with
/// the machine: it never depends on ranks, threads or memory.
pub(super) const AUTOMATIC_BYTES: usize = 16 << 20;

/// How to cut an array into chunks.
///
/// Arrays, vectors and slices of lengths convert into [`Chunks::Shape`]; a single length into a chunk shape
/// for arrays of one axis.
///
/// ```
/// use serried::array::Chunks;
///
/// let square: Chunks = [1000, 1000].into();
/// assert_eq!(square, Chunks::Shape(vec![1000, 1000]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunks {
    /// Chunks of about 16 MiB with sides of about the same length.
    Auto,
    /// Chunks of at most so many bytes, with sides of about the same length.
    Bytes(usize),
    /// The shape of a chunk; those at the end of an axis may be shorter.
    Shape(Vec<usize>),
    /// The length of every chunk, for every axis.
    Exact(Vec<Vec<usize>>),
}

impl<const N: usize> From<[usize; N]> for Chunks {
    fn from(shape: [usize; N]) -> Self {
        Chunks::Shape(shape.to_vec())
    }
}

impl From<&[usize]> for Chunks {
    fn from(shape: &[usize]) -> Self {
        Chunks::Shape(shape.to_vec())
    }
}

impl From<Vec<usize>> for Chunks {
    fn from(shape: Vec<usize>) -> Self {
        Chunks::Shape(shape)
    }
}

impl From<usize> for Chunks {
    fn from(length: usize) -> Self {
        Chunks::Shape(vec![length])
    }
}

/// A shape, and the lengths of the chunks along each axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) shape: Vec<usize>,
    pub(super) chunks: Vec<Vec<usize>>,
}

/// A chunk: where it is in the grid of chunks, where its first element is in the array, and its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) position: Vec<usize>,
    pub(super) origin: Vec<usize>,
    pub(super) shape: Vec<usize>,
}

impl Chunk {
    /// The indices of its elements along an axis.
    pub(super) fn range(&self, axis: usize) -> Range<usize> {
        self.origin[axis]..self.origin[axis] + self.shape[axis]
    }
}

impl Layout {
    pub(super) fn new(shape: &[usize], chunks: &Chunks, element_size: usize) -> Result<Self, ArrayProblem> {
        let wrong = |reason: String| ArrayProblem::Chunks {
            chunks: format!("{chunks:?}"),
            shape: shape.to_vec(),
            reason,
        };
        if shape.iter().try_fold(1usize, |product, &length| product.checked_mul(length)).is_none() {
            return Err(wrong("it has more elements than can be counted".into()));
        }
        let chunks = match chunks {
            Chunks::Auto => regular(shape, &automatic(shape, AUTOMATIC_BYTES / element_size)),
            Chunks::Bytes(bytes) => regular(shape, &automatic(shape, (bytes / element_size).max(1))),
            Chunks::Shape(chunk) => {
                if chunk.len() != shape.len() {
                    return Err(wrong(format!("give {} lengths, one for each axis", shape.len())));
                }
                if chunk.contains(&0) && !shape.contains(&0) {
                    return Err(wrong("a chunk has at least one element".into()));
                }
                regular(shape, chunk)
            }
            Chunks::Exact(chunks) => {
                let fits = chunks.len() == shape.len()
                    && chunks.iter().zip(shape).all(|(chunks, &length)| {
                        chunks.iter().sum::<usize>() == length
                            && !chunks.is_empty()
                            && (length == 0 || !chunks.contains(&0))
                    });
                if !fits {
                    let rule = "for each axis, give lengths of at least 1 whose sum is its length";
                    return Err(wrong(rule.into()));
                }
                chunks.clone()
            }
        };
        Ok(Layout { shape: shape.to_vec(), chunks })
    }

    /// One chunk.
    pub(super) fn whole(shape: &[usize]) -> Self {
        Layout { shape: shape.to_vec(), chunks: shape.iter().map(|&length| vec![length]).collect() }
    }

    pub(super) fn of_chunks(chunks: Vec<Vec<usize>>) -> Self {
        Layout { shape: chunks.iter().map(|chunks| chunks.iter().sum()).collect(), chunks }
    }

    pub(super) fn axes(&self) -> usize {
        self.shape.len()
    }

    pub(super) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The number of chunks along each axis.
    pub(super) fn grid(&self) -> Vec<usize> {
        self.chunks.iter().map(Vec::len).collect()
    }

    /// The number of chunks.
    pub(super) fn count(&self) -> usize {
        self.chunks.iter().map(Vec::len).product()
    }

    /// All chunks, in C order of the grid.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Chunk> + use<'_> {
        let starts: Vec<Vec<usize>> = self.chunks.iter().map(|chunks| starts(chunks)).collect();
        positions(&self.grid()).map(move |position| {
            let at = |values: &[Vec<usize>]| -> Vec<usize> {
                position.iter().zip(values).map(|(&position, values)| values[position]).collect()
            };
            let (origin, shape) = (at(&starts), at(&self.chunks));
            Chunk { position, origin, shape }
        })
    }

    /// The number of the chunk at a position of the grid.
    pub(super) fn number(&self, position: &[usize]) -> usize {
        position.iter().zip(&self.chunks).fold(0, |number, (&at, chunks)| number * chunks.len() + at)
    }

    /// The number of the chunk with this origin and shape, if there is one.
    pub(super) fn find(&self, origin: &[usize], shape: &[usize]) -> Option<usize> {
        let mut number = 0;
        for ((chunks, &origin), &length) in self.chunks.iter().zip(origin).zip(shape) {
            let position = starts(chunks).binary_search(&origin).ok()?;
            if chunks[position] != length {
                return None;
            }
            number = number * chunks.len() + position;
        }
        Some(number)
    }

    /// The bytes of the largest chunk.
    pub(super) fn largest_chunk(&self) -> usize {
        self.chunks.iter().map(|chunks| chunks.iter().copied().max().unwrap_or(0)).product()
    }
}

/// Where each of consecutive pieces begins.
pub(super) fn starts(lengths: &[usize]) -> Vec<usize> {
    let sum = |start: &mut usize, &length: &usize| {
        let this = *start;
        *start += length;
        Some(this)
    };
    lengths.iter().scan(0, sum).collect()
}

/// All index vectors below `grid`, in C order.
pub(super) fn positions(grid: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<> {
    let grid = grid.to_vec();
    let count: usize = grid.iter().product();
    (0..count).map(move |number| unravel(number, &grid))
}

/// The index vector of an element whose number in C order is `number`.
pub(super) fn unravel(mut number: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (index, &length) in index.iter_mut().zip(shape).rev() {
        *index = number % length.max(1);
        number /= length.max(1);
    }
    index
}

/// Pieces of at most `chunk` along each axis.
fn regular(shape: &[usize], chunk: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().zip(chunk).map(|(&length, &chunk)| pieces(length, chunk)).collect()
}

/// `length` in pieces of `piece`, the last of which may be shorter.
pub(super) fn pieces(length: usize, piece: usize) -> Vec<usize> {
    if length == 0 {
        return vec![0];
    }
    let piece = piece.clamp(1, length);
    let mut pieces = vec![piece; length / piece];
    if !length.is_multiple_of(piece) {
        pieces.push(length % piece);
    }
    pieces
}

/// The sides of chunks of at most `elements` elements: as equal as the shape allows, and such that the
/// chunks of an axis have about the same length.
fn automatic(shape: &[usize], elements: usize) -> Vec<usize> {
    let mut chunk = shape.to_vec();
    let mut order: Vec<usize> = (0..shape.len()).collect();
    order.sort_by_key(|&axis| shape[axis]);
    let mut budget = elements.max(1);
    for (done, &axis) in order.iter().enumerate() {
        let left = order.len() - done;
        let side = integer_root(budget, left as u32).max(1);
        let length = shape[axis].max(1);
        // The shorter axes were given first: what they do not need is left to the longer ones.
        chunk[axis] = if side >= length { length } else { length.div_ceil(length.div_ceil(side)) };
        budget = (budget / chunk[axis].max(1)).max(1);
    }
    chunk
}

/// The largest integer whose power `degree` is at most `value`.
fn integer_root(value: usize, degree: u32) -> usize {
    let mut root = (value as f64).powf(1.0 / f64::from(degree)).round() as usize;
    while root.checked_pow(degree).is_none_or(|power| power > value) {
        root -= 1;
    }
    while (root + 1).checked_pow(degree).is_some_and(|power| power <= value) {
        root += 1;
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn chunks_are_as_asked_for() {
        let layout = |chunks: Chunks| Layout::new(&[5, 7], &chunks, 8).map(|layout| layout.chunks);
        assert_eq!(layout([2, 7].into()), Ok(vec![vec![2, 2, 1], vec![7]]));
        assert_eq!(layout([9, 9].into()), Ok(vec![vec![5], vec![7]]));
        assert_eq!(layout(Chunks::Auto), Ok(vec![vec![5], vec![7]]));
        assert_eq!(layout(Chunks::Bytes(80)), Ok(vec![vec![3, 2], vec![3, 3, 1]]));
        let exact = vec![vec![1, 4], vec![3, 3, 1]];
        assert_eq!(layout(Chunks::Exact(exact.clone())), Ok(exact));
        for wrong in [Chunks::Shape(vec![2]), [0, 7].into(), Chunks::Exact(vec![vec![5], vec![6]])] {
            assert!(layout(wrong).is_err());
        }
    }

    proptest! {
        #[test]
        fn automatic_chunks_cover_the_array_and_are_small_enough(
            shape in proptest::collection::vec(0usize..2000, 0..4),
            bytes in 1usize..100_000,
        ) {
            let layout = Layout::new(&shape, &Chunks::Bytes(bytes), 8).expect("any bytes");
            for (chunks, length) in layout.chunks.iter().zip(&shape) {
                prop_assert_eq!(chunks.iter().sum::<usize>(), *length);
            }
            prop_assert!(layout.largest_chunk() <= (bytes / 8).max(1));
            for (number, chunk) in layout.chunks().enumerate().take(500) {
                prop_assert_eq!(layout.number(&chunk.position), number);
                if !shape.contains(&0) {
                    prop_assert_eq!(layout.find(&chunk.origin, &chunk.shape), Some(number));
                }
            }
        }
    }
}
