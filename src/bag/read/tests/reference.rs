//! Files that are damaged, put together or followed by something: lines and errors are those of `gzip`, `bzip2`, `xz`
//! and `zstd`, whatever the size of blocks.

use super::{
    super::{bzip2::marks, read_lines as read, xz},
    compressed::{Way, long_text},
    reading,
};
use crate::bag::{encoding::Encoding, reading::Reading};
use proptest::prelude::*;
use std::{fs, path::Path, process::Command};

/// What the tool gives, or nothing if it refuses; and nothing at all if there is no such tool.
fn tool(way: Way, file: &Path) -> Option<Option<Vec<u8>>> {
    let name = match way {
        Way::Gzip | Way::Bgzip => "gzip",
        Way::Bzip2 => "bzip2",
        Way::Zstd => "zstd",
        Way::Xz => "xz",
    };
    let input = fs::File::open(file).expect("it was written");
    let Ok(ended) = Command::new(name).arg("-dc").stdin(input).output() else {
        println!("there is no {name}");
        return None;
    };
    // `gzip` and `xz` warn with 2, and 2 is an error of `bzip2`.
    let warns = !matches!(way, Way::Bzip2) && ended.status.code() == Some(2);
    Some((ended.status.success() || warns).then_some(ended.stdout))
}

/// Reads these bytes at several sizes of blocks, and compares.
fn check(way: Way, bytes: &[u8], about: &str) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), bytes).expect("written");
    let Some(expected) = tool(way, file.path()) else { return };
    let expected = expected.map(|bytes| {
        let text: String = bytes.into_iter().map(char::from).collect();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    for block in [1, 5_000, 60_000, 300_000, 1 << 30] {
        let reading: Reading = reading(block, 10_000).encoding(Encoding::Latin1);
        let found = read(file.path(), &reading);
        match (&found, &expected) {
            (Ok((lines, 0)), Some(expected)) => {
                assert!(
                    lines == expected,
                    "{way:?}, {about}, blocks of {block} bytes: {} lines",
                    lines.len()
                );
            }
            (Err(_), None) => {}
            (Err(error), Some(_)) => panic!("{way:?}, {about}, blocks of {block} bytes: {error}"),
            (Ok((lines, _)), _) => {
                panic!("{way:?}, {about}, blocks of {block} bytes: {} lines of a bad file", lines.len())
            }
        }
    }
}

/// Members, frames or streams of some lines each.
fn parts(way: Way) -> Vec<Vec<u8>> {
    let text = long_text(150_000, 7);
    let bytes = text.as_bytes();
    [&bytes[..50_000], &bytes[50_000..100_000], b"", &bytes[100_000..]]
        .map(|part| way.compress(&[part]))
        .into()
}

const WAYS: [Way; 5] = [Way::Gzip, Way::Bgzip, Way::Bzip2, Way::Zstd, Way::Xz];

#[test]
fn parts_may_be_missing_or_in_any_order() {
    for way in WAYS {
        let parts = parts(way);
        for order in [&[0, 1, 2, 3][..], &[3, 1, 0], &[1, 1, 1], &[2], &[0, 2, 2, 1], &[2, 0]] {
            let bytes: Vec<u8> = order.iter().flat_map(|&part| parts[part].clone()).collect();
            check(way, &bytes, &format!("{order:?}"));
        }
    }
}

#[test]
fn what_follows_or_stands_between_is_as_the_tools_have_it() {
    let zeros = vec![0; 512];
    let others: [&[u8]; 16] = [
        b"\0",
        b"\0\0",
        b"\0\0\0\0",
        &zeros,
        b"x",
        b"xy",
        b"some rubbish behind the data\n",
        b"B",
        b"BZ",
        b"BZh",
        b"BZh9",
        b"BZhx and more",
        b"BZh91AY&SYabcdefghijklmnop",
        b"\x1f",
        b"\x1f\x8b\x08",
        b"\0\0\x1f\x8b",
    ];
    let more: [&[u8]; 5] = [
        b"\x1f\x8b\x09\0\0\0\0\0\0\0",
        b"\x1fabc",
        b"\x50\x2a\x4d\x18\x04\0\0\0abcd",
        b"\x50\x2a\x4d\x18\x04\0\0\0ab",
        b"\x28\xb5\x2f\xfd",
    ];
    for way in WAYS {
        let parts = parts(way);
        for other in others.iter().chain(&more) {
            check(way, &[&parts[0], *other].concat(), &format!("{other:?} behind"));
            check(way, &[&parts[0], *other, &parts[1]].concat(), &format!("{other:?} between"));
            check(way, &[&parts[0], &parts[1], *other].concat(), &format!("{other:?} behind two"));
        }
    }
}

/// What is decoded of one file is not taken for the same part of another, though it may begin with the same checksum and
/// the system may know both by the same name.
#[test]
fn a_file_that_is_written_anew_is_read_anew() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let whole = parts(Way::Bzip2).concat();
    let mut damaged = whole.clone();
    // In the data of the first block, whose checksum is before it.
    damaged[9_000] ^= 1;
    for block in [1, 5_000] {
        for (bytes, is_good) in [(&whole, true), (&damaged, false), (&whole, true)] {
            fs::write(file.path(), bytes).expect("written");
            assert_eq!(read(file.path(), &reading(block, 10_000)).is_ok(), is_good);
        }
    }
}

