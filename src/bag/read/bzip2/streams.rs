//! Whole streams, one behind the other, as `bzip2` reads them.

use super::super::{
    source::Stretch,
    streams::{Decoded, READ, damage, damaged},
};
use bzip2::bufread::BzDecoder;
use std::io::{self, BufReader, Chain, Cursor, Read};

/// The streams of a stretch. What follows them and is no stream is passed over with a warning.
struct Streams {
    /// None when all is read.
    stream: Option<BzDecoder<Bytes>>,
}

/// The bytes of a stream, the first of which have been looked at.
type Bytes = Chain<Cursor<Vec<u8>>, BufReader<Stretch>>;

pub(super) fn decoded(stretch: Stretch) -> Decoded {
    let bytes = Cursor::new(Vec::new()).chain(BufReader::with_capacity(READ, stretch));
    Box::new(Streams { stream: Some(BzDecoder::new(bytes)) })
}

/// As [`decoded`], for a stretch before which a stream ends.
pub(super) fn decoded_behind(stretch: Stretch) -> io::Result<Decoded> {
    let stream = next(BufReader::with_capacity(READ, stretch))?;
    Ok(Box::new(Streams { stream }))
}

/// The stream that begins here, if one does.
fn next(mut bytes: BufReader<Stretch>) -> io::Result<Option<BzDecoder<Bytes>>> {
    let mut header = Vec::new();
    bytes.by_ref().take(4).read_to_end(&mut header)?;
    let fits = |(place, byte): (usize, &u8)| match place {
        3 => (b'1'..=b'9').contains(byte),
        _ => b"BZh"[place] == *byte,
    };
    if !header.iter().enumerate().all(fits) {
        log::warn!("what follows the bzip2 data in a file is passed over");
        return Ok(None);
    }
    match header.len() {
        0 => Ok(None),
        4 => Ok(Some(BzDecoder::new(Cursor::new(header).chain(bytes)))),
        _ => Err(damage("bzip2", "unexpected end of file")),
    }
}

impl Read for Streams {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(stream) = &mut self.stream {
            let read = stream.read(out).map_err(damaged("bzip2"))?;
            if read > 0 || out.is_empty() {
                return Ok(read);
            }
            if let Some(stream) = self.stream.take() {
                let (_, bytes) = stream.into_inner().into_inner();
                self.stream = next(bytes)?;
            }
        }
        Ok(0)
    }
}
