//! The input files, and how each is divided.

use super::{
    super::{
        error::{Fault, ReadError},
        paths::Paths,
        reading::{Faults, Reading},
    },
    Chunks, bzip2, gzip,
    members::{self, Parts, bgzip_length},
    plain::Plain,
    source::{self, Origin, Source},
    streams::{Decoded, Streams},
    xz, zstd,
};
use serde::{Deserialize, Serialize};
use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The files to be read, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(in crate::bag) files: Vec<Arc<InputFile>>,
    pub(in crate::bag) reading: Reading,
    /// Names that are no files, where faults are counted.
    pub(in crate::bag) missing: u64,
}

/// One file and its units.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InputFile {
    pub(in crate::bag) path: PathBuf,
    origin: Origin,
    size: u64,
    format: Format,
    division: Division,
    largest_window: u64,
    /// The number of its first unit among those of all files.
    pub(super) first_unit: u64,
}

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Format {
    Plain,
    Gzip,
    Bzip2,
    Zstd,
    Xz,
}

/// How a file is divided into units.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Division {
    /// At multiples of so many bytes.
    Every(u64),
    /// Where members or frames begin.
    At(Parts),
    /// Where blocks begin.
    Bzip2(bzip2::Units),
    Xz(xz::Units),
    /// Not at all.
    Whole,
}

/// Searches files for bzip2 blocks.
pub(in crate::bag) type Search<'s, E> = &'s dyn Fn(Vec<bzip2::Scan>) -> Result<Vec<Vec<bzip2::Found>>, E>;

/// Bytes of a bzip2 file that make a unit, at most: about 20 blocks, so that one of them more does not matter.
const BZIP2_UNIT: u64 = 4 << 20;
/// How much text compressed text is, about: units are to be about as much work as those of plain files.
const EXPANSION: u64 = 4;