#[test]
fn other_formats_are_refused_by_name() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let lzma = b"\x5D\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0\x30\x82\x80\xff\xff\xef\x3d\x80\0";
    for (name, first) in
        [("lzma", &lzma[..]), ("zip", b"PK\x03\x04\x14\0"), ("compress (.Z)", b"\x1f\x9d\x90")]
    {
        fs::write(file.path(), first).expect("written");
        let error = read(file.path(), &reading(1000, 1000).encoding(Encoding::Latin1)).expect_err("no text");
        assert!(error.to_string().contains(&format!("in the format {name}, which is not read")), "{error}");
    }
    // Text may begin with the letters of a mark.
    for text in ["LZIP is a format", "PK", "]", "7z"] {
        fs::write(file.path(), text).expect("written");
        assert_eq!(read(file.path(), &reading(1000, 1000)).expect("text").0, [text]);
    }
}

/// A stream of one file, cut at its blocks.
fn blocks_of_bzip2() -> (Vec<u8>, Vec<u64>) {
    let stream = Way::Bzip2.compress(&[long_text(450_000, 3).as_bytes()]);
    let bits = marks::all(&stream).into_iter().map(|(bit, _)| bit).collect();
    (stream, bits)
}

/// The stream with these of its blocks, and the checksum at its end, or the one that fits.
fn bzip2_of(stream: &[u8], bits: &[u64], order: &[usize], fits: bool) -> Vec<u8> {
    let (mut out, mut length, mut sum) = (stream[..4].to_vec(), 32, 0u32);
    let mut put = |value, count| {
        marks::append(&mut out, length, value, count);
        length += count;
    };
    for &block in order {
        sum = sum.rotate_left(1) ^ marks::bits(stream, bits[block] + 48, 32).expect("a checksum") as u32;
        let mut at = bits[block];
        while at < bits[block + 1] {
            let count = (bits[block + 1] - at).min(32);
            put(marks::bits(stream, at, count).expect("bits"), count);
            at += count;
        }
    }
    let last = *bits.last().expect("an end");
    let own = marks::bits(stream, last + 48, 32).expect("a checksum");
    put(marks::END, 48);
    put(if fits { u64::from(sum) } else { own }, 32);
    out
}

