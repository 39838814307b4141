//! Every compression, whole and damaged.

use super::{read, reading, serial};
use crate::bag::{
    error::Fault,
    reading::{Faults, Reading},
};
use liblzma::stream::{Action, Check, Stream};
use proptest::prelude::*;
use std::{fs, io::Write};

/// Every way to compress a file; the parts become members, frames or blocks where there are such things.
#[derive(Debug, Clone, Copy)]
pub(in crate::bag) enum Way {
    Gzip,
    Bgzip,
    Bzip2,
    Zstd,
    Xz,
}

pub(in crate::bag) const WAYS: [Way; 5] = [Way::Gzip, Way::Bgzip, Way::Bzip2, Way::Zstd, Way::Xz];

impl Way {
    pub(in crate::bag) fn compress(self, parts: &[&[u8]]) -> Vec<u8> {
        let each = |compress: fn(&[u8]) -> Vec<u8>| parts.iter().flat_map(|part| compress(part)).collect();
        match self {
            Way::Gzip => each(gzip_of),
            Way::Bgzip => each(bgzip),
            Way::Bzip2 => each(|part| {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(1));
                encoder.write_all(part).and_then(|()| encoder.finish()).expect("compressed")
            }),
            Way::Zstd => each(|part| {
                let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
                encoder.include_checksum(true).expect("a checksum");
                encoder.write_all(part).and_then(|()| encoder.finish()).expect("compressed")
            }),
            Way::Xz => xz(parts),
        }
    }
}

pub(super) fn gzip_of(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("compressed")
}

/// A member with its length in an extra field, as bgzip writes it (SAM specification, section 4.1).
fn bgzip(bytes: &[u8]) -> Vec<u8> {
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    let data = deflate.write_all(bytes).and_then(|()| deflate.finish()).expect("compressed");
    let mut checksum = flate2::Crc::new();
    checksum.update(bytes);
    let length = (18 + data.len() + 8 - 1) as u16;
    let mut member = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, b'B', b'C', 2, 0];
    member.extend(length.to_le_bytes());
    member.extend(data);
    member.extend(checksum.sum().to_le_bytes());
    member.extend((bytes.len() as u32).to_le_bytes());
    member
}

/// One stream with a block for each part.
fn xz(parts: &[&[u8]]) -> Vec<u8> {
    let mut stream = Stream::new_easy_encoder(0, Check::Crc32).expect("an encoder");
    let mut out = Vec::with_capacity(1 << 20);
    for part in parts {
        let before = stream.total_in();
        while stream.total_in() - before < part.len() as u64 {
            let rest = &part[(stream.total_in() - before) as usize..];
            stream.process_vec(rest, &mut out, Action::Run).expect("compressed");
            out.reserve(1 << 16);
        }
        while stream.process_vec(&[], &mut out, Action::FullFlush).expect("flushed")
            != liblzma::stream::Status::StreamEnd
        {
            out.reserve(1 << 16);
        }
    }
    while stream.process_vec(&[], &mut out, Action::Finish).expect("ended")
        != liblzma::stream::Status::StreamEnd
    {
        out.reserve(1 << 16);
    }
    out
}

/// Random text of about so many bytes that does not compress to nothing.
pub(super) fn long_text(bytes: usize, seed: u64) -> String {
    let mut state = seed.wrapping_mul(2) + 1;
    let mut text = String::new();
    while text.len() < bytes {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let word = format!("{:x}", state >> 20);
        let end = if state >> 60 == 0 { "\n" } else { " " };
        text.push_str(&word[..(state >> 33) as usize % word.len()]);
        text.push_str(end);
    }
    text
}

