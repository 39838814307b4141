//! Blocks of bzip2 files, each decoded by itself.
//!
//! A block begins with 48 bits that mark it, at any bit of a byte, and nothing tells how long it is. So the
//! marks in a stretch are looked for, and a block is what lies between a mark and the next one, with a header
//! before and an end of stream behind it: a stream of one block, which a decoder reads and checks. What looks
//! like a mark may be data of a block by chance, or on purpose. Behind a block that is decoded there is a mark
//! for certain; where decoding fails, the block is tried with later marks as its end; and where the first mark
//! of a stretch cannot be decoded, it is either damaged or inside a block that begins before the stretch, which
//! is tried as well.

mod marks;
mod neighbours;
mod window;

use super::{Chunk, Chunks};
use crate::bag::error::Fault;
use marks::Mark;
use neighbours::{Block, Name};
use std::{fs::File, io::Read, ops::Range, sync::Arc};
use window::Window;

/// More bytes than a compressed block can have.
const LONGEST: u64 = 1_250_000;
/// Bits of a mark, and of the checksum behind it.
const MARK: u64 = 48;
const CHECKSUM: u64 = 32;

/// The blocks that begin in a stretch, and those behind it.
pub(super) struct Blocks {
    window: Window,
    /// Bits at which the stretch begins and ends.
    own: Range<u64>,
    next: Next,
}

/// Where the next block is.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// At the first mark of the stretch that is one.
    Search,
    /// At this bit, or the end of a stream is.
    At(u64),
    Over,
}

impl Blocks {
    pub(super) fn new(file: File, stretch: Range<u64>, size: u64) -> Result<Self, Fault> {
        let own = stretch.start * 8..stretch.end * 8;
        super::plain::will_need(&file, &stretch);
        let window = Window::new(file, size);
        // The first block follows the header.
        let next = if stretch.start == 0 { Next::At(32) } else { Next::Search };
        Ok(Blocks { window, own, next })
    }

    /// Decodes the first block of the stretch.
    fn search(&mut self) -> Result<Option<Block>, Fault> {
        let mut from = self.own.start;
        while let Some((bit, _)) = self.window.find(from..self.own.end, |mark| mark == Mark::Block)? {
            match self.decode_border(bit) {
                Ok(decoded) => return Ok(Some(decoded)),
                Err(damage) if !self.is_inside_a_block(bit)? => return Err(damage),
                Err(_) => from = bit + 1,
            }
        }
        Ok(None)
    }

    /// Whether a block that begins before `bit` goes on behind it.
    fn is_inside_a_block(&mut self, bit: u64) -> Result<bool, Fault> {
        let mut from = bit.saturating_sub(LONGEST * 8);
        while let Some((before, _)) = self.window.find(from..bit, |mark| mark == Mark::Block)? {
            if self.decode(before).is_ok_and(|(_, end)| end > bit) {
                return Ok(true);
            }
            from = before + 1;
        }
        Ok(false)
    }

    /// As `decode`, for a block that a neighbouring unit needs as well.
    fn decode_border(&mut self, bit: u64) -> Result<Block, Fault> {
        self.window.load((bit + MARK + CHECKSUM).div_ceil(8))?;
        let checksum = self.window.bits(bit + MARK, CHECKSUM).ok_or_else(cut_off)?;
        let name = Name { file: self.window.identity(), bit, checksum };
        if let Some(known) = neighbours::take(name) {
            return Ok(known);
        }
        let block = self.decode(bit)?;
        neighbours::keep(name, &block);
        Ok(block)
    }

    /// The block that begins at `bit`, and where it ends.
    fn decode(&mut self, bit: u64) -> Result<Block, Fault> {
        let mut from = bit + MARK;
        let mut problem = "the end of a block is missing".to_owned();
        while let Some((end, _)) = self.window.find(from..bit + LONGEST * 8, |_| true)? {
            match decode_stream(&self.stream_of(bit..end)) {
                Ok(bytes) => return Ok((Arc::new(bytes), end)),
                Err(error) => problem = error.to_string(),
            }
            from = end + 1;
        }
        let problem = format!("block at byte {} of the file: {problem}", bit / 8);
        Err(Fault::Compressed { format: "bzip2", problem })
    }

    /// A stream that has the block at these bits as its only one.
    fn stream_of(&self, block: Range<u64>) -> Vec<u8> {
        let mut stream = b"BZh9".to_vec();
        self.window.copy(block.clone(), &mut stream);
        let checksum = self.window.bits(block.start + MARK, CHECKSUM).unwrap_or_default();
        marks::append(&mut stream, 32 + block.end - block.start, marks::END, MARK);
        marks::append(&mut stream, 32 + block.end - block.start + MARK, checksum, CHECKSUM);
        stream
    }

    /// Behind the end of a stream at `bit`: where the first block of another one should be, if there is one.
    fn behind_stream(&mut self, bit: u64) -> Result<Next, Fault> {
        let end = (bit + MARK + CHECKSUM).div_ceil(8);
        if end > self.window.size() {
            return Err(cut_off());
        }
        self.window.load(end + 4)?;
        // As bzip2 does it, what is no stream is passed over.
        let header = self.window.bits(end * 8, 24);
        Ok(if header == Some(0x42_5A68) { Next::At((end + 4) * 8) } else { Next::Over })
    }
}

impl Chunks for Blocks {
    fn next(&mut self, _: usize, out: &mut Vec<u8>) -> Result<Chunk, Fault> {
        loop {
            let found = match self.next {
                Next::Over => return Ok(Chunk::End),
                Next::Search => {
                    let found = self.search()?;
                    if found.is_none() {
                        self.next = Next::Over;
                    }
                    found.map(|block| (block, Chunk::Own))
                }
                Next::At(bit) => match self.window.mark_at(bit)? {
                    None if bit + MARK > self.window.size() * 8 => return Err(cut_off()),
                    None => {
                        let problem = format!("there is no block at byte {} of the file", bit / 8);
                        return Err(Fault::Compressed { format: "bzip2", problem });
                    }
                    Some(Mark::End) => {
                        self.next = self.behind_stream(bit)?;
                        None
                    }
                    Some(Mark::Block) if bit < self.own.end => Some((self.decode(bit)?, Chunk::Own)),
                    Some(Mark::Block) => Some((self.decode_border(bit)?, Chunk::Beyond)),
                },
            };
            if let Some(((bytes, end), kind)) = found {
                self.next = Next::At(end);
                out.extend_from_slice(&bytes);
                return Ok(kind);
            }
        }
    }
}

fn cut_off() -> Fault {
    Fault::Compressed { format: "bzip2", problem: "the end of the stream is missing".into() }
}

fn decode_stream(stream: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(900_000);
    bzip2::bufread::BzDecoder::new(stream).read_to_end(&mut bytes)?;
    Ok(bytes)
}
