//! Records of a unit as values, piece by piece.

use super::{
    Table,
    asked::Asking,
    fields::{Record, cut},
    quotes::State,
    reader::{RawRecord, Reader, Trouble},
    survey::Survey,
};
use crate::bag::{
    encoding::{self, Encoding},
    error::{Fault, ReadError},
    names::Names,
    part::Part,
    read::InputFile,
    reading::{Faults, Reading},
    text::Place,
};
use crate::wire::{self, Value};
use std::{marker::PhantomData, sync::Arc};

/// Bytes of records in a piece: as values they take several times as much, and are to stay in the cache.
const PIECE: u64 = 64 << 10;

/// The values that the records of a unit are, in pieces.
pub(super) struct Pieces<T> {
    reader: Option<Reader>,
    /// What was wrong with the beginning of the unit.
    trouble: Option<Trouble>,
    /// The next record is the header.
    header: bool,
    table: Table,
    file: Arc<InputFile>,
    place: Place,
    scratch: Scratch,
    /// What has been found out about a type that does not say what it reads.
    asking: Option<Asking>,
    values: PhantomData<fn() -> T>,
}

/// Text that was made of other bytes.
#[derive(Debug, Default)]
struct Scratch {
    text: String,
    ends: Vec<usize>,
}

impl<T: Value> Pieces<T> {
    pub(super) fn new(unit: u64, table: &Table, survey: &Survey) -> Self {
        let number = table.input.file_of(unit);
        let file = Arc::clone(&table.input.files[number]);
        let of_file = unit - file.unit_range().start;
        let place = Place {
            file: number as u32,
            unit: of_file,
            number: unit,
            position: file.position(of_file),
            ..Place::default()
        };
        let mut pieces = Pieces {
            reader: None,
            trouble: None,
            header: false,
            table: table.clone(),
            file,
            place,
            scratch: Scratch::default(),
            asking: wire::looks::<T>().then(Asking::default),
            values: PhantomData,
        };
        if !survey.leaves_out(number) {
            match open(&pieces.file, of_file, survey.begin(unit), table) {
                Ok((reader, header)) => (pieces.reader, pieces.header) = (Some(reader), header),
                Err(trouble) => pieces.trouble = Some(trouble),
            }
        } else if of_file == 0 {
            // A file that is left out counts once.
            let fault = Fault::Record(other_columns(&table.columns));
            pieces.trouble = Some(Trouble { offset: 0, fault });
        }
        pieces
    }

    fn error(&self, offset: u64, fault: Fault) -> ReadError {
        let mut error = self.file.locate(fault, &Place { offset, ..self.place.clone() }, &[]);
        if self.table.returns {
            // Lines are counted by their line feeds.
            error.line = None;
        }
        error
    }

    /// Passes over a fault, or reports it.
    fn fault(&self, offset: u64, fault: Fault) -> Result<(), ReadError> {
        if self.table.input.reading.faults == Faults::Fail {
            return Err(self.error(offset, fault));
        }
        log::warn!("left out: {}", ReadError::of_file(self.file.path(), fault));
        Ok(())
    }
}

/// The records of a unit, and whether the first of them is the header.
fn open(file: &Arc<InputFile>, unit: u64, begin: State, table: &Table) -> Result<(Reader, bool), Trouble> {
    let chunks = file.chunks(unit).map_err(|fault| Trouble { offset: 0, fault })?;
    let mut reader = Reader::new(chunks, table.separator, table.input.reading.longest_line);
    let header = reader.begin(begin, table.separator)?;
    Ok((reader, header))
}

/// The first record of a file.
pub(super) struct Header {
    pub(super) columns: Vec<String>,
    /// It ends with a carriage return alone, as lines do then.
    pub(super) returns: bool,
}

/// The names of the columns of a file, if it has a record, or what is wrong with them.
pub(super) fn header(
    file: &Arc<InputFile>,
    separator: u8,
    reading: &Reading,
) -> Result<Option<Header>, Trouble> {
    let chunks = file.chunks(0).map_err(|fault| Trouble { offset: 0, fault })?;
    // What lies behind the first unit follows it, however far.
    let mut reader = Reader::whole(chunks, separator, reading.longest_line)?;
    let mut scratch = Scratch::default();
    let Some(raw) = reader.next()? else {
        return Ok(None);
    };
    let fault = |fault| Trouble { offset: raw.offset, fault };
    let (text, ends) = scratch.text_of(raw, reading.encoding).map_err(fault)?;
    let record = Record { text, ends, columns: &[], missing: &[] };
    let columns = (0..ends.len()).filter_map(|column| record.field(column)).map(str::to_owned).collect();
    Ok(Some(Header { columns, returns: reader.ended_with_return() }))
}

