//! Records are those of a serial reader of the whole text, whatever the sizes of units and pieces.

use super::{
    Table,
    pieces::Pieces,
    quotes::{MARK, State},
    survey,
};
use crate::bag::{
    Encoding, Faults, Reading,
    read::{
        input,
        tests::compressed::{WAYS, cut},
    },
};
use crate::{Builder, Client, Result, Scheduler};
use proptest::prelude::*;
use std::{collections::BTreeMap, fs, path::Path};

type Row = Vec<String>;

fn reading(block: u64, piece: usize) -> Reading {
    Reading { piece_bytes: piece, ..Reading::new().block_bytes(block) }
}

/// Header, records and how many were left out, by one thread.
fn read(path: &Path, reading: &Reading) -> Result<(Row, Vec<Row>, u64)> {
    let input = input(path, reading)?;
    let table = Table::new(input, b',')?;
    let survey = survey::serial(&table)?;
    let (mut rows, mut skipped) = (Vec::new(), 0);
    for unit in 0..table.input.units() {
        for part in Pieces::<Row>::new(unit, &table, &survey) {
            let part = part?;
            skipped += part.skipped;
            rows.extend(part.values.iter().cloned());
        }
    }
    Ok((table.columns.to_vec(), rows, skipped))
}

/// The records of the csv crate, which reads what it can of everything, without lines of blanks.
fn records_of_the_csv_crate(text: &[u8]) -> Vec<csv::ByteRecord> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let is_quoted = |row: &csv::ByteRecord| {
        let at = row.position().expect("it was read").byte() as usize;
        let mark = if at == 0 && text.starts_with(MARK) { MARK.len() } else { 0 };
        text[at + mark..].iter().find(|byte| !matches!(byte, b'\r' | b'\n')) == Some(&b'"')
    };
    let is_blank =
        |row: &csv::ByteRecord| row.len() == 1 && row[0].trim_ascii().is_empty() && !is_quoted(row);
    reader.byte_records().map(|record| record.expect("in memory")).filter(|row| !is_blank(row)).collect()
}

/// The same by the csv crate.
fn by_the_csv_crate(text: &[u8]) -> (Row, Vec<Row>, u64) {
    let mut rows = records_of_the_csv_crate(text);
    let mut skipped = 0;
    let end = text.iter().fold(State::FileStart, |state, byte| state.step(*byte, b','));
    if end == State::Quoted {
        rows.pop();
        skipped = 1;
    }
    let mut rows = rows.into_iter().map(csv::StringRecord::from_byte_record);
    let columns: Row = match rows.next() {
        None => return (Row::new(), Vec::new(), skipped),
        Some(header) => header.expect("text").iter().map(str::to_owned).collect(),
    };
    let mut kept = Vec::new();
    for row in rows {
        match row {
            Ok(row) if row.len() == columns.len() => kept.push(row.iter().map(str::to_owned).collect()),
            _ => skipped += 1,
        }
    }
    (columns, kept, skipped)
}

/// Whether the header can be read, which is an error otherwise.
fn has_a_header(text: &[u8]) -> bool {
    let mut rows = records_of_the_csv_crate(text).into_iter();
    let first = rows.next();
    let end = text.iter().fold(State::FileStart, |state, byte| state.step(*byte, b','));
    let only = first.is_some() && rows.next().is_none();
    let valid = first.is_none_or(|row| csv::StringRecord::from_byte_record(row).is_ok());
    valid && !(only && end == State::Quoted)
}

