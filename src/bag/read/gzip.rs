//! gzip files: members, one behind the other (RFC 1952), as `gzip` reads them.

use super::{
    source::Stretch,
    streams::{READ, damage, damaged},
};
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

/// The members of a stretch.
///
/// Behind the last one there may be zeros, and what is no member is passed over with a warning.
pub(super) struct Members {
    /// None when all is read.
    member: Option<GzDecoder<Bytes>>,
    /// Whether each member has to have the length that its header tells, as those of `bgzip` do.
    with_lengths: bool,
}

/// The bytes of a member, the first of which have been looked at.
type Bytes = Chain<Cursor<Vec<u8>>, Counted>;

impl Members {
    pub(super) fn new(stretch: Stretch, with_lengths: bool) -> Self {
        let bytes = Counted { bytes: BufReader::with_capacity(READ, stretch), count: 0 };
        let member = Some(GzDecoder::new(Cursor::new(Vec::new()).chain(bytes)));
        Members { member, with_lengths }
    }

    /// Goes on behind the end of a member.
    fn behind(&mut self, member: GzDecoder<Bytes>) -> io::Result<()> {
        let told = member.header().and_then(|header| length_in(header.extra()?));
        let (looked_at, mut bytes) = member.into_inner().into_inner();
        let length = bytes.count + looked_at.get_ref().len() as u64;
        if self.with_lengths && told != Some(length) {
            return Err(damage("gzip", "the length of a block is not the one in its header"));
        }
        bytes.count = 0;
        let mut first = Vec::new();
        bytes.by_ref().take(2).read_to_end(&mut first)?;
        match first[..] {
            [] => {}
            [0, ..] => {
                let only_zeros = first.iter().all(|&byte| byte == 0) && skip_zeros(&mut bytes)?;
                if !only_zeros {
                    warn();
                }
            }
            [0x1f, 0x8b] => {
                bytes.count = 0;
                self.member = Some(GzDecoder::new(Cursor::new(first).chain(bytes)));
            }
            // The other formats that `gzip` knows, and the first half of a mark.
            [0x1f, 0x1e | 0x9d | 0x9e | 0xa0] => {
                return Err(damage("gzip", "data in another format follow"));
            }
            [_] => return Err(damage("gzip", "unexpected end of file")),
            _ => warn(),
        }
        Ok(())
    }
}

fn warn() {
    log::warn!("what follows the gzip data in a file is passed over");
}

/// Whether there are only zeros.
fn skip_zeros(bytes: &mut Counted) -> io::Result<bool> {
    loop {
        let buffer = bytes.fill_buf()?;
        if buffer.iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        let length = buffer.len();
        if length == 0 {
            return Ok(true);
        }
        bytes.consume(length);
    }
}

impl Read for Members {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(out).map_err(damaged("gzip"))?;
            if read > 0 || out.is_empty() {
                return Ok(read);
            }
            if let Some(member) = self.member.take() {
                self.behind(member)?;
            }
        }
        Ok(0)
    }
}

/// The length of a member that the extra field of its header tells, if it is one of `bgzip`.
fn length_in(mut extra: &[u8]) -> Option<u64> {
    while let [first, second, low, high, rest @ ..] = extra {
        let (field, behind) = rest.split_at_checked(usize::from(u16::from_le_bytes([*low, *high])))?;
        if let ([b'B', b'C'], &[low, high]) = ([*first, *second], field) {
            return Some(u64::from(u16::from_le_bytes([low, high])) + 1);
        }
        extra = behind;
    }
    None
}

/// Bytes, and how many of them have been taken.
struct Counted {
    bytes: BufReader<Stretch>,
    count: u64,
}

impl Read for Counted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(out)?;
        self.count += read as u64;
        Ok(read)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.bytes.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.count += count as u64;
        self.bytes.consume(count);
    }
}
