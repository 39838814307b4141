//! How many decoded bytes of a file stand before each of its units.
//!
//! Of most files the format tells it. Of others their units are decoded for it, where something depends on it.

use super::{
    error::ReadError,
    read::{Chunk, Input},
    reading::Faults,
};
use crate::client::{Client, Delayed};

/// For the files of which the format does not tell it: for all units of all files, by their numbers.
pub(super) fn of(client: &Client, input: &Input) -> Option<Delayed<Vec<u64>>> {
    let units = units(input);
    if units.is_empty() {
        return None;
    }
    let length = |unit: u64, (input,): &(Input,)| length(unit, input);
    let lengths = client.try_map_with(length, units, (input.clone(),)).batch(1).label("positions").collect();
    let positions = |(lengths, input): (Vec<u64>, Input)| by_unit(&input, &lengths);
    Some(client.delayed(positions, (lengths, input.clone())))
}

/// The units whose lengths have to be known.
pub(super) fn units(input: &Input) -> Vec<u64> {
    let files = input.files.iter().filter(|file| !file.tells_positions());
    files.flat_map(|file| file.unit_range().take_while(|unit| unit + 1 < file.unit_range().end)).collect()
}

/// Positions out of the lengths of those units.
pub(super) fn by_unit(input: &Input, lengths: &[u64]) -> Vec<u64> {
    let mut lengths = lengths.iter();
    let mut positions = Vec::with_capacity(input.units() as usize);
    for file in &input.files {
        let (first, mut position) = (file.unit_range().start, 0);
        for unit in file.unit_range() {
            if file.tells_positions() {
                position = file.position(unit - first);
            } else if unit > first {
                position += lengths.next().copied().unwrap_or_default();
            }
            positions.push(position);
        }
    }
    positions
}

/// Decoded bytes of a unit's own stretch.
fn length(unit: u64, input: &Input) -> Result<u64, ReadError> {
    let file = &input.files[input.file_of(unit)];
    let (mut length, mut bytes) = (0, Vec::new());
    let mut read = || -> Result<(), super::Fault> {
        let mut chunks = file.chunks(unit - file.unit_range().start)?;
        loop {
            bytes.clear();
            let chunk = chunks.next(input.reading.piece_bytes, &mut bytes)?;
            if chunk != Chunk::Own {
                return Ok(());
            }
            length += bytes.len() as u64;
        }
    };
    match read() {
        // Where faults are passed over, the rest of the unit is not there.
        Err(fault) if input.reading.faults == Faults::Fail => Err(ReadError::of_file(file.path(), fault)),
        _ => Ok(length),
    }
}
