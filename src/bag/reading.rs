//! How input is read.

use super::encoding::Encoding;
use serde::{Deserialize, Serialize};

/// What is done about input that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Faults {
    /// The computation fails, with the file, the line and the place.
    #[default]
    Fail,
    /// It is left out and counted: a line that is not text, a record that cannot be understood, the rest of a
    /// file that cannot be read on. The first of each piece is logged.
    Skip,
}

/// How input is read: the size of blocks, the encoding, what to do about faults.
///
/// ```
/// use serried::bag::{Encoding, Faults, Reading};
///
/// let reading = Reading::new().encoding(Encoding::Latin1).faults(Faults::Skip).block_bytes(1 << 20);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    pub(super) block_bytes: u64,
    pub(super) piece_bytes: usize,
    pub(super) longest_line: u64,
    pub(super) largest_window: u64,
    pub(super) encoding: Encoding,
    pub(super) faults: Faults,
    pub(super) missing: Vec<String>,
}

/// Bytes of a file that are handed out at a time. It is part of what fixes the result of a user's fold, so it
/// never depends on where a program runs.
const BLOCK: u64 = 8 << 20;
/// Bytes of lines that a thread works on at a time: they stay in its cache.
const PIECE: usize = 256 << 10;
const LONGEST_LINE: u64 = 1 << 30;
/// What `zstd` allows by itself.
const LARGEST_WINDOW: u64 = 1 << 27;

impl Default for Reading {
    fn default() -> Self {
        Reading {
            block_bytes: BLOCK,
            piece_bytes: PIECE,
            longest_line: LONGEST_LINE,
            largest_window: LARGEST_WINDOW,
            encoding: Encoding::default(),
            faults: Faults::default(),
            missing: Vec::new(),
        }
    }
}

impl Reading {
    /// UTF-8, in blocks of 8 MiB, and faults are errors.
    #[must_use]
    pub fn new() -> Self {
        Reading::default()
    }

    /// Hands out so many bytes of a file at a time, at least one. A thread holds much less than a block in
    /// memory. The result of a user's own fold may depend on it, if the fold rounds; nothing else does.
    #[must_use]
    pub fn block_bytes(self, bytes: u64) -> Self {
        let block_bytes = bytes.max(1);
        Reading { block_bytes, piece_bytes: PIECE.min(usize::try_from(block_bytes).unwrap_or(PIECE)), ..self }
    }

    /// What the bytes mean. The default is UTF-8, and a wrong byte is a fault.
    #[must_use]
    pub fn encoding(self, encoding: Encoding) -> Self {
        Reading { encoding, ..self }
    }

    /// What is done about faults. The default is to fail.
    #[must_use]
    pub fn faults(self, faults: Faults) -> Self {
        Reading { faults, ..self }
    }

    /// Words that stand for a missing value in a file with separated fields, such as `NA`.
    ///
    /// A field that is one of them, whole and in the same case, in quotes or not, is `None` for an [`Option`] and
    /// not a number for an `f64` or `f32`. It is itself for a `String`, and a fault for what cannot be missing: an
    /// integer, a `bool`, a `char`. An empty field is `None` for an [`Option`] in any case; with `""` among the
    /// words it is not a number for a float.
    ///
    /// ```
    /// use serried::{bag::Reading, prelude::*};
    ///
    /// # fn main() -> serried::Result<()> {
    /// let file = tempfile::NamedTempFile::new().expect("a file");
    /// std::fs::write(file.path(), "id,x,y\n1,NA,2.5\n2,3,\n").expect("written");
    /// serried::run(|client| {
    ///     let reading = Reading::new().missing(["NA", ""]);
    ///     let rows = client.read_csv_records_as::<(u8, Option<f64>, f64)>(file.path(), b',', &reading)?;
    ///     let rows = rows.collect().compute()?;
    ///     assert_eq!(rows[0], (1, None, 2.5));
    ///     assert!(rows[1].2.is_nan());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn missing<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> Self {
        Reading { missing: words.into_iter().map(Into::into).collect(), ..self }
    }

    /// The longest line, or record of separated fields, that is taken for one, since memory has to hold it: by default 2^30 bytes, and never
    /// more than 2^31.
    #[must_use]
    pub fn longest_line(self, bytes: u64) -> Self {
        Reading { longest_line: bytes.min(1 << 31), ..self }
    }

    /// The largest window of a zstd file that is read, since each thread has to hold it: by default 2^27 bytes,
    /// as for `zstd`, and never more than 2^31. Files by `zstd --long=31` need 2^31.
    #[must_use]
    pub fn largest_window(self, bytes: u64) -> Self {
        Reading { largest_window: bytes.clamp(1 << 10, 1 << 31), ..self }
    }
}
