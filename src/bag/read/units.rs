//! How files are divided.

use super::{
    super::{
        error::{Fault, ReadError},
        paths::Paths,
        reading::{Faults, Reading},
        text::Place,
    },
    Chunk, Chunks, bzip2,
    members::{self, Parts, bgzip_length},
    plain::Plain,
    streams::{Codec, Streams},
    xz,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
};

/// The files to be read, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(in crate::bag) files: Vec<InputFile>,
    pub(in crate::bag) reading: Reading,
    /// Names that are no files, where faults are counted.
    pub(in crate::bag) missing: u64,
}

/// One file and its units.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InputFile {
    pub(in crate::bag) path: PathBuf,
    size: u64,
    format: Format,
    division: Division,
    /// The number of its first unit among those of all files.
    pub(super) first_unit: u64,
    units: u64,
}

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Format {
    Plain,
    Gzip,
    Bzip2,
    Zstd,
    Xz,
}

/// How a file is divided into units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Division {
    /// At multiples of so many bytes.
    Every(u64),
    /// Where parts begin that can be decoded by themselves.
    At(Parts),
    /// Not at all.
    Whole,
}

/// Bytes of a bzip2 file that make a unit, at most: about 20 blocks, so that one of them more does not matter.
const BZIP2_UNIT: u64 = 4 << 20;
/// How much text compressed text is, about: units are to be about as much work as those of plain files.
const EXPANSION: u64 = 4;

impl Format {
    fn of(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, 8, ..] => Format::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..]
                if rest.starts_with(&[0x31, 0x41, 0x59]) || rest.starts_with(&[0x17, 0x72, 0x45]) =>
            {
                Format::Bzip2
            }
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Format::Xz,
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Format::Zstd,
            _ => Format::Plain,
        }
    }

    fn divide(self, file: &File, size: u64, first: &[u8], reading: &Reading) -> io::Result<Division> {
        let unit = (reading.block_bytes / EXPANSION).max(1);
        let parts = match self {
            Format::Plain => return Ok(Division::Every(reading.block_bytes)),
            Format::Bzip2 => return Ok(Division::Every(reading.block_bytes.min(BZIP2_UNIT))),
            Format::Gzip if bgzip_length(first).is_some() => members::of_bgzip(file, size)?,
            Format::Gzip => Parts::default(),
            Format::Zstd => members::of_zstd(file, size)?,
            Format::Xz => xz::blocks(file, size)?,
        };
        Ok(if parts.cuts.len() < 2 { Division::Whole } else { Division::At(members::joined(parts, unit)) })
    }
}

