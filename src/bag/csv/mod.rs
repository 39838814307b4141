//! Records with separated fields (RFC 4180), one parser over the bytes of a unit.
//!
//! Line ends in quotes do not end a record, so where the records of a unit begin depends on what comes before it:
//! `quotes` has the states that matter, `survey` finds them for all units, `reader` parses from such a state on,
//! `fields` makes values of fields, `asked` finds out which a type wants that does not say so, and `pieces` puts it all together.

mod asked;
mod fields;
mod pieces;
mod quotes;
mod reader;
mod survey;
#[cfg(test)]
mod tests;

use super::{
    bag::Bag,
    encoding::Encoding,
    error::{Fault, ReadError},
    paths::Paths,
    read::Input,
    reading::{Faults, Reading},
    text::Place,
};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::wire::Value;
use pieces::{Header, Pieces, Shared};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use survey::Survey;

pub(super) use fields::cut;

/// Files that have the same columns.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Table {
    input: Input,
    separator: u8,
    columns: Arc<Vec<String>>,
    /// Lines end with carriage returns alone.
    returns: bool,
}

impl Client {
    /// The records of files with separated fields, under the names of the columns in the first record of each
    /// file, which has to be the same in all of them.
    ///
    /// Fields may be in double quotes, and may then have separators and line ends in them, and quotes, which are
    /// doubled (RFC 4180). A quote in a field that does not begin with one is a character like any other. A line
    /// ends with a line feed, a carriage return, or both. Lines that are empty or blank are passed over, so
    /// that an empty value of a table of one column has to be in quotes; a record with another number of fields than
    /// there are columns is a fault.
    ///
    /// A record becomes a struct or map by the names of the columns, or a tuple by their order. Numbers are the
    /// nearest ones to their text; blanks around them do not count. An empty field is `None` for an [`Option`];
    /// [`Reading::missing`] has words that are as well. What can be read of a field is what [`FromStr`] of its
    /// type can read, integers also as `0x1F`, `bool` also as `True` and `TRUE`, and an enum of units by the name
    /// of the variant.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    /// struct Flight { carrier: String, delay: Option<f64> }
    ///
    /// # fn main() -> serried::Result<()> {
    /// let file = tempfile::NamedTempFile::new().expect("a file");
    /// std::fs::write(file.path(), "carrier,delay\nUA,2.5\n\"A, \"\"B\"\"\nC\",\n").expect("written");
    /// serried::run(|client| {
    ///     let flights = client.read_csv_records::<Flight>(file.path(), b',')?;
    ///     let delays = flights.filter_map(|flight| flight.delay);
    ///     assert_eq!(client.compute((&flights.count(), &delays.sum()))?, (2, 2.5));
    ///     assert_eq!(flights.take(2)?[1].carrier, "A, \"B\"\nC");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// What is computed goes over a file of several units once more before, for the quotes in it: parallel, at the
    /// speed of memory or of the disk, and mostly over 16 KiB of each unit if fields are quoted throughout; but
    /// compressed units are decoded for it. A file of one unit needs none of that.
    ///
    /// # Errors
    /// As for [`read_text`](Self::read_text), for a separator that cannot be one, and for a first file whose header
    /// cannot be read, whatever is done about other faults. A record that cannot be understood fails what is
    /// computed, with its file, line, column and text.
    ///
    /// [`FromStr`]: std::str::FromStr
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
    /// With [`Faults::Skip`] a record that cannot be understood is left out and counted, and so is, as one, a file
    /// whose columns are other ones, and the rest of a file behind a quote that is not closed.
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
        check_separator(separator, reading.encoding)?;
        let input = self.input(&paths.into(), reading)?;
        let table = Table::new(input, separator)?;
        let (units, missing) = (table.input.units(), table.input.missing);
        let pieces = |unit: u64, (table, survey): &Shared| Pieces::<T>::new(unit, table, survey);
        let parts = |units: u64, survey: &crate::client::Delayed<Survey>| {
            let parts = self.try_flat_map_with(pieces, 0..units, (table.clone(), survey));
            parts.batch(1).label("read_csv_records")
        };
        let survey = survey::of(self, &table);
        let none = self.delayed(|(): ()| Survey::default(), ());
        // The first unit can be read without a survey.
        let head =
            table.input.files.first().filter(|file| file.unit_range().end > 1).map(|_| parts(1, &none));
        let positions = vec![survey::positions(self, &table.input, &survey)];
        Ok(Bag { head, missing, positions, ..Bag::of(self, parts(units, &survey)) })
    }
}

fn check_separator(separator: u8, encoding: Encoding) -> Result<()> {
    let problem = match separator {
        b'"' => "a quote cannot separate fields",
        b'\n' | b'\r' => "a line end cannot separate fields",
        0x80.. if encoding != Encoding::Latin1 => {
            "in UTF-8 a separator is an ASCII character; choose `Encoding::Latin1` if the files have another one"
        }
        _ => return Ok(()),
    };
    Err(Error::Usage(format!("separator {:?}: {problem}", char::from(separator))))
}

impl Table {
    fn new(input: Input, separator: u8) -> Result<Self> {
        let Header { columns, returns } = header(&input, separator)?;
        Ok(Table { input, separator, columns: Arc::new(columns), returns })
    }
}

/// The first record of the first file that has one.
fn header(input: &Input, separator: u8) -> Result<Header> {
    for file in &input.files {
        match pieces::header(file, separator, &input.reading) {
            Ok(None) => {}
            Ok(Some(header)) => return Ok(header),
            // Names that cannot be read are no reason to take the first record for them.
            Err(trouble) if matches!(trouble.fault, Fault::Encoding | Fault::Record(_)) => {
                let place = Place { offset: trouble.offset, ..Place::default() };
                return Err(file.locate(trouble.fault, &place, &[]).into());
            }
            Err(trouble) if input.reading.faults == Faults::Skip => {
                log::warn!("no header: {}", ReadError::of_file(file.path(), trouble.fault));
            }
            Err(trouble) => return Err(ReadError::of_file(file.path(), trouble.fault).into()),
        }
    }
    Ok(Header { columns: Vec::new(), returns: false })
}