/// Cuts anywhere, not only at line ends.
pub(in crate::bag) fn cut<'a>(text: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    places.extend([0, text.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn compressed_lines_are_those_of_the_text(
        text in super::text(),
        way in prop::sample::select(&WAYS[..]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        block in 1u64..400,
        piece in 1usize..40,
    ) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), way.compress(&cut(text.as_bytes(), &cuts))).expect("written");
        let (lines, _) = read(file.path(), &reading(block, piece)).expect("text");
        prop_assert_eq!(lines, serial(&text));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Blocks of bzip2 have at least 100 kB, so that several of them take longer.
    #[test]
    fn large_files_are_read_in_parts(
        seed in any::<u64>(),
        way in prop::sample::select(&WAYS[1..]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        block in 20_000u64..300_000,
    ) {
        let text = long_text(400_000, seed);
        let parts: Vec<&[u8]> = match way {
            Way::Bgzip => text.as_bytes().chunks(60_000).collect(),
            _ => cut(text.as_bytes(), &cuts),
        };
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), way.compress(&parts)).expect("written");
        let (lines, _) = read(file.path(), &reading(block, 10_000)).expect("text");
        prop_assert_eq!(lines, serial(&text));
    }

    /// Damage is never taken for text: it is an error, and what is read if it is skipped are whole lines
    /// of the text.
    #[test]
    fn damage_is_noticed(
        seed in any::<u64>(),
        way in prop::sample::select(&WAYS[..]),
        at in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let text = long_text(250_000, seed);
        let parts: Vec<&[u8]> = text.as_bytes().chunks(60_000).collect();
        let mut bytes = match way {
            Way::Bzip2 => way.compress(&[text.as_bytes()]),
            _ => way.compress(&parts),
        };
        let at = at.index(bytes.len());
        if is_cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 0x10;
        }
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), &bytes).expect("written");
        let expected = serial(&text);
        match read(file.path(), &reading(30_000, 10_000)) {
            // Some bytes of headers mean nothing, and a file may be cut where a member ends.
            Ok((lines, _)) => prop_assert!(
                expected.starts_with(&lines) || is_cut || lines == [] as [&str; 0] || at < 12,
                "{:?} of {} bytes damaged at {at}", way, bytes.len(),
            ),
            Err(error) => prop_assert!(
                matches!(error.fault, Fault::Compressed { .. } | Fault::Encoding), "{error}"
            ),
        }
        if at >= 12 {
            let skip = reading(30_000, 10_000).faults(Faults::Skip);
            let (lines, _) = read(file.path(), &skip).expect("skipped");
            let known: std::collections::HashSet<&str> = expected.iter().map(String::as_str).collect();
            let unknown = lines.iter().filter(|line| !known.contains(line.as_str())).count();
            // Others give what they have decoded before they compare its checksum.
            prop_assert!(unknown <= 1 || !matches!(way, Way::Bzip2), "{:?}: {unknown} unknown lines", way);
        }
    }
}

/// The table of the bytes that a block uses is written bit by bit, so these bytes make a block mark of it.
#[test]
fn data_may_look_like_marks() {
    let letters = b"2379?ACDGJMNQSVWY[\\_\n";
    let mut state = 1u64;
    let mut text = String::new();
    while text.len() < 450_000 {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        text.push(char::from(letters[(state >> 40) as usize % letters.len()]));
    }
    let compressed = Way::Bzip2.compress(&[text.as_bytes()]);
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), compressed).expect("written");
    for block in (1..40).map(|step| step * 3_000) {
        let (lines, _) = read(file.path(), &Reading::new().block_bytes(block)).expect("text");
        assert_eq!(lines.len(), serial(&text).len(), "blocks of {block} bytes");
        assert!(lines == serial(&text), "blocks of {block} bytes");
    }
}

#[test]
fn a_fault_in_compressed_data_names_format_and_place() {
    let text = long_text(100_000, 3);
    for way in WAYS {
        let mut bytes = way.compress(&text.as_bytes().chunks(50_000).collect::<Vec<_>>());
        bytes.truncate(bytes.len() - 20);
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), bytes).expect("written");
        let error = read(file.path(), &Reading::new()).expect_err("cut off");
        let Fault::Compressed { format, .. } = &error.fault else { panic!("{error}") };
        assert!(format!("{way:?}").to_lowercase().ends_with(format), "{way:?}: {error}");
        assert!(error.offset.is_some() && error.line > Some(1), "{way:?}: {error}");
    }
}

#[test]
fn a_zstd_window_may_be_too_large() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    encoder.long_distance_matching(true).and_then(|()| encoder.window_log(28)).expect("a window");
    encoder.write_all(b"a\nb\n").expect("compressed");
    let bytes = encoder.finish().expect("compressed");
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), bytes).expect("written");
    let error = read(file.path(), &Reading::new()).expect_err("2^27 is the most");
    assert!(matches!(error.fault, Fault::Window(bytes) if bytes == 1 << 27), "{error}");
    assert!(error.to_string().contains("Reading::largest_window"), "{error}");
    let large = Reading::new().largest_window(1 << 31);
    assert_eq!(read(file.path(), &large).expect("allowed").0, ["a", "b"]);
}
