//! Records: one on each line, as JSON or with separated fields.

use super::{
    bag::Bag,
    block::LineBlock,
    error::{Fault, ReadError},
    lines::Lines,
    part::Part,
    paths::Paths,
    read::{Input, Pieces},
    reading::{Faults, Reading},
};
use crate::client::Client;
use crate::error::Result;
use crate::wire::Value;
use std::path::Path;

impl Client {
    /// The records of files that have a JSON value on each line. Lines that are empty or blank are passed over.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    /// struct View { page: String, hits: u64 }
    ///
    /// # fn main() -> serried::Result<()> {
    /// let file = tempfile::NamedTempFile::new().expect("a file");
    /// std::fs::write(file.path(), "{\"page\": \"a\", \"hits\": 2}\n{\"hits\": 3, \"page\": \"b\"}\n").expect("written");
    /// serried::run(|client| {
    ///     let views = client.read_json_lines::<View>(file.path())?;
    ///     assert_eq!(views.map(|view| view.hits as f64).sum().compute()?, 5.0);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`read_text`](Self::read_text). A record that cannot be understood fails what is computed, with
    /// its file and line.
    #[track_caller]
    pub fn read_json_lines<T: Value + Clone>(&self, paths: impl Into<Paths>) -> Result<Bag<T>> {
        self.read_json_lines_as(paths, &Reading::new())
    }

    /// As [`read_json_lines`](Self::read_json_lines), with settings.
    ///
    /// # Errors
    /// As for [`read_json_lines`](Self::read_json_lines), unless faults are to be skipped.
    #[track_caller]
    pub fn read_json_lines_as<T: Value + Clone>(
        &self,
        paths: impl Into<Paths>,
        reading: &Reading,
    ) -> Result<Bag<T>> {
        let lines = self.read_text_as(paths, reading)?;
        let parse = |block: LineBlock, (input,): &(Input,)| {
            records(&block, input, |line| match line.trim_ascii() {
                "" => Ok(None),
                line => serde_json::from_str(line).map(Some).map_err(|error| error.to_string()),
            })
        };
        Ok(bag_of(&lines, parse, (lines.input.clone(),)))
    }

    /// The records of files with separated fields, one record on each line, under the names of the columns in
    /// the first line of each file.
    ///
    /// Fields may be in double quotes, but a line end in quotes is a fault: it would hide where records begin.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    /// struct Flight { carrier: String, delay: Option<f64> }
    ///
    /// # fn main() -> serried::Result<()> {
    /// let file = tempfile::NamedTempFile::new().expect("a file");
    /// std::fs::write(file.path(), "carrier,delay\nUA,2.5\n\"A, B\",\n").expect("written");
    /// serried::run(|client| {
    ///     let flights = client.read_csv_records::<Flight>(file.path(), b',')?;
    ///     let delays = flights.filter_map(|flight| flight.delay);
    ///     assert_eq!(client.compute((&flights.count(), &delays.sum()))?, (2, 2.5));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`read_json_lines`](Self::read_json_lines).
    #[track_caller]
    pub fn read_csv_records<T: Value + Clone>(
        &self,
        paths: impl Into<Paths>,
        separator: u8,
    ) -> Result<Bag<T>> {
        self.read_csv_records_as(paths, separator, &Reading::new())
    }

    /// As [`read_csv_records`](Self::read_csv_records), with settings.
    ///
    /// # Errors
    /// As for [`read_csv_records`](Self::read_csv_records), unless faults are to be skipped.
    #[track_caller]
    pub fn read_csv_records_as<T: Value + Clone>(
        &self,
        paths: impl Into<Paths>,
        separator: u8,
        reading: &Reading,
    ) -> Result<Bag<T>> {
        let lines = self.read_text_as(paths, reading)?;
        let header = first_line(&lines.input)?;
        let parse = |block: LineBlock, (input, header, separator): &(Input, String, u8)| {
            let mut is_header = block.place().is_first();
            let columns = fields(header, *separator)
                .map_err(|problem| ReadError::of_file(Path::new("header"), Fault::Record(problem)))?;
            records(&block, input, |line| {
                if std::mem::replace(&mut is_header, false) {
                    let same = line == header;
                    return if same { Ok(None) } else { Err(format!("the header is not `{header}`")) };
                }
                if line.is_empty() {
                    return Ok(None);
                }
                let record = fields(line, *separator)?;
                if record.len() != columns.len() {
                    return Err(format!("{} fields instead of {}", record.len(), columns.len()));
                }
                record.deserialize(Some(&columns)).map(Some).map_err(|error| error.to_string())
            })
        };
        Ok(bag_of(&lines, parse, (lines.input.clone(), header, separator)))
    }
}

/// The bag of what is made of each piece of lines.
fn bag_of<T, A>(
    lines: &Lines,
    parse: fn(LineBlock, &A::Values) -> std::result::Result<Part<T>, ReadError>,
    shared: A,
) -> Bag<T>
where
    T: Value + Clone,
    A: crate::task::Args<Values: Send + Sync + 'static>,
{
    let parts = lines.client.try_map_with(parse, &lines.blocks, shared).label("parse");
    Bag {
        client: lines.client.clone(),
        parts: vec![parts],
        missing: lines.input.missing,
        skipped_before: None,
    }
}

/// The records on the lines of a piece.
fn records<T>(
    block: &LineBlock,
    input: &Input,
    mut parse: impl FnMut(&str) -> std::result::Result<Option<T>, String>,
) -> std::result::Result<Part<T>, ReadError> {
    let (mut values, mut skipped) = (Vec::new(), block.skipped);
    let mut failed = None;
    block.visit(|line| match parse(line) {
        Ok(value) => {
            values.extend(value);
            true
        }
        Err(_) if input.reading.faults == Faults::Skip => {
            skipped += 1;
            true
        }
        Err(problem) => {
            failed = Some((block.offset_of(line), Fault::Record(problem)));
            false
        }
    });
    match failed {
        None => Ok(Part::new(values, block.place().clone(), skipped)),
        Some((offset, fault)) => {
            let file = &input.files[block.place().file as usize];
            Err(file.locate(fault, block.place(), block.before(offset)))
        }
    }
}

/// The fields of a line.
fn fields(line: &str, separator: u8) -> std::result::Result<csv::StringRecord, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(separator)
        .buffer_capacity(line.len().max(16))
        .from_reader(line.as_bytes());
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(_) if line.bytes().filter(|&byte| byte == b'"').count() % 2 == 1 => {
            Err("a quote is not closed on its line".into())
        }
        Ok(_) => Ok(record),
        Err(error) => Err(error.to_string()),
    }
}

/// The first line of the first file that has one.
fn first_line(input: &Input) -> Result<String> {
    for unit in 0..input.units() {
        for block in Pieces::new(unit, input) {
            let mut first = None;
            block?.visit(|line| {
                first = Some(line.to_owned());
                false
            });
            if let Some(first) = first {
                return Ok(first);
            }
        }
    }
    Ok(String::new())
}