/// Texts with much of what matters, and sometimes too little to be right.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    let field = prop::sample::select(vec![
        "a",
        "",
        "12",
        " ",
        "\"b\"",
        "\"c,d\"",
        "\"e\nf\"",
        "\"\r\n\"",
        "\"g\"\"h\"",
        "6\" pipe",
        "\"i\"j",
        "é",
        "\"\"",
        "\"k\n\nl\n\"",
    ]);
    let end = prop::sample::select(vec!["\n", "\n", "\n", "\r\n", "\r", "\n\n", "\r\r"]);
    let row = (prop::collection::vec(field, 1..4), end)
        .prop_map(|(fields, end)| [fields.join(","), end.to_owned()].concat().into_bytes());
    let odd =
        prop::sample::select(vec![&b"\""[..], b"\xEF\xBB\xBF", b"\xFF", b"\xC3", b"\n", b"x", b",", b"\r"]);
    let row = prop_oneof![9 => row, 1 => odd.prop_map(<[u8]>::to_vec)];
    let mark = prop::sample::select(vec![&b""[..], b"", b"\xEF\xBB\xBF", b"\n", b" \t\n \r\n", b"\xEF\xBB"]);
    (mark, prop::collection::vec(row, 0..14), prop::sample::select(vec![&b""[..], b"z", b"1,2"]))
        .prop_map(|(mark, rows, last)| [mark, &rows.concat(), last].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn records_do_not_depend_on_blocks(text in texts(), block in 1u64..60, piece in 1usize..40) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), &text).expect("written");
        let reading = reading(block, piece).faults(Faults::Skip);
        if !has_a_header(&text) {
            prop_assert!(read(file.path(), &reading).is_err());
            return Ok(());
        }
        prop_assert_eq!(read(file.path(), &reading).expect("records"), by_the_csv_crate(&text));
    }

    #[test]
    fn compressed_records_are_those_of_the_text(
        text in texts(),
        way in prop::sample::select(&WAYS[..]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        block in 1u64..300,
        piece in 1usize..40,
    ) {
        prop_assume!(has_a_header(&text));
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), way.compress(&cut(&text, &cuts))).expect("written");
        let reading = reading(block, piece).faults(Faults::Skip);
        prop_assert_eq!(read(file.path(), &reading).expect("records"), by_the_csv_crate(&text));
    }
}

/// Runs a program on one and several threads and with different blocks; all give the same.
fn everywhere<R: PartialEq + std::fmt::Debug + Send>(
    program: impl Fn(&Client, &Reading) -> Result<R> + Sync,
) -> R {
    let mut results = Vec::new();
    for (threads, block) in [(1, 1 << 20), (1, 1), (3, 5), (2, 13), (2, 64)] {
        let scheduler = if threads == 1 { Scheduler::Synchronous } else { Scheduler::Threads };
        let builder = Builder::new().scheduler(scheduler).workers(threads);
        results.push(builder.run(|client| program(client, &reading(block, 7))).expect("it runs"));
    }
    let first = results.remove(0);
    results.iter().for_each(|result| assert_eq!(*result, first));
    first
}

/// What a text is read as: rows and the number of those left out.
fn rows_of(text: impl AsRef<[u8]>, settings: fn(Reading) -> Reading) -> (Vec<Row>, u64) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), text).expect("written");
    everywhere(|client, reading| {
        let rows = client.read_csv_records_as::<Row>(file.path(), b',', &settings(reading.clone()))?;
        assert_eq!(rows.take(1)?, rows.first(1).compute()?);
        client.compute((&rows.collect(), &rows.skipped()))
    })
}

/// The error that a text is, which has to be the same everywhere.
fn error_of<T: crate::wire::Value + Clone>(text: impl AsRef<[u8]>) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("t.csv");
    fs::write(&file, text).expect("written");
    everywhere(|client, reading| {
        let bag = client.read_csv_records_as::<T>(&file, b',', reading);
        let error = bag.and_then(|bag| bag.count().compute()).expect_err("a fault").to_string();
        Ok(error[error.find("t.csv").expect("the file is named")..].to_owned())
    })
}

fn rows(rows: &[&[&str]]) -> Vec<Row> {
    rows.iter().map(|row| row.iter().map(|field| (*field).to_owned()).collect()).collect()
}

