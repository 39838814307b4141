//! How an array is cut into chunks.

use super::error::ArrayProblem;
use std::ops::Range;

/// The bytes of a chunk when nobody says how to cut. A part of the promise that results do not change with
/// the machine: it never depends on ranks, threads or memory.
pub(super) const AUTOMATIC_BYTES: usize = 16 << 20;

/// The most chunks of an array. Each is a task at least, and what rank 0 keeps of a task is a hundred bytes or so:
/// with more, the program would run out of memory before anything is computed.
pub(super) const MOST_CHUNKS: usize = 1 << 22;

/// The most tasks of an operation that meets each chunk with many others, for the same reason.
const MOST_TASKS: usize = 1 << 24;

/// The most bytes of an array: as many as one process can address, which is NumPy's limit too.
const MOST_BYTES: usize = isize::MAX as usize;

/// How to cut an array into chunks.
///
/// An array has at most 4,194,304 chunks, each of which is a task at least. What would have more is refused.
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
        check_size(shape, element_size)?;
        let regular = |chunk: &[usize]| {
            // Counted before they are made: there may be more of them than there is memory.
            let counts = shape.iter().zip(chunk).map(|(&length, &chunk)| count_of_pieces(length, chunk));
            check_count(shape, counts)?;
            Ok::<_, ArrayProblem>(regular(shape, chunk))
        };
        let chunks = match chunks {
            Chunks::Auto => regular(&automatic(shape, AUTOMATIC_BYTES / element_size))?,
            Chunks::Bytes(bytes) => regular(&automatic(shape, (bytes / element_size).max(1)))?,
            Chunks::Shape(chunk) => {
                if chunk.len() != shape.len() {
                    return Err(wrong(format!("give {} lengths, one for each axis", shape.len())));
                }
                if chunk.contains(&0) && !shape.contains(&0) {
                    return Err(wrong("a chunk has at least one element".into()));
                }
                regular(chunk)?
            }
            Chunks::Exact(chunks) => {
                let fits = chunks.len() == shape.len()
                    && chunks.iter().zip(shape).all(|(chunks, &length)| {
                        sum(chunks) == length && !chunks.is_empty() && (length == 0 || !chunks.contains(&0))
                    });
                if !fits {
                    let rule = "for each axis, give lengths of at least 1 whose sum is its length";
                    return Err(wrong(rule.into()));
                }
                check_count(shape, chunks.iter().map(Vec::len))?;
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
        Layout { shape: chunks.iter().map(|chunks| sum(chunks)).collect(), chunks }
    }

    /// Whether there is an array of this shape and so many chunks at all. Arrays that are made of others may
    /// turn out too large: by broadcasting, joining, padding, or because others are cut elsewhere.
    pub(super) fn check(&self, element_size: usize) -> Result<(), ArrayProblem> {
        check_size(&self.shape, element_size)?;
        check_count(&self.shape, self.chunks.iter().map(Vec::len))
    }

    pub(super) fn axes(&self) -> usize {
        self.shape.len()
    }

    pub(super) fn elements(&self) -> usize {
        product(self.shape.iter().copied())
    }

    /// The number of chunks along each axis.
    pub(super) fn grid(&self) -> Vec<usize> {
        self.chunks.iter().map(Vec::len).collect()
    }

    /// The number of chunks.
    pub(super) fn count(&self) -> usize {
        product(self.chunks.iter().map(Vec::len))
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

    /// The number of the chunk with this origin and shape, if there is one. `starts` are where chunks begin
    /// along each axis.
    pub(super) fn find(&self, starts: &[Vec<usize>], origin: &[usize], shape: &[usize]) -> Option<usize> {
        let mut number = 0;
        let axes = self.chunks.iter().zip(starts).zip(origin).zip(shape);
        for (((chunks, starts), &origin), &length) in axes {
            let position = starts.binary_search(&origin).ok()?;
            if chunks[position] != length {
                return None;
            }
            number = number * chunks.len() + position;
        }
        Some(number)
    }

    /// The bytes of the largest chunk.
    pub(super) fn largest_chunk(&self) -> usize {
        product(self.chunks.iter().map(|chunks| chunks.iter().copied().max().unwrap_or(0)))
    }
}

/// The product of lengths, or the largest number if they are more than that.
fn product(lengths: impl Iterator<Item = usize>) -> usize {
    let mut product = 1usize;
    for length in lengths {
        match length {
            0 => return 0,
            length => product = product.saturating_mul(length),
        }
    }
    product
}

/// The sum of lengths, or the largest number if they are more than that.
pub(super) fn sum(lengths: &[usize]) -> usize {
    lengths.iter().fold(0, |sum, &length| sum.saturating_add(length))
}

/// Checks that the bytes of an array can be counted; as in NumPy, those of one without any element as if
/// lengths of 0 were 1.
fn check_size(shape: &[usize], element_size: usize) -> Result<(), ArrayProblem> {
    let elements = product(shape.iter().copied().filter(|&length| length > 0));
    match elements.saturating_mul(element_size) <= MOST_BYTES {
        true => Ok(()),
        false => Err(ArrayProblem::TooLarge { shape: shape.to_vec() }),
    }
}

/// Checks the number of chunks, given those along each axis.
fn check_count(shape: &[usize], counts: impl Iterator<Item = usize>) -> Result<(), ArrayProblem> {
    let chunks = product(counts);
    match chunks <= MOST_CHUNKS {
        true => Ok(()),
        false => Err(ArrayProblem::TooManyChunks { chunks, most: MOST_CHUNKS, shape: shape.to_vec() }),
    }
}

/// Checks the number of tasks of an operation, the product of `factors`, before it is planned.
pub(super) fn check_tasks(factors: &[usize]) -> Result<(), ArrayProblem> {
    let tasks = product(factors.iter().copied());
    match tasks <= MOST_TASKS {
        true => Ok(()),
        false => Err(ArrayProblem::TooManyTasks { tasks, most: MOST_TASKS }),
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

/// How many [`pieces`] there are.
fn count_of_pieces(length: usize, piece: usize) -> usize {
    length.div_ceil(piece.clamp(1, length.max(1))).max(1)
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

    #[test]
    fn what_cannot_be_is_refused_before_it_is_made() {
        let problem = |shape: &[usize], chunks: Chunks| Layout::new(shape, &chunks, 8).expect_err("too much");
        let many = |problem: ArrayProblem| matches!(problem, ArrayProblem::TooManyChunks { .. });
        let large = |problem: ArrayProblem| matches!(problem, ArrayProblem::TooLarge { .. });
        assert!(many(problem(&[1 << 40], 1.into())));
        assert!(many(problem(&[1 << 40], Chunks::Bytes(8))));
        assert!(many(problem(&[1 << 58], Chunks::Auto)));
        assert!(many(problem(&[1 << 20, 1 << 20], [1, 1].into())));
        assert!(many(problem(&[MOST_CHUNKS + 1], Chunks::Exact(vec![vec![1; MOST_CHUNKS + 1]]))));
        assert!(large(problem(&[usize::MAX], Chunks::Auto)));
        assert!(large(problem(&[1 << 60], (1 << 60).into())));
        assert!(large(problem(&[1 << 32, 1 << 32], [1 << 32, 1 << 32].into())));
        assert!(large(problem(&[0, 1 << 40, 1 << 40], Chunks::Auto)));
        let layout = |shape: &[usize], chunk: usize| Layout::new(shape, &chunk.into(), 8).expect("room");
        assert_eq!(layout(&[MOST_CHUNKS], 1).count(), MOST_CHUNKS);
        assert_eq!(layout(&[1 << 59], 1 << 59).count(), 1);
        assert_eq!(layout(&[0], 1).count(), 1);
        let wrapped = Chunks::Exact(vec![vec![usize::MAX, 6]]);
        assert!(matches!(problem(&[5], wrapped), ArrayProblem::Chunks { .. }));
        // What others are put together to.
        let joined = |chunks: Vec<Vec<usize>>| Layout::of_chunks(chunks).check(8).expect_err("too much");
        assert!(large(joined(vec![vec![usize::MAX, 1], vec![1]])));
        assert!(many(joined(vec![vec![1; 1 << 12], vec![1; 1 << 11]])));
    }

    proptest! {
        #[test]
        fn pieces_are_as_many_as_counted(length in 0usize..500, piece in 0usize..600) {
            prop_assert_eq!(count_of_pieces(length, piece), pieces(length, piece).len());
        }

        #[test]
        fn automatic_chunks_cover_the_array_and_are_small_enough(
            shape in proptest::collection::vec(0usize..2000, 0..4),
            bytes in 1usize..100_000,
        ) {
            let layout = match Layout::new(&shape, &Chunks::Bytes(bytes), 8) {
                Err(ArrayProblem::TooManyChunks { chunks, .. }) => {
                    prop_assert!(chunks > MOST_CHUNKS);
                    return Ok(());
                }
                layout => layout.expect("any bytes"),
            };
            for (chunks, length) in layout.chunks.iter().zip(&shape) {
                prop_assert_eq!(chunks.iter().sum::<usize>(), *length);
            }
            prop_assert!(layout.largest_chunk() <= (bytes / 8).max(1));
            let begin: Vec<Vec<usize>> = layout.chunks.iter().map(|chunks| starts(chunks)).collect();
            for (number, chunk) in layout.chunks().enumerate().take(500) {
                prop_assert_eq!(layout.number(&chunk.position), number);
                if !shape.contains(&0) {
                    prop_assert_eq!(layout.find(&begin, &chunk.origin, &chunk.shape), Some(number));
                }
            }
        }
    }
}
