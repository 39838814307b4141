//! What is read is what a serial reader reads, whatever the sizes of blocks and pieces.

pub(in crate::bag) mod compressed;
mod reference;
mod special;

use super::read_lines as read;
use crate::bag::{
    encoding::Encoding,
    error::Fault,
    reading::{Faults, Reading},
};
use proptest::prelude::*;
use std::fs;

fn reading(block: u64, piece: usize) -> Reading {
    Reading { piece_bytes: piece, ..Reading::new().block_bytes(block) }
}

/// The lines as the standard library has them, without the mark at the beginning.
fn serial(text: &str) -> Vec<String> {
    text.strip_prefix('\u{feff}').unwrap_or(text).lines().map(str::to_owned).collect()
}

/// Text of lines that are empty, short, and longer than blocks.
fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        3 => Just(String::new()),
        5 => "[a-c é]{1,6}",
        1 => "[a-z]{30,90}",
    ];
    let end = prop_oneof![4 => Just("\n"), 1 => Just("\r\n")];
    let lines = prop::collection::vec((line, end), 0..25);
    (lines, "[xyz]{0,5}", any::<bool>()).prop_map(|(lines, last, mark)| {
        let lines: String = lines.into_iter().flat_map(|(line, end)| [line, end.to_owned()]).collect();
        format!("{}{lines}{last}", if mark { "\u{feff}" } else { "" })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn lines_do_not_depend_on_blocks(text in text(), block in 1u64..80, piece in 1usize..40) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), &text).expect("written");
        let (lines, skipped) = read(file.path(), &reading(block, piece)).expect("text");
        prop_assert_eq!(lines, serial(&text));
        prop_assert_eq!(skipped, 0);
    }

    #[test]
    fn wrong_bytes_are_found_where_they_are(
        text in text(),
        at in any::<prop::sample::Index>(),
        block in 1u64..80,
        piece in 1usize..40,
    ) {
        let mut bytes = text.into_bytes();
        let place = at.index(bytes.len() + 1);
        bytes.insert(place, 0xFF);
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), &bytes).expect("written");
        let reading = reading(block, piece);

        let error = read(file.path(), &reading).expect_err("0xFF is never text");
        let start = bytes[..place].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let line = 1 + bytes[..place].iter().filter(|&&byte| byte == b'\n').count() as u64;
        let mark = if bytes.starts_with(b"\xEF\xBB\xBF") && start == 0 { 3 } else { 0 };
        prop_assert_eq!((error.line, error.offset), (Some(line), Some(start as u64 + mark)), "{}", error);
        prop_assert!(matches!(error.fault, Fault::Encoding));

        let (lines, skipped) = read(file.path(), &reading.clone().faults(Faults::Skip)).expect("skipped");
        let without = [&bytes[..start], &bytes[bytes.len().min(start + line_length(&bytes[start..]))..]].concat();
        let mut expected = serial(&String::from_utf8(without).expect("the rest is text"));
        if mark == 3 && !lines.is_empty() && expected.len() > lines.len() {
            expected.remove(0);
        }
        prop_assert_eq!(skipped, 1);
        prop_assert_eq!(lines, expected);

        let (lines, _) = read(file.path(), &reading.clone().encoding(Encoding::Latin1)).expect("anything goes");
        let latin: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        prop_assert_eq!(lines, serial(latin.strip_prefix("ï»¿").unwrap_or(&latin)));

        let (lines, _) = read(file.path(), &reading.encoding(Encoding::Replace)).expect("anything goes");
        prop_assert_eq!(lines, serial(&String::from_utf8_lossy(&bytes)));
    }
}

fn line_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1)
}

#[test]
fn what_is_no_file_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing");
    let error = read(&missing, &Reading::new()).expect_err("there is no such file");
    assert!(error.to_string().contains("missing: No such file"), "{error}");
    let error = read(&folder.path().join("x*"), &Reading::new()).expect_err("nothing matches");
    assert!(matches!(error.fault, Fault::NoMatch), "{error}");
    let error = read(folder.path(), &Reading::new()).expect_err("a folder");
    assert!(error.to_string().contains("directory"), "{error}");
    assert_eq!(read(&missing, &Reading::new().faults(Faults::Skip)).expect("skipped"), (vec![], 1));
}

#[test]
fn files_come_in_the_order_of_their_names() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("b", "2\n"), ("a", "1"), ("c", ""), ("d", "3\n4")] {
        fs::write(folder.path().join(name), text).expect("written");
    }
    let (lines, _) = read(&folder.path().join("*"), &Reading::new()).expect("text");
    assert_eq!(lines, ["1", "2", "3", "4"]);
}

#[test]
fn a_line_may_be_too_long() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let (long, longest) = ("b".repeat(1001), "c".repeat(1000));
    let text = format!("a\n{long}\n{longest}\n{longest}\r\nd\n{long}{long}\n\n{long}");
    fs::write(file.path(), text).expect("written");
    for block in [1, 7, 500, 1500, 1 << 20] {
        for piece in [1, 100, 1200, 100_000] {
            let reading =
                Reading { piece_bytes: piece, ..Reading::new().block_bytes(block).longest_line(1000) };
            let error = read(file.path(), &reading).expect_err("1001 bytes");
            assert!(matches!(error.fault, Fault::LongLine(1000)), "{error}");
            assert_eq!((error.line, error.offset), (Some(2), Some(2)), "{error}, {block}, {piece}");
            let (lines, skipped) = read(file.path(), &reading.faults(Faults::Skip)).expect("skipped");
            // The carriage return makes a line of 1001 bytes.
            assert_eq!(
                (&lines[..], skipped),
                (&["a", &longest, "d", ""].map(str::to_owned)[..], 4),
                "{block}, {piece}"
            );
        }
    }
}

/// The line is counted where that is cheap; else the place is told by the part of the file.
#[test]
fn a_place_is_found_without_reading_all_that_comes_before() {
    use super::super::{error::PlaceInPart, text::Place};
    use super::{Input, Pieces};
    let file = tempfile::NamedTempFile::new().expect("a file");
    let holes = fs::File::options().write(true).open(file.path()).expect("a file");
    // No disk has this: only what is at the end may be read.
    let size = 1u64 << 40;
    holes.set_len(size).expect("room for a hole");
    std::os::unix::fs::FileExt::write_all_at(&holes, b"\na\nb\n\xFF\n", size - 7).expect("room");
    let reading = Reading::new();
    let paths = crate::bag::Paths::from(file.path());
    let input = Input::find::<crate::bag::ReadError>(&paths, &reading, None, &|_| Ok(Vec::new()));
    let input = input.expect("a file");
    let last = input.units() - 1;
    let begins = last * (8 << 20);
    // The unit's pieces begin behind its first line end.
    let error = Pieces::new(last, &input).find_map(Result::err).expect("0xFF is no text");
    assert_eq!((error.line, error.offset), (None, Some(size - 2)));
    let offset = size - 2 - begins;
    assert_eq!(error.part, Some(Box::new(PlaceInPart { begins, line: 4, offset })));
    let text = error.to_string();
    assert!(text.contains(&format!(", byte {}, line 4 and byte {offset} of the part", size - 2)), "{text}");

    let place = Place { unit: 2, offset: 5, ..Place::default() };
    let error = input.files[0].locate(Fault::Encoding, &place, b"abc\nd");
    assert_eq!((error.line, error.offset, error.part), (Some(2), Some((16 << 20) + 10), None));
}