/// Whether a file that can be read has the columns of the table; an empty one does.
pub(super) fn has_columns_of(file: &Arc<InputFile>, table: &Table) -> bool {
    match header(file, table.separator, &table.input.reading) {
        Ok(header) => header.is_none_or(|header| header.columns == *table.columns),
        // Whatever is wrong will be found again where its records are read.
        Err(trouble) => !matches!(trouble.fault, Fault::Encoding | Fault::Record(_)),
    }
}

fn other_columns(columns: &[String]) -> String {
    format!("the file has other columns than the first one, which has `{}`", cut(&columns.join("`, `")))
}

impl Scratch {
    /// The fields of a record as text in an encoding.
    fn text_of<'a>(
        &'a mut self,
        raw: RawRecord<'a>,
        encoding: Encoding,
    ) -> Result<(&'a str, &'a [usize]), Fault> {
        let RawRecord { fields, ends, .. } = raw;
        if let Ok(text) = std::str::from_utf8(fields)
            && (text.is_ascii()
                || encoding != Encoding::Latin1 && ends.iter().all(|end| text.is_char_boundary(*end)))
        {
            return Ok((text, ends));
        }
        if encoding == Encoding::Utf8 {
            return Err(Fault::Encoding);
        }
        self.text.clear();
        self.ends.clear();
        let mut start = 0;
        for &end in ends {
            encoding::push(&mut self.text, &fields[start..end], encoding);
            self.ends.push(self.text.len());
            start = end;
        }
        Ok((&self.text, &self.ends))
    }
}

/// Appends the value of a record, if it is one that counts.
fn read<T: Value>(
    raw: RawRecord,
    is_header: bool,
    table: &Table,
    scratch: &mut Scratch,
    asking: &mut Option<Asking>,
    values: &mut Vec<T>,
) -> Result<(), Fault> {
    let (text, ends) = scratch.text_of(raw, table.input.reading.encoding)?;
    let columns: &[String] = &table.columns;
    let record = Record { text, ends, columns, missing: &table.input.reading.missing };
    if is_header {
        let same = ends.len() == columns.len()
            && columns.iter().enumerate().all(|(column, name)| record.field(column) == Some(name));
        return if same { Ok(()) } else { Err(Fault::Record(other_columns(columns))) };
    }
    if ends.len() != columns.len() {
        let problem = format!("{} fields instead of {}: `{}`", ends.len(), columns.len(), cut(text));
        return Err(Fault::Record(problem));
    }
    let value = match asking {
        None => record.read(),
        Some(asking) => asking.read(record),
    };
    values.push(value.map_err(Fault::Record)?);
    Ok(())
}

impl<T: Value> Iterator for Pieces<T> {
    type Item = Result<Part<T>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.place.clone();
        if let Some(Trouble { offset, fault }) = self.trouble.take() {
            let none = Part::new(Vec::new(), Names::From(0), place, 1);
            return Some(self.fault(offset, fault).map(|()| none));
        }
        let mut reader = self.reader.take()?;
        let (mut values, mut offsets, mut skipped) = (Vec::new(), Vec::new(), 0);
        let mut begin = None;
        let piece = PIECE.min(self.table.input.reading.piece_bytes as u64);
        let more = loop {
            let raw = match reader.next() {
                Ok(Some(raw)) => raw,
                Ok(None) => break false,
                Err(Trouble { offset, fault }) => {
                    if let Err(error) = self.fault(offset, fault) {
                        return Some(Err(error));
                    }
                    skipped += 1;
                    break false;
                }
            };
            let offset = raw.offset;
            let is_header = std::mem::replace(&mut self.header, false);
            match read(raw, is_header, &self.table, &mut self.scratch, &mut self.asking, &mut values) {
                // As many names as values.
                Ok(()) => offsets.resize(values.len(), offset),
                Err(fault) => {
                    if let Err(error) = self.fault(offset, fault) {
                        return Some(Err(error));
                    }
                    skipped += 1;
                    if is_header {
                        // Its records would be under wrong names.
                        break false;
                    }
                }
            }
            if offset - *begin.get_or_insert(offset) >= piece {
                break true;
            }
        };
        if more {
            self.reader = Some(reader);
        }
        self.place.piece += 1;
        Some(Ok(Part::new(values, Names::Offsets(offsets), place, skipped)))
    }
}

/// What is common to the units of all files.
pub(super) type Shared = (Table, Arc<Survey>);