/// As pandas and the csv crate read them; with no line left out.
#[test]
fn the_field_has_such_files() {
    let table: &[(&str, &[&[&str]])] = &[
        ("a,b\r1,2\r3,4\r", &[&["1", "2"], &["3", "4"]]),
        ("a,b\n1,2\r3,4\n5,6\n", &[&["1", "2"], &["3", "4"], &["5", "6"]]),
        ("a,b\r\n1,2\r\n3,4", &[&["1", "2"], &["3", "4"]]),
        ("a,b\n\"1\n\",\"2\r\n,x\"\n3,4\n", &[&["1\n", "2\r\n,x"], &["3", "4"]]),
        ("a,b\n6\" pipe,3\n4\" \"\"pipe,4\n", &[&["6\" pipe", "3"], &["4\" \"\"pipe", "4"]]),
        ("a,b\n\"x \"\"y\"\" z\",\"\"\"\"\n", &[&["x \"y\" z", "\""]]),
        ("a,b\n\"x\"y,\"\"\n", &[&["xy", ""]]),
        ("\u{feff}a,b\n1,2\n", &[&["1", "2"]]),
        ("\u{feff}\"a\",b\n1,2\n", &[&["1", "2"]]),
        ("\n\n\"a\nb\",c\n\n\n1,2\n  \n3,4\n\n", &[&["1", "2"], &["3", "4"]]),
        ("a,b\n \u{feff}1,2\n\u{feff}3,4\n", &[&[" \u{feff}1", "2"], &["\u{feff}3", "4"]]),
        ("a,b\n,\n\"\",\n", &[&["", ""], &["", ""]]),
        ("a\n\"\"\n\n1\n", &[&[""], &["1"]]),
        ("a\n1\n \t\n\"  \"\n2\n \n", &[&["1"], &["  "], &["2"]]),
        (" \n\t\r\n\na,b\n1,2\n", &[&["1", "2"]]),
        ("\u{feff}  \n  a,b\n1,2\n", &[&["1", "2"]]),
        ("  ", &[]),
        ("a,b", &[]),
        ("a,b\n", &[]),
        ("", &[]),
        ("\n\r\n", &[]),
        ("\u{feff}", &[]),
    ];
    for (text, expected) in table {
        assert_eq!(rows_of(text, |reading| reading), (rows(expected), 0), "{text:?}");
    }
}

