//! Bags of lines give the same everywhere, and what a serial program finds.

use crate::answers::the_same_everywhere;
use serde_json::{Value, json};
use std::{fmt::Write, fs, io::Write as _, path::Path};

/// Log lines as the example reads them; some are too short or in other languages.
fn log() -> String {
    let mut lines = String::new();
    for number in 0..20_000u64 {
        let mixed = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let language = ["en", "de", "fr", "en", "ja"][(mixed % 5) as usize];
        let page =
            ["Barack_Obama", "Main_Page", "Obama", "obama", "List_of_rivers"][(mixed / 5 % 5) as usize];
        match mixed % 97 {
            0 => writeln!(lines, "20081101 {number} {language} {page}"),
            1 => writeln!(lines),
            _ => writeln!(lines, "20081101 000000 {language} {page}_{} {number} 5", mixed % 7),
        }
        .expect("text");
    }
    lines
}

fn matches(line: &str) -> bool {
    let fields: Vec<&str> = line.split(' ').collect();
    fields.len() >= 6 && fields[3].contains("Obama") && fields[2] == "en"
}

/// The log in a few files, compressed in different ways.
fn write(folder: &Path, log: &str) {
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let part = |number: usize| lines[number * 5_000..(number + 1) * 5_000].concat();
    fs::write(folder.join("part-0"), part(0)).expect("written");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(part(1).as_bytes()).expect("compressed");
    fs::write(folder.join("part-1"), gzip.finish().expect("compressed")).expect("written");
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(1));
    bzip2.write_all(part(2).as_bytes()).expect("compressed");
    fs::write(folder.join("part-2"), bzip2.finish().expect("compressed")).expect("written");
    fs::write(folder.join("part-3"), zstd::encode_all(part(3).as_bytes(), 1).expect("compressed"))
        .expect("written");
}

fn run(folder: &Path, op: &str) -> Value {
    let files = folder.join("part-*").display().to_string();
    the_same_everywhere("wiki_filter", &format!("--files {files} --op {op} --block-bytes 20000"))
}

#[test]
fn wiki_filter() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log();
    write(folder.path(), &log);
    let found: Vec<&str> = log.lines().filter(|line| matches(line)).collect();
    let expected = json!({ "lines": 20_000, "matching": found.len(), "first": found[..5] });
    assert_eq!(run(folder.path(), "both"), expected);
    assert_eq!(run(folder.path(), "take"), json!(found[..5]));
    let languages = run(folder.path(), "langfreq");
    let english = log.lines().filter(|line| line.split(' ').nth(2) == Some("en")).count();
    assert_eq!(languages["top"][0], json!(["en", english]));
    assert_eq!(languages["sum"], 20_000);
}

#[test]
fn shuffle() {
    use crate::launcher::{Start, mpiexec, run};
    for op in ["group", "sort", "distinct", "zip"] {
        let arguments = ["--n", "60000", "--keys", "700", "--op", op];
        let result = the_same_everywhere("shuffle", &arguments.join(" "));
        assert_eq!(result["count"], if matches!(op, "sort" | "zip") { 60_000 } else { 700 });
        // Memory for a few values makes no difference.
        let start = if mpiexec().is_some() { Start::Ranks(3) } else { Start::Plain };
        let arguments = [&arguments[..], &["--threads", "1", "--json"]].concat();
        let spilled = run(start, "shuffle", &arguments, &[("SERRIED_SPILL_ABOVE", "2K")]);
        assert_eq!(spilled.json()["result"], result);
    }
    let nowhere = [("SERRIED_SPILL_ABOVE", "2K"), ("SERRIED_SCRATCH", "/nowhere/at/all")];
    let ended = run(Start::Plain, "shuffle", &["--n", "60000"], &nowhere);
    assert_ne!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("/nowhere/at/all") && ended.stderr.contains("SERRIED_SCRATCH"),
        "{ended:?}"
    );
}

#[test]
fn a_disk_without_room_for_a_shuffle_is_named() {
    use crate::launcher::{example, finish};
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""]).arg(example("shuffle"));
    command.args(["--n", "200000"]).env("SERRIED_SPILL_ABOVE", "2K").env("SERRIED_SCRATCH", folder.path());
    let ended = finish(command, &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let scratch = folder.path().display().to_string();
    assert!(ended.stderr.contains(&scratch) && ended.stderr.contains("File too large"), "{ended:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is left");
}

