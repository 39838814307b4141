//! Where the parts of compressed files begin that can be decoded by themselves.

use super::source::Source;
use crate::bag::error::Fault;

/// The parts of a file that can be decoded by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Parts {
    /// Where they begin.
    pub(super) cuts: Vec<u64>,
    /// Where the last one ends.
    end: u64,
}

impl Parts {
    /// Where a part begins, or the last one ends.
    pub(super) fn cut(&self, part: u64) -> u64 {
        self.cuts.get(part as usize).copied().unwrap_or(self.end)
    }
}

/// The blocks of a file that `bgzip` has made, or nothing if it is not such a file to its end. Each is a member
/// that tells its own length.
pub(super) fn of_bgzip(file: &Source, size: u64, unit: u64) -> Result<Option<Parts>, Fault> {
    walk(size, unit, |at| {
        let mut header = [0; 18];
        if at + header.len() as u64 > size {
            return Ok(None);
        }
        file.read_exact_at(&mut header, at)?;
        Ok(bgzip_length(&header).map(|length| at + length))
    })
}

/// The length of a member, if these first bytes are those of one of `bgzip`.
pub(super) fn bgzip_length(header: &[u8]) -> Option<u64> {
    let is_member = header.len() >= 18
        && header.starts_with(&[0x1f, 0x8b, 8, 4])
        && header[10..16] == [6, 0, b'B', b'C', 2, 0];
    is_member.then(|| u64::from(u16::from_le_bytes([header[16], header[17]])) + 1)
}

/// The frames of a zstd file, or nothing if their lengths do not add up to it.
pub(super) fn of_zstd(file: &Source, size: u64, unit: u64) -> Result<Option<Parts>, Fault> {
    walk(size, unit, |at| {
        let mut header = [0; 8];
        let known = (header.len() as u64).min(size - at) as usize;
        file.read_exact_at(&mut header[..known], at)?;
        let word = |from: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| header[from + byte]));
        if word(0) & 0xFFFF_FFF0 == 0x184D_2A50 {
            return Ok(Some(at + 8 + u64::from(word(4))));
        }
        if word(0) != ZSTD {
            return Ok(None);
        }
        end_of_frame(file, size, at + 4, header[4])
    })
}

const ZSTD: u32 = 0xFD2F_B528;

/// Where a frame ends (RFC 8878, 3.1.1): its descriptor is at `at`.
fn end_of_frame(file: &Source, size: u64, at: u64, descriptor: u8) -> Result<Option<u64>, Fault> {
    let single = descriptor & 0x20 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content = [u64::from(single), 2, 4, 8][usize::from(descriptor >> 6)];
    let mut at = at + 1 + u64::from(!single) + dictionary + content;
    loop {
        let mut header = [0; 4];
        if at + 3 > size {
            return Ok(None);
        }
        file.read_exact_at(&mut header[..3], at)?;
        let header = u32::from_le_bytes(header);
        let length = match (header >> 1) & 3 {
            1 => 1,
            3 => return Ok(None),
            _ => u64::from(header >> 3),
        };
        at += 3 + length;
        if header & 1 == 1 {
            return Ok(Some(at + if descriptor & 4 != 0 { 4 } else { 0 }));
        }
    }
}

/// Steps from part to part, and puts parts together to units of at least `unit` bytes; nothing, if there is only one
/// part or the last one does not end with the file.
fn walk(
    size: u64,
    unit: u64,
    mut end: impl FnMut(u64) -> Result<Option<u64>, Fault>,
) -> Result<Option<Parts>, Fault> {
    let (mut cuts, mut at, mut count): (Vec<u64>, u64, u64) = (Vec::new(), 0, 0);
    while at < size {
        if cuts.last().is_none_or(|last| at - last >= unit) {
            cuts.push(at);
        }
        count += 1;
        let Some(end) = end(at)? else {
            return Ok(None);
        };
        at = end;
    }
    Ok((at == size && count > 1).then_some(Parts { cuts, end: size }))
}