impl Format {
    fn of(first: &[u8]) -> Self {
        // A file that is cut off in these bytes is a damaged one.
        let begins = |mark: &[u8]| first.len() > 1 && (first.starts_with(mark) || mark.starts_with(first));
        match first {
            [0x1f, 0x8b, ..] => Format::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', mark @ ..] if is_bzip2(mark) => Format::Bzip2,
            _ if begins(&[0xFD, b'7', b'z', b'X', b'Z', 0]) => Format::Xz,
            _ if begins(&[0x28, 0xB5, 0x2F, 0xFD]) => Format::Zstd,
            [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Format::Zstd,
            _ => Format::Plain,
        }
    }

    /// So many bytes of a file are read again to count lines: about a second's work.
    pub(super) fn bytes_to_count(self) -> u64 {
        match self {
            Format::Plain => 1 << 30,
            _ => 32 << 20,
        }
    }
}

/// The name of a format that is not read, and how its mark begins. Marks that could begin a text are left out.
const OTHERS: [(&str, &[u8]); 8] = [
    ("lzma", &[0x5D, 0, 0]),
    ("lzip", b"LZIP\x01"),
    ("lzop", b"\x89LZO\0"),
    ("lz4", &[0x04, 0x22, 0x4D, 0x18]),
    ("compress (.Z)", &[0x1F, 0x9D]),
    ("zip", b"PK\x03\x04"),
    ("7z", b"7z\xBC\xAF\x27\x1C"),
    ("snappy", b"\xFF\x06\0\0sNaPpY"),
];

/// Refuses what is compressed in a format that is not read, and would be lines of nonsense.
fn refuse_others(first: &[u8]) -> Result<(), Fault> {
    match OTHERS.iter().find(|(_, mark)| first.starts_with(mark)) {
        Some(&(format, _)) => Err(Fault::Format(format)),
        None => Ok(()),
    }
}

/// Whether bytes behind `BZh9` are the mark of a block or of an end, perhaps a damaged one: text is neither.
fn is_bzip2(mark: &[u8]) -> bool {
    let alike = |other: [u8; 6]| mark.iter().zip(other).filter(|(byte, other)| *byte == other).count();
    let most = alike([0x31, 0x41, 0x59, 0x26, 0x53, 0x59]).max(alike([0x17, 0x72, 0x45, 0x38, 0x50, 0x90]));
    most >= 3 || (most > 0 && most == mark.len())
}

impl Input {
    /// Looks for the files and looks into each. What can be read only once or here is read; it is kept in the
    /// folder `scratch`, or the one for temporary files.
    pub(in crate::bag) fn find<E: From<ReadError>>(
        paths: &Paths,
        reading: &Reading,
        scratch: Option<&Path>,
        search: Search<'_, E>,
    ) -> Result<Self, E> {
        let mut input = Input { files: Vec::new(), reading: reading.clone(), missing: 0 };
        let mut files = Vec::new();
        for path in paths.find() {
            match path.and_then(|path| InputFile::look_at(path, reading, scratch)) {
                Ok(file) => files.push(file),
                Err(error) if reading.faults == Faults::Skip => {
                    log::warn!("left out: {error}");
                    input.missing += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        let unit = reading.block_bytes.min(BZIP2_UNIT);
        let scans = |file: &InputFile| match file.format {
            Format::Bzip2 if file.size > unit => bzip2::Scan::all(&file.origin, file.size),
            _ => Vec::new(),
        };
        let all: Vec<bzip2::Scan> = files.iter().flat_map(scans).collect();
        let mut found = if all.is_empty() { Vec::new() } else { search(all)? }.into_iter();
        for mut file in files {
            let found: Vec<bzip2::Found> = found.by_ref().take(scans(&file).len()).flatten().collect();
            if file.format == Format::Bzip2 && file.size > unit {
                file.division = Division::Bzip2(bzip2::Units::of(file.size, &found, unit));
            }
            file.first_unit = input.units();
            input.files.push(Arc::new(file));
        }
        Ok(input)
    }

    /// The number of units of all files.
    pub(in crate::bag) fn units(&self) -> u64 {
        self.files.last().map_or(0, |file| file.first_unit + file.units())
    }

    /// The file of a unit.
    pub(in crate::bag) fn file_of(&self, unit: u64) -> usize {
        self.files.partition_point(|file| file.first_unit + file.units() <= unit)
    }
}

impl InputFile {
    fn look_at(path: PathBuf, reading: &Reading, scratch: Option<&Path>) -> Result<Self, ReadError> {
        let found = source::find(&path, scratch).map_err(|error| ReadError::system(&path, error))?;
        let (source, size) = (&found.source, found.size);
        let mut first = vec![0; size.min(32) as usize];
        let looked_at = source.read_exact_at(&mut first, 0).and_then(|()| {
            refuse_others(&first)?;
            let format = Format::of(&first);
            Ok((format, divide(format, source, size, &first, reading)?))
        });
        let (format, division) = looked_at.map_err(|fault| ReadError::of_file(&path, fault))?;
        Ok(InputFile {
            path,
            origin: found.origin,
            size,
            format,
            division,
            largest_window: reading.largest_window,
            first_unit: 0,
        })
    }

    /// The number of units.
    pub(super) fn units(&self) -> u64 {
        match &self.division {
            Division::Every(bytes) => self.size.div_ceil(*bytes),
            Division::At(parts) => parts.cuts.len() as u64,
            Division::Bzip2(units) => units.count(),
            Division::Xz(units) => units.count(),
            Division::Whole => 1,
        }
    }

    /// The stretch of the file that is its unit `unit`.
    pub(super) fn stretch(&self, unit: u64) -> Range<u64> {
        match &self.division {
            Division::Every(bytes) => unit * bytes..self.size.min((unit + 1).saturating_mul(*bytes)),
            Division::At(parts) => parts.cut(unit)..parts.cut(unit + 1),
            Division::Bzip2(units) => units.stretch(unit),
            Division::Xz(units) => units.stretch(unit),
            Division::Whole => 0..self.size,
        }
    }

    /// Decoded bytes before a unit, if they are known.
    pub(super) fn bytes_before(&self, unit: u64) -> Option<u64> {
        match &self.division {
            Division::Xz(units) => Some(units.decoded_before(unit)),
            Division::Every(_) => Some(self.stretch(unit).start),
            _ => (unit == 0).then_some(0),
        }
    }

    /// Bytes before a unit, as far as the format tells.
    pub(in crate::bag) fn position(&self, unit: u64) -> u64 {
        self.bytes_before(unit).unwrap_or_else(|| self.stretch(unit).start)
    }

    /// The numbers of its units among those of all files.
    pub(in crate::bag) fn unit_range(&self) -> Range<u64> {
        self.first_unit..self.first_unit + self.units()
    }

    /// Whether [`position`](Self::position) is that in the decoded bytes, for all units.
    pub(in crate::bag) fn tells_positions(&self) -> bool {
        (0..self.units().min(2)).all(|unit| self.bytes_before(unit).is_some())
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// The last bytes of a unit's own stretch, if they can be read without those before them.
    pub(in crate::bag) fn tail(&self, unit: u64, bytes: u64) -> Result<Option<Box<dyn Chunks>>, Fault> {
        let Range { start, end } = self.stretch(unit);
        if self.format != Format::Plain || end - start <= bytes {
            return Ok(None);
        }
        Ok(Some(Box::new(Plain::new(self.origin.open()?, end - bytes..end, self.size)?)))
    }

    /// The bytes of a unit, and of those behind it.
    pub(in crate::bag) fn chunks(self: &Arc<Self>, unit: u64) -> Result<Box<dyn Chunks>, Fault> {
        let source = self.origin.open()?;
        let stretch = self.stretch(unit);
        if self.format == Format::Plain {
            return Ok(Box::new(Plain::new(source, stretch, self.size)?));
        }
        source.will_need(&stretch);
        Ok(Box::new(Streams::new(Arc::clone(self), source, unit)?))
    }

    /// The decoded bytes of a unit of a compressed file.
    pub(super) fn decoded(&self, source: &Source, unit: u64) -> Result<Decoded, Fault> {
        match (&self.division, self.format) {
            (Division::Bzip2(units), _) => return units.decoded(source.again()?, unit, self.size),
            (Division::Xz(units), _) => return units.decoded(source, unit),
            _ => {}
        }
        let stretch = source.stretch(self.stretch(unit))?;
        match self.format {
            Format::Gzip => {
                let with_lengths = matches!(self.division, Division::At(_));
                Ok(Box::new(gzip::Members::new(stretch, with_lengths)))
            }
            Format::Zstd => zstd::Frames::decoded(stretch, self.largest_window),
            Format::Xz => xz::streams(stretch),
            Format::Plain | Format::Bzip2 => Ok(Box::new(stretch)),
        }
    }

    pub(in crate::bag) fn path(&self) -> &Path {
        &self.path
    }
}

fn divide(
    format: Format,
    source: &Source,
    size: u64,
    first: &[u8],
    reading: &Reading,
) -> Result<Division, Fault> {
    let unit = (reading.block_bytes / EXPANSION).max(1);
    let parts = match format {
        Format::Plain => return Ok(Division::Every(reading.block_bytes)),
        // A large one is divided when it has been searched.
        Format::Bzip2 => return Ok(Division::Bzip2(bzip2::Units::whole(size))),
        Format::Gzip if bgzip_length(first).is_some() => members::of_bgzip(source, size, unit)?,
        Format::Gzip => None,
        Format::Zstd => members::of_zstd(source, size, unit)?,
        Format::Xz => return Ok(xz::Units::of(source, size, unit)?.map_or(Division::Whole, Division::Xz)),
    };
    Ok(parts.map_or(Division::Whole, Division::At))
}