impl Input {
    /// Looks for the files and looks into each.
    pub(in crate::bag) fn find(paths: &Paths, reading: &Reading) -> Result<Self, ReadError> {
        let mut input = Input { files: Vec::new(), reading: reading.clone(), missing: 0 };
        for path in paths.find() {
            match path.and_then(|path| InputFile::look_at(path, input.units(), reading)) {
                Ok(file) => input.files.push(file),
                Err(error) if reading.faults == Faults::Skip => {
                    log::warn!("left out: {error}");
                    input.missing += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(input)
    }

    /// The number of units of all files.
    pub(in crate::bag) fn units(&self) -> u64 {
        self.files.last().map_or(0, |file| file.first_unit + file.units)
    }

    /// The file of a unit.
    pub(in crate::bag) fn file_of(&self, unit: u64) -> usize {
        self.files.partition_point(|file| file.first_unit + file.units <= unit)
    }
}

impl InputFile {
    fn look_at(path: PathBuf, first_unit: u64, reading: &Reading) -> Result<Self, ReadError> {
        let system = |error| ReadError::system(&path, error);
        let mut file = File::open(&path).map_err(system)?;
        let metadata = file.metadata().map_err(system)?;
        if metadata.is_dir() {
            return Err(system(io::ErrorKind::IsADirectory.into()));
        }
        let mut first = Vec::with_capacity(32);
        (&mut file).take(32).read_to_end(&mut first).map_err(system)?;
        let (size, format) = (metadata.len(), Format::of(&first));
        let division = format.divide(&file, size, &first, reading).map_err(system)?;
        let units = match &division {
            Division::Every(bytes) => size.div_ceil(*bytes),
            Division::At(parts) => parts.cuts.len() as u64,
            Division::Whole => 1,
        };
        Ok(InputFile { path, size, format, division, first_unit, units })
    }

    /// The stretch of the file that is its unit `unit`.
    fn stretch(&self, unit: u64) -> Range<u64> {
        match &self.division {
            Division::Every(bytes) => unit * bytes..self.size.min((unit + 1) * bytes),
            Division::At(parts) => parts.cut(unit).at..parts.cut(unit + 1).at,
            Division::Whole => 0..self.size,
        }
    }

    /// Bytes before a unit, as far as the format tells.
    pub(in crate::bag) fn position(&self, unit: u64) -> u64 {
        match (&self.division, self.format) {
            (Division::At(parts), Format::Xz) => parts.cut(unit).decoded,
            _ => self.stretch(unit).start,
        }
    }

    /// The numbers of its units among those of all files.
    pub(in crate::bag) fn units(&self) -> Range<u64> {
        self.first_unit..self.first_unit + self.units
    }

    /// Whether [`position`](Self::position) is that in the decoded bytes, for all units.
    pub(in crate::bag) fn tells_positions(&self) -> bool {
        self.units < 2 || matches!(self.format, Format::Plain | Format::Xz)
    }

    /// The last bytes of a unit's own stretch, if they can be read without those before them.
    pub(in crate::bag) fn tail(&self, unit: u64, bytes: u64) -> Result<Option<Box<dyn Chunks>>, Fault> {
        let Range { start, end } = self.stretch(unit);
        if self.format != Format::Plain || end - start <= bytes {
            return Ok(None);
        }
        let file = File::open(&self.path).map_err(super::plain::system)?;
        Ok(Some(Box::new(Plain::new(file, end - bytes..end, self.size)?)))
    }

    /// The bytes of a unit.
    pub(in crate::bag) fn chunks(&self, unit: u64) -> Result<Box<dyn Chunks>, Fault> {
        let file = File::open(&self.path).map_err(super::plain::system)?;
        let (stretch, size) = (self.stretch(unit), self.size);
        let codec = match self.format {
            Format::Plain => return Ok(Box::new(Plain::new(file, stretch, size)?)),
            Format::Bzip2 => return Ok(Box::new(bzip2::Blocks::new(file, stretch, size)?)),
            Format::Gzip => Codec::Gzip,
            Format::Zstd => Codec::Zstd,
            Format::Xz => Codec::Xz(self.xz_blocks(&file, unit).map_err(super::plain::system)?),
        };
        let end = match &self.division {
            Division::At(parts) => parts.end.at,
            _ => size,
        };
        Ok(Box::new(Streams::new(file, codec, stretch, end)?))
    }

    fn xz_blocks(&self, file: &File, unit: u64) -> io::Result<xz::Blocks> {
        match &self.division {
            Division::At(parts) => xz::Blocks::of(file, parts, unit),
            _ => Ok(xz::Blocks::whole()),
        }
    }

    /// A fault behind `before`, text of a piece at `place`, with the number of its line. That takes reading all
    /// that comes before it.
    pub(in crate::bag) fn locate(&self, fault: Fault, place: &Place, before: &[u8]) -> ReadError {
        let mut error = ReadError::of_file(&self.path, fault);
        let lines = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count() as u64;
        if let Ok((bytes_before, lines_before)) = self.count_before(place) {
            error.offset = Some(bytes_before + before.len() as u64);
            error.line = Some(1 + lines_before + lines(before));
        }
        error
    }

    /// Bytes and line ends before a place.
    fn count_before(&self, place: &Place) -> Result<(u64, u64), Fault> {
        let (mut bytes, mut lines) = (0, 0);
        let mut buffer = Vec::new();
        for unit in 0..=place.unit {
            let mut chunks = self.chunks(unit)?;
            let mut left = if unit == place.unit { place.offset } else { u64::MAX };
            while left > 0 {
                buffer.clear();
                match chunks.next(left.min(1 << 16) as usize, &mut buffer)? {
                    Chunk::Own => {}
                    // A place may lie in a line that goes on behind the unit.
                    Chunk::Beyond if unit == place.unit => {}
                    Chunk::Beyond | Chunk::End => break,
                }
                buffer.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                left -= buffer.len() as u64;
                bytes += buffer.len() as u64;
                lines += memchr::memchr_iter(b'\n', &buffer).count() as u64;
            }
        }
        Ok((bytes, lines))
    }

    pub(in crate::bag) fn path(&self) -> &Path {
        &self.path
    }
}