#[test]
fn wrong_records_are_left_out_whole() {
    type Case<'a> = (&'a [u8], &'a [&'a [&'a str]], u64);
    let table: &[Case] = &[
        // A record of several lines with too many fields: its lines are no records.
        (b"a,b\n\"x\n1,2\ny\",3,4\n5,6\n", &[&["5", "6"]], 1),
        (b"a,b\n\xFF,\"x\n1,2\n\"\n5,6\n", &[&["5", "6"]], 1),
        (b"a,b\n1\n2,3\n4,5,6\n", &[&["2", "3"]], 2),
        // Blank lines are none, blank fields in quotes are too few.
        (b"a,b\n1,2\n\"\"\n  \n\n\"  \"\n3,4\n", &[&["1", "2"], &["3", "4"]], 2),
        (b"a,b\n1,2\n\"3,4\n5,6\n7,8", &[&["1", "2"]], 1),
        (b"a,b\n1,2\n3,\"4\"\"", &[&["1", "2"]], 1),
    ];
    for (text, expected, skipped) in table {
        let found = rows_of(text, |reading| reading.faults(Faults::Skip));
        assert_eq!(found, (rows(expected), *skipped), "{:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn encodings_are_those_of_fields() {
    let latin1 = rows_of(b"a,\xE9\n\xE9\xE9,\"\xFC,\n\"\n", |reading| reading.encoding(Encoding::Latin1));
    assert_eq!(latin1, (rows(&[&["éé", "ü,\n"]]), 0));
    // A character does not go on in the next field.
    let replaced = rows_of(b"a,b\n\xC3,\xA9\n\xC3\xA9,\xFF\n", |reading| reading.encoding(Encoding::Replace));
    assert_eq!(replaced, (rows(&[&["\u{fffd}", "\u{fffd}"], &["é", "\u{fffd}"]]), 0));
    let skipped = rows_of(b"a,b\n\xC3,\xA9\n\xC3\xA9,\"\n\"\n", |reading| reading.faults(Faults::Skip));
    assert_eq!(skipped, (rows(&[&["é", "\n"]]), 1));
}

#[test]
fn a_header_that_is_wrong_is_never_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let name = |name: &str| folder.path().join(name);
    fs::write(name("1-wrong"), b"a,\xE9\n1,2\n").expect("written");
    fs::write(name("2-good"), "a,b\n1,2\n3,4\n").expect("written");
    fs::write(name("3-other"), "b,a\n5,6\n\"7\n8\",9\n10,11\n").expect("written");
    fs::write(name("4-empty"), "").expect("written");
    fs::write(name("5-good"), "\"a\",b\r\n12,13\r\n").expect("written");
    everywhere(|client, reading| {
        let skip = &reading.clone().faults(Faults::Skip);
        let read = |file: &str, reading| client.read_csv_records_as::<Row>(name(file), b',', reading);
        for reading in [reading, skip] {
            let error = read("1-wrong", reading).expect_err("no header").to_string();
            assert!(error.contains("1-wrong, line 1, byte 0: not valid UTF-8"), "{error}");
        }
        let latin1 = read("1-wrong", &reading.clone().encoding(Encoding::Latin1))?;
        assert_eq!(latin1.collect().compute()?, rows(&[&["1", "2"]]));
        let files = [name("2-good"), name("3-other"), name("4-empty"), name("5-good")];
        let all = client.read_csv_records_as::<BTreeMap<String, u8>>(&files[..], b',', skip)?;
        let a = all.map(|row| row["a"]);
        assert_eq!(client.compute((&a.collect(), &all.skipped()))?, (vec![1, 3, 12], 1));
        let all = client.read_csv_records_as::<Row>(&files[..], b',', reading)?;
        let error = all.count().compute().expect_err("other columns").to_string();
        assert!(error.contains("3-other, line 1, byte 0: bad record: the file has other columns"), "{error}");
        Ok(())
    });
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Typed {
    n: u64,
    x: f64,
    y: Option<f32>,
    word: String,
    kind: Kind,
    yes: bool,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Good,
    Bad,
}

const TYPED: &str = "word,x,kind,n,other,y,yes\n";

#[test]
fn fields_become_values() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let lines = "a b, 0.1 ,good,18446744073709551615,z,1.00000017881393432617187499,True\n\
                 NA,-0.0,bad,0x1F,,NA,false\n\
                 ,NA,bad,7,,,FALSE\n";
    fs::write(file.path(), [TYPED, lines].concat()).expect("written");
    everywhere(|client, reading| {
        let reading = reading.clone().missing(["NA"]);
        let rows = client.read_csv_records_as::<Typed>(file.path(), b',', &reading)?.collect().compute()?;
        // Rounded once: by way of an f64 it would be the next f32.
        let y = Some(f32::from_bits(0x3F80_0001));
        let first = Typed { n: u64::MAX, x: 0.1, y, word: "a b".into(), kind: Kind::Good, yes: true };
        assert_eq!(rows[0], first);
        assert_eq!(rows[1].x.to_bits(), (-0.0f64).to_bits());
        assert_eq!((rows[1].n, rows[1].y, &rows[1].word[..]), (0x1F, None, "NA"));
        assert!(rows[2].x.is_nan() && rows[2].y.is_none());
        Ok(())
    });
}

#[test]
fn errors_have_one_position_a_column_and_the_text() {
    let error = |row: &str| error_of::<Typed>([TYPED, "a,\"1\",good,1,\"\n\",,true\n", row, "\n"].concat());
    let table = [
        ("a,1.5x,bad,7,,,true", "column `x`: invalid float literal: `1.5x`"),
        ("a,,bad,7,,,true", "column `x`: the value is missing, and the type is no `Option`: ``"),
        ("a,1,bad,-7,,,true", "column `n`: invalid digit found in string: `-7`"),
        ("a,1,bad,7,,1..2,true", "column `y`: invalid float literal: `1..2`"),
        ("a,1,odd,7,,,true", "column `kind`: unknown variant `odd`, expected `good` or `bad`: `odd`"),
        ("a,1,bad,7,,,maybe", "column `yes`: neither `true` nor `false`: `maybe`"),
        ("a,1,bad", "3 fields instead of 7: `a1bad`"),
    ];
    for (row, problem) in table {
        assert_eq!(error(row), format!("t.csv, line 4, byte 49: bad record: {problem}"));
    }
    let long = error(&format!("a,{},bad,7,,,true", "9x".repeat(100)));
    assert!(long.ends_with("9x…`") && long.len() < 160, "{long}");
    let missing = error_of::<Typed>("word,x\na,1\n");
    assert_eq!(missing, "t.csv, line 2, byte 7: bad record: missing field `n`; the columns are `word`, `x`");
    // Carriage returns count no lines.
    let returns = error_of::<(u8, u8)>("a,b\r1,2\r3,x\r");
    assert_eq!(returns, "t.csv, byte 8: bad record: column `b`: invalid digit found in string: `x`");
    let open = error_of::<Row>("a,b\n1,2\n3,\"4\n5,6\n");
    assert_eq!(open, "t.csv, line 3, byte 8: bad record: a quote is not closed");
}

#[test]
fn records_have_a_longest_length() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), format!("a\n1\n\"{}\"\n", "x\n".repeat(400_000))).expect("written");
    let read = |longest| read(file.path(), &reading(1 << 20, 1 << 10).longest_line(longest));
    let error = read(300_000).expect_err("too long").to_string();
    assert!(error.contains("line 3, byte 4: a record is longer than 300000 bytes"), "{error}");
    assert_eq!(read(900_000).expect("records").1.len(), 2);
}