#[test]
fn what_cannot_be_read_is_said() {
    use crate::launcher::{Start, run};
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("part-*").display().to_string();
    let ended = run(Start::Plain, "wiki_filter", &["--files", &files], &[]);
    assert_ne!(ended.code, Some(0));
    assert!(ended.stderr.contains("no file matches"), "{ended:?}");
    fs::write(folder.path().join("part-0"), b"a\nb\nc\xE9\n").expect("written");
    let ended = run(Start::Plain, "wiki_filter", &["--files", &files], &[]);
    assert_ne!(ended.code, Some(0));
    assert!(ended.stderr.contains("part-0, line 3, byte 4: not valid UTF-8"), "{ended:?}");
    let skipped =
        run(Start::Plain, "wiki_filter", &["--files", &files, "--op", "count", "--skip", "--json"], &[]);
    assert_eq!(skipped.json()["result"], 2);
}

/// A shell's command line that gives an example its standard input, in every way in which it can be started.
fn with_input(input: &str, arguments: &str, is_long: bool) -> Vec<Value> {
    use crate::launcher::{example, finish, mpiexec};
    let program = format!("{} {arguments} --json", example("wiki_filter").display());
    let mut ways = vec![(program.clone(), "threads"), (program.clone(), "synchronous")];
    // MPICH's launcher ends a job that does not read as fast as the input comes.
    let can_launch = |mpiexec: &&str| !is_long || mpiexec.contains("openmpi");
    if let Some(mpiexec) = mpiexec().filter(can_launch) {
        ways.push((format!("{mpiexec} -n 3 {program}"), "mpi"));
        ways.push((program, "processes"));
    }
    let results = ways.into_iter().map(|(way, scheduler)| {
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &input.replace("PROGRAM", &way)]);
        let workers = if scheduler == "processes" { "2" } else { "1" };
        let variables = [("SERRIED_SCHEDULER", scheduler), ("SERRIED_WORKERS", workers)];
        let variables =
            if matches!(scheduler, "mpi" | "synchronous") { &variables[..1] } else { &variables[..] };
        let ended = finish(command, variables);
        assert_eq!(ended.code, Some(0), "{way}: {ended:?}");
        ended.json()["result"].clone()
    });
    results.collect()
}

#[test]
fn standard_input_pipes_and_substitutions_are_read_by_all_ranks() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("numbers").display().to_string();
    for count in [5_000, 400_000] {
        let numbers: String = (1..=count).map(|number| format!("{number}\n")).collect();
        fs::write(&file, numbers).expect("written");
        let count_of_stdin = "--files /dev/stdin --op count --block-bytes 100000";
        for (input, arguments, expected) in [
            (format!("seq {count} | PROGRAM"), count_of_stdin, count),
            (format!("seq {count} | gzip | PROGRAM"), count_of_stdin, count),
            (format!("PROGRAM < {file}"), count_of_stdin, count),
            (format!("PROGRAM <<< $(cat {file})"), count_of_stdin, count),
            (
                format!("PROGRAM < <(seq {count})"),
                "--files /dev/stdin --files /dev/stdin --op count",
                2 * count,
            ),
        ] {
            for found in with_input(&input, arguments, count > 5_000) {
                assert_eq!(found, expected, "{input} {arguments}");
            }
        }
    }
}

#[test]
fn what_could_not_be_written_leaves_nothing() {
    use crate::launcher::{Start, example, finish, mpiexec, run};
    let folder = tempfile::tempdir().expect("a folder");
    let (file, out) = (folder.path().join("in"), folder.path().join("out"));
    fs::create_dir(&out).expect("room");
    let (from, to) = (file.display().to_string(), out.display().to_string());
    let arguments = ["--op", "write", "--files", &from, "--folder", &to, "--block-bytes", "20000"];

    // A limit on the size of files stands for a disk that is full.
    let short = "a line of a unit that fits\n".repeat(3_000);
    let long = format!("{}\n", "a line of a unit that does not fit ".repeat(6_000));
    fs::write(&file, short.clone() + &long).expect("written");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""]).arg(example("wiki_filter"));
    command.args(arguments);
    let ended = finish(command, &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("cannot be written") && ended.stderr.contains("lines-00-"), "{ended:?}");
    assert!(ended.stderr.contains("File too large"), "{ended:?}");
    assert_eq!(fs::read_dir(&out).expect("a folder").count(), 0);

    // Units before the wrong line are written by all ranks.
    fs::write(&file, [short.repeat(5).as_bytes(), b"\xFF\n"].concat()).expect("written");
    let ranks = if mpiexec().is_some() { &[Start::Plain, Start::Ranks(1), Start::Ranks(3)][..] } else { &[] };
    for &start in ranks {
        let ended = run(start, "wiki_filter", &arguments, &[]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("not valid UTF-8"), "{ended:?}");
        assert_eq!(fs::read_dir(&out).expect("a folder").count(), 0, "{start:?}");
    }
}
