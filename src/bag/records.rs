//! Records as JSON, one on each line.

use super::{
    bag::Bag,
    block::LineBlock,
    error::{Fault, ReadError},
    json,
    lines::Lines,
    names::Names,
    part::Part,
    paths::Paths,
    positions,
    read::Input,
    reading::{Faults, Reading},
    text::Place,
};
use crate::client::Client;
use crate::error::Result;
use crate::wire::Value;

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
        let parse = |block: LineBlock, (input,): &(Input,)| records(&block, input);
        Ok(bag_of(&lines, parse, (lines.input.clone(),)))
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
        missing: lines.input.missing,
        positions: vec![positions::of(&lines.client, &lines.input)],
        ..Bag::of(&lines.client, parts)
    }
}

/// The records on the lines of a piece.
fn records<T: Value>(block: &LineBlock, input: &Input) -> std::result::Result<Part<T>, ReadError> {
    let (mut values, mut offsets, mut skipped) = (Vec::new(), Vec::new(), block.skipped);
    let mut failed = None;
    block.visit_items(|line| {
        let text = line.text.trim_ascii();
        if text.is_empty() {
            return true;
        }
        let offset = block.offset(&line);
        match json::read(text) {
            Ok(value) => {
                values.push(value);
                offsets.push(offset);
                true
            }
            Err(_) if input.reading.faults == Faults::Skip => {
                skipped += 1;
                true
            }
            Err(problem) => {
                failed = Some((offset, Fault::Record(problem)));
                false
            }
        }
    });
    match failed {
        None => Ok(Part::new(values, Names::Offsets(offsets), block.place().clone(), skipped)),
        Some((offset, fault)) => {
            let file = &input.files[block.place().file as usize];
            Err(file.locate(fault, &Place { offset, ..block.place().clone() }, &[]))
        }
    }
}
