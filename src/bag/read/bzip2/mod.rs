//! bzip2 files, divided at their blocks.
//!
//! A block begins with 48 bits that mark it, at any bit of a byte, and with its checksum; nothing tells how long it
//! is. A stream ends with another mark, and with a checksum of the checksums of its blocks. So a large file is first
//! [searched](scan) for marks, by all ranks, and [divided](plan) by them. What looks like a mark may be data of a
//! block, by chance or on purpose; a stream is divided where the checksums behind its marks give the one at its
//! end. From the first stream on where they do not, the rest of the file is read in one piece, as `bzip2` reads it.
//! So what is lost, repeated or damaged is found as by `bzip2`, whatever the size of the units. A block is decoded
//! as a stream of its own, and used when its checksum was compared.

mod blocks;
pub(super) mod marks;
mod neighbours;
mod plan;
mod scan;
mod segment;
mod streams;

pub(super) use plan::Units;
pub(in crate::bag) use scan::{Found, Scan, scan};