#[test]
fn separators_that_cannot_be_are_refused() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), b"a\xFEb\n1\xFE\"2\xFE\n\"\n").expect("written");
    everywhere(|client, reading| {
        for separator in *b"\"\n\r\xFE" {
            let error =
                client.read_csv_records_as::<Row>(file.path(), separator, reading).expect_err("refused");
            assert!(error.to_string().starts_with("separator "), "{error}");
        }
        let latin1 = reading.clone().encoding(Encoding::Latin1);
        let rows = client.read_csv_records_as::<(u8, String)>(file.path(), 0xFE, &latin1)?;
        assert_eq!(rows.collect().compute()?, [(1, "2þ\n".to_owned())]);
        Ok(())
    });
}

/// Rows of two fields in any form, and line ends of all kinds.
fn table(seed: u64) -> String {
    let fields =
        ["a", "", "1.5", "\"b\"", "\"c,d\"", "\"e\nf\"", "\"\r\n\"", "\"g\"\"h\"", "6\" pipe", "\"i\"j", "é"];
    let ends = ["\n", "\n", "\r\n", "\r", "\n\n", "\r\r", "\n  \n"];
    let mut state = seed;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut text = ["x,y\n", "\u{feff}x,y\r\n", "\n\"x\",y\r", " \t\n\nx,y\n"][next(4)].to_owned();
    for _ in 0..next(12) {
        // Pandas loses an empty first field behind a carriage return, with its separator.
        let first = fields[[0, 2, 3, 4, 5, 6, 7, 8, 9, 10][next(10)]];
        text += &format!("{first},{}{}", fields[next(fields.len())], ends[next(ends.len())]);
    }
    text
}

const PANDAS: &str = "
import json, sys, pandas
for name in sys.argv[1:]:
    rows = pandas.read_csv(name, dtype=str, na_filter=False, index_col=False)
    print(json.dumps([list(rows.columns)] + rows.values.tolist()))
";

/// Pandas is asked where it is installed.
#[test]
fn pandas_reads_the_same() {
    let Some(python) = std::env::var_os("SERRIED_TEST_PYTHON") else {
        return eprintln!("skipped: no Python");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let files: Vec<_> = (0..200).map(|seed| folder.path().join(format!("{seed:03}"))).collect();
    for (seed, file) in (0..).zip(&files) {
        fs::write(file, table(seed)).expect("written");
    }
    let has_pandas = std::process::Command::new(&python).args(["-c", "import pandas"]).output();
    if !has_pandas.is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: no pandas");
    }
    let output =
        std::process::Command::new(&python).args(["-c", PANDAS]).args(&files).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("text");
    assert_eq!(lines.lines().count(), files.len());
    for (file, line) in files.iter().zip(lines.lines()) {
        let mut expected: Vec<Row> = serde_json::from_str(line).expect("rows");
        let columns = expected.remove(0);
        for block in [1, 7, 1 << 20] {
            let found = read(file, &reading(block, 10)).expect("records");
            let text = fs::read_to_string(file).expect("text");
            assert_eq!(found, (columns.clone(), expected.clone(), 0), "{text:?}");
        }
    }
}