#[test]
fn blocks_of_bzip2_are_all_there_and_in_order() {
    let (stream, bits) = blocks_of_bzip2();
    assert!(bits.len() > 4, "several blocks");
    let all: Vec<usize> = (0..bits.len() - 1).collect();
    assert!(bzip2_of(&stream, &bits, &all, true) == stream, "taken apart and put together");
    for order in [&[0, 2, 3][..], &[1, 2, 3], &[0, 0, 1, 2, 3], &[1, 0, 2, 3], &[0, 1, 2, 3, 3], &[]] {
        for fits in [false, true] {
            let bytes = bzip2_of(&stream, &bits, order, fits);
            check(Way::Bzip2, &bytes, &format!("blocks {order:?}, {fits}"));
            check(Way::Bzip2, &[&stream[..], &bytes].concat(), &format!("behind, blocks {order:?}, {fits}"));
            check(Way::Bzip2, &[&bytes[..], &stream].concat(), &format!("before, blocks {order:?}, {fits}"));
        }
    }
    // Blocks that are larger than the header allows.
    let mut small = Way::Bzip2.compress(&[long_text(90_000, 3).as_bytes()]);
    for level in *b"159" {
        small[3] = level;
        check(Way::Bzip2, &small, "another level");
    }
}

#[test]
fn an_xz_index_says_what_there_is() {
    let text = long_text(150_000, 5);
    let file = Way::Xz.compress(&text.as_bytes().chunks(30_000).collect::<Vec<_>>());
    let length = u32::from_le_bytes(file[file.len() - 8..][..4].try_into().expect("four bytes"));
    let index = file.len() - 12 - (length as usize + 1) * 4;
    // A zero, the number of blocks, and two numbers for each.
    let count = 2 * usize::from(file[index + 1]);
    let mut rest = &file[index + 2..file.len() - 16];
    let mut numbers = Vec::new();
    while numbers.len() < count {
        numbers.push(xz::number(&mut rest).expect("a number"));
    }
    let with = |numbers: &[u64]| {
        let mut records = Vec::new();
        for &number in numbers {
            let mut rest = number;
            while rest >= 0x80 {
                records.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            records.push(rest as u8);
        }
        [&file[..index], &xz::end(numbers.len() as u64 / 2, &records, &file[6..8])].concat()
    };
    assert!(with(&numbers) == file, "taken apart and put together");
    check(Way::Xz, &file, "as it is");
    for place in 0..count {
        for change in [-40i64, -4, -1, 1, 4] {
            let mut numbers = numbers.clone();
            numbers[place] = numbers[place].saturating_add_signed(change);
            check(Way::Xz, &with(&numbers), &format!("number {place} of the index changed by {change}"));
        }
    }
    // Two records changed so that their sums fit.
    for (one, other) in [(1, 3), (7, 3), (0, 2), (9, 1)] {
        let mut numbers = numbers.clone();
        numbers[one] -= 4;
        numbers[other] += 4;
        check(Way::Xz, &with(&numbers), &format!("numbers {one} and {other}"));
    }
    check(Way::Xz, &with(&numbers[2..]), "a record less");
    check(Way::Xz, &with(&[&numbers[..], &numbers[..2]].concat()), "a record more");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_what_the_tools_call_damage(
        way in prop::sample::select(&WAYS[..]),
        several in any::<bool>(),
        at in any::<prop::sample::Index>(),
        change in prop_oneof![
            3 => (0..8u8).prop_map(|bit| vec![1 << bit]),
            1 => prop::collection::vec(any::<u8>(), 1..6),
        ],
        is_cut in prop::bool::weighted(0.2),
        from_the_end in any::<bool>(),
    ) {
        let mut bytes = match (way, several) {
            (Way::Bzip2, false) => blocks_of_bzip2().0,
            (Way::Xz, false) => way.compress(&long_text(150_000, 5).as_bytes().chunks(30_000).collect::<Vec<_>>()),
            _ => parts(way).concat(),
        };
        // The mark of the format stays; headers and ends are as likely as data.
        let first = 10;
        let at = match from_the_end {
            true => bytes.len() - 1 - at.index(60),
            false => first + at.index(bytes.len() - first),
        };
        if is_cut {
            bytes.truncate(at);
        } else {
            bytes.iter_mut().skip(at).zip(&change).for_each(|(byte, change)| *byte ^= change);
        }
        check(way, &bytes, &format!("byte {at}, {change:?}, cut {is_cut}, several {several}"));
    }
}
