//! In which state each unit of a file begins.
//!
//! A file of one unit needs nothing. Of others all units but the last are gone over for their quotes before
//! records are read: in parallel, at the speed of memory, and of a plain unit the last kilobytes only, if these
//! make it certain. A compressed unit has to be decoded for it.

use super::{
    Table, pieces,
    quotes::{Passage, State},
};
use crate::bag::{
    error::{Fault, ReadError},
    positions,
    read::{Chunk, Input},
    reading::Faults,
};
use crate::client::{Client, Delayed};
use serde::{Deserialize, Serialize};

/// Bytes at the end of a unit that mostly make it certain what follows, if there are quoted fields at all.
const TAIL: u64 = 16 << 10;
/// Bytes that are looked at at a time.
const STEP: usize = 256 << 10;

/// What has been found out about the units.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Survey {
    /// For each unit the state in which it begins; empty if no file has several.
    begins: Vec<State>,
    /// Files that are left out, since their columns have other names.
    left_out: Vec<u32>,
    /// Decoded bytes of a file before each unit, if formats do not tell.
    positions: Vec<u64>,
}

/// What has been found out about one unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Surveyed {
    passage: Passage,
    /// Its decoded bytes, as far as they were looked at.
    length: u64,
    /// Whether the file has the columns of the first one.
    fits: bool,
}

impl Survey {
    pub(super) fn begin(&self, unit: u64) -> State {
        self.begins.get(unit as usize).copied().unwrap_or(State::FileStart)
    }

    pub(super) fn leaves_out(&self, file: usize) -> bool {
        self.left_out.contains(&(file as u32))
    }

    fn new(input: &Input, surveyed: &[Surveyed]) -> Survey {
        let mut survey = Survey::default();
        if surveyed.is_empty() {
            return survey;
        }
        let mut next = surveyed.iter();
        let mut lengths = Vec::new();
        for (number, file) in input.files.iter().enumerate() {
            let mut state = State::FileStart;
            for unit in file.unit_range() {
                survey.begins.push(state);
                if unit + 1 == file.unit_range().end {
                    break;
                }
                let Some(found) = next.next() else { break };
                state = found.passage.of(state);
                if !found.fits {
                    survey.left_out.push(number as u32);
                }
                if !file.tells_positions() {
                    lengths.push(found.length);
                }
            }
        }
        if !lengths.is_empty() {
            survey.positions = positions::by_unit(input, &lengths);
        }
        survey
    }
}

/// The units that are followed by others of their file.
fn followed(input: &Input) -> Vec<u64> {
    input
        .files
        .iter()
        .flat_map(|file| file.unit_range().take_while(|unit| unit + 1 < file.unit_range().end))
        .collect()
}

/// The survey by one thread.
#[cfg(test)]
pub(super) fn serial(table: &Table) -> Result<Survey, ReadError> {
    let surveyed: Result<Vec<Surveyed>, ReadError> =
        followed(&table.input).into_iter().map(|unit| look(unit, table)).collect();
    Ok(Survey::new(&table.input, &surveyed?))
}

/// The survey of all files, as lazy as what depends on it.
pub(super) fn of(client: &Client, table: &Table) -> Delayed<Survey> {
    let units = followed(&table.input);
    if units.is_empty() {
        return client.delayed(|(): ()| Survey::default(), ());
    }
    let look = |unit: u64, (table,): &(Table,)| look(unit, table);
    let surveyed = client.try_map_with(look, units, (table.clone(),)).batch(1).label("survey").collect();
    let survey = |(surveyed, table): (Vec<Surveyed>, Table)| Survey::new(&table.input, &surveyed);
    client.delayed(survey, (surveyed, table.clone()))
}

/// Where units begin, if formats do not tell.
pub(super) fn positions(
    client: &Client,
    input: &Input,
    survey: &Delayed<Survey>,
) -> Option<Delayed<Vec<u64>>> {
    if positions::units(input).is_empty() {
        return None;
    }
    Some(client.delayed(|(survey,): (Survey,)| survey.positions, (survey.clone(),)))
}

fn look(unit: u64, table: &Table) -> Result<Surveyed, ReadError> {
    let Table { input, .. } = table;
    let file = &input.files[input.file_of(unit)];
    let first = unit == file.unit_range().start;
    let fits = !first || input.reading.faults == Faults::Fail || pieces::has_columns_of(file, table);
    let mut length = 0;
    let passage = match passage(unit, table, &mut length) {
        Ok(passage) => passage,
        Err(fault) if input.reading.faults == Faults::Fail => {
            return Err(ReadError::of_file(file.path(), fault));
        }
        // The records before the fault are counted when they are read.
        Err(_) => Passage::unknown(),
    };
    Ok(Surveyed { passage, length, fits })
}

fn passage(unit: u64, table: &Table, length: &mut u64) -> Result<Passage, Fault> {
    let file = &table.input.files[table.input.file_of(unit)];
    let unit = unit - file.unit_range().start;
    let (mut passage, mut bytes) = (Passage::new(), Vec::new());
    if let Some(mut tail) = file.tail(unit, TAIL)? {
        while tail.next(TAIL as usize, &mut bytes)? == Chunk::Own {
            passage.extend(&bytes, table.separator);
            bytes.clear();
        }
        if passage.is_certain() {
            return Ok(passage);
        }
        passage = Passage::new();
    }
    let mut chunks = file.chunks(unit)?;
    loop {
        bytes.clear();
        if chunks.next(STEP, &mut bytes)? != Chunk::Own {
            return Ok(passage);
        }
        passage.extend(&bytes, table.separator);
        *length += bytes.len() as u64;
    }
}
