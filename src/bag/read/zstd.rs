//! zstd files: frames, one behind the other (RFC 8878).

use super::{
    source::Stretch,
    streams::{Decoded, READ, damaged},
};
use crate::bag::error::Fault;
use std::io::{self, BufReader, Read};
use zstd::{stream::read::Decoder, zstd_safe};

/// The frames of a stretch. What is no frame is an error.
pub(super) struct Frames {
    decoder: Decoder<'static, BufReader<Stretch>>,
    largest_window: u64,
}

impl Frames {
    pub(super) fn decoded(stretch: Stretch, largest_window: u64) -> Result<Decoded, Fault> {
        let mut decoder = Decoder::with_buffer(BufReader::with_capacity(READ, stretch))?;
        // The bound is a power of two.
        decoder.window_log_max(largest_window.ilog2())?;
        Ok(Box::new(Frames { decoder, largest_window: 1 << largest_window.ilog2() }))
    }
}

/// The number of `ZSTD_error_frameParameter_windowTooLarge`.
const WINDOW_TOO_LARGE: usize = 16;

impl Read for Frames {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(out).map_err(|error| {
            match error.to_string() == zstd_safe::get_error_name(WINDOW_TOO_LARGE.wrapping_neg()) {
                true => io::Error::other(Fault::Window(self.largest_window)),
                false => damaged("zstd")(error),
            }
        })
    }
}
