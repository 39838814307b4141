//! Random choices go by where values come from, and by nothing else.

use crate::bag::{
    Encoding, Faults, Reading,
    read::tests::compressed::{WAYS, Way},
};
use crate::{Builder, Client, Result, Scheduler};
use std::{collections::BTreeSet, fs, path::Path};

/// Runs a program on different numbers of threads and with different blocks; all give the same.
fn everywhere<R: PartialEq + std::fmt::Debug + Send>(
    program: impl Fn(&Client, Reading) -> Result<R> + Sync,
) -> R {
    let mut results = Vec::new();
    for (threads, block) in [(1, 1u64 << 20), (1, 40), (3, 101), (2, 700)] {
        let scheduler = if threads == 1 { Scheduler::Synchronous } else { Scheduler::Threads };
        let builder = Builder::new().scheduler(scheduler).workers(threads);
        results
            .push(builder.run(|client| program(client, Reading::new().block_bytes(block))).expect("it runs"));
    }
    let first = results.remove(0);
    results.iter().for_each(|result| assert_eq!(*result, first));
    first
}

/// The same text as it is and compressed in every way, in parts that end anywhere.
fn write(folder: &Path, text: &[u8]) -> Vec<std::path::PathBuf> {
    let parts: Vec<&[u8]> = text.chunks(97).collect();
    let plain = folder.join("plain");
    fs::write(&plain, text).expect("written");
    let compressed = WAYS.iter().map(|way: &Way| {
        let name = folder.join(format!("{way:?}"));
        fs::write(&name, way.compress(&parts)).expect("written");
        name
    });
    std::iter::once(plain.clone()).chain(compressed).collect()
}

#[test]
fn samples_do_not_depend_on_blocks_or_compression() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = |i: u64| format!("{i} {} w{}\n", "x".repeat((i * 37 % 11) as usize), i % 7).into_bytes();
    let text: Vec<u8> = (0..200)
        .flat_map(|i| if i % 5 == 0 { [&b"\xE9\xFF "[..], &line(i)].concat() } else { line(i) })
        .collect();
    let files = write(folder.path(), &text);
    let settings: [fn(Reading) -> Reading; 3] = [
        |reading| reading.encoding(Encoding::Latin1),
        |reading| reading.encoding(Encoding::Replace),
        |reading| reading.faults(Faults::Skip),
    ];
    for setting in settings {
        let mut results = Vec::new();
        for file in &files {
            results.push(everywhere(|client, reading| {
                let lines = client.read_text_as(file, &setting(reading))?;
                let words = lines.flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
                let parts = lines.parts(|line, parts| line.split(' ').for_each(|word| parts.push(word)));
                let lengths = lines.map(|line| line.len() as u64);
                client.compute((
                    &lines.sample(0.3, 1).collect(),
                    &lines.filter(|line| line.contains("w3")).map(str::to_owned).sample(0.5, 1).collect(),
                    &words.sample(0.3, 1).collect(),
                    &parts.sample(0.3, 1).collect(),
                    &lengths.filter(|length| length % 2 == 0).sample(0.5, 9).collect(),
                    &lengths.sort_by_key(|length| *length).sample(0.4, 2).collect(),
                    &words.group_by(|word| word.clone()).map(|(word, _)| word).sample(0.4, 2).collect(),
                ))
            }));
        }
        let first = &results[0];
        assert!(first.0.len() > 30 && first.2.len() > 120 && first.3.len() > 120, "{first:?}");
        results.iter().for_each(|result| assert_eq!(result, first));
    }
}

#[test]
fn samples_of_records_do_not_depend_on_blocks_or_compression() {
    let folder = tempfile::tempdir().expect("a folder");
    let csv: String = (0..200).map(|i| format!("{i},\"{}\n\"\n", "x\n".repeat(i % 9))).collect();
    let json: String = (0..200).map(|i| format!("[{i}, \"{}é\"]\n\n", "x".repeat(i % 9))).collect();
    fs::create_dir(folder.path().join("csv")).expect("a folder");
    let csv = write(&folder.path().join("csv"), format!("i,text\n{csv}").as_bytes());
    let json = write(folder.path(), json.as_bytes());
    let mut results = Vec::new();
    for (csv, json) in csv.iter().zip(&json) {
        results.push(everywhere(|client, reading| {
            let csv = client.read_csv_records_as::<(u64, String)>(csv, b',', &reading)?;
            let json = client.read_json_lines_as::<(u64, String)>(json, &reading)?;
            let numbers = |pair: (u64, String)| pair.0;
            let both = csv.map(numbers).concat(&json.map(numbers));
            client.compute((
                &csv.map(numbers).sample(0.3, 5).collect(),
                &json.map(numbers).sample(0.3, 5).collect(),
                &both.sample(0.3, 5).collect(),
                &both.sort_by_key(|i| i % 13).sample(0.3, 5).collect(),
            ))
        }));
    }
    let (csv, json, both, _) = &results[0];
    assert!((30..90).contains(&csv.len()) && (30..90).contains(&json.len()), "{csv:?} {json:?}");
    assert_eq!(&both[..csv.len()], csv);
    results.iter().for_each(|result| assert_eq!(result, &results[0]));
}

/// How many of two samples are the same, of those in the first.
fn shared(a: &[u64], b: &[u64]) -> (usize, usize) {
    let a: BTreeSet<u64> = a.iter().copied().collect();
    (b.iter().filter(|value| a.contains(value)).count(), a.len())
}

#[test]
fn values_draw_independently() {
    everywhere(|client, _| {
        let a = client.bag_range(0..4_000);
        let twice = a.concat(&a).sample(0.5, 1).collect().compute()?;
        let first = a.sample(0.5, 1).collect().compute()?;
        assert_eq!(twice[..first.len()], first);
        let (same, all) = shared(&first, &twice[first.len()..]);
        assert!((all * 4 / 10..all * 6 / 10).contains(&same), "{same} of {all}");

        // Of the values that are made of one, each by itself.
        let pairs = a.flat_map(|i| [(i, 0u64), (i, 1)]).sample(0.5, 1).collect().compute()?;
        let of = |pairs: &[(u64, u64)], which| {
            pairs.iter().filter(|pair| pair.1 == which).map(|pair| pair.0).collect::<Vec<u64>>()
        };
        let (same, all) = shared(&of(&pairs, 0), &of(&pairs, 1));
        assert!((all * 4 / 10..all * 6 / 10).contains(&same), "{same} of {all}");
        let (same, all) = shared(&of(&pairs, 0), &first);
        assert!((all * 4 / 10..all * 6 / 10).contains(&same), "{same} of {all}");

        let table = client.broadcast(vec![0u64, 1])?;
        let product = a.product(&table).sample(0.5, 1).collect().compute()?;
        assert_eq!(product, pairs);
        // Many values of few: more than there are places between pieces.
        let many =
            client.bag_range(0..40).flat_map(|i| (0..1_000).map(|k| i * 1_000 + k).collect::<Vec<u64>>());
        let chosen = many.sample(0.5, 1).collect().compute()?;
        assert!((19_000..21_000).contains(&chosen.len()));
        for i in 1..40 {
            let of =
                |i: u64| chosen.iter().filter(|v| *v / 1_000 == i).map(|v| v % 1_000).collect::<Vec<u64>>();
            let (same, all) = shared(&of(0), &of(i));
            assert!((all * 35 / 100..all * 65 / 100).contains(&same), "{i}: {same} of {all}");
        }
        let mapped = a.map_partitions(|values| values).sample(0.5, 1).count().compute()?;
        assert!((1_850..2_150).contains(&mapped), "{mapped}");
        Ok(())
    });
}

#[test]
fn a_value_is_chosen_whatever_was_filtered_before() {
    let (all, even) = everywhere(|client, _| {
        let numbers = client.bag_range(5..3_000);
        let even = |i: &u64| i.is_multiple_of(2);
        client.compute((
            &numbers.sample(0.4, 7).filter(even).collect(),
            &numbers.filter(even).filter_map(Some).sample(0.4, 7).collect(),
        ))
    });
    assert_eq!(all, even);
}

#[test]
fn a_fraction_is_from_0_to_1() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "a\nb\n").expect("written");
    let here = Builder::new().scheduler(Scheduler::Synchronous);
    let ran: Result<()> = here.run(|client| {
        let (lines, bag) = (client.read_text(file.path())?, client.bag_range(0..10));
        for wrong in [-0.5, 1.0 + f64::EPSILON, f64::NAN, f64::INFINITY] {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bag.sample(wrong, 1)));
            let problem = caught.expect_err("refused");
            let problem = problem.downcast_ref::<String>().expect("text");
            assert!(
                problem.starts_with("the fraction of a sample is a number from 0 to 1, not"),
                "{problem}"
            );
            assert!(
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lines.sample(wrong, 1))).is_err()
            );
        }
        assert_eq!(bag.sample(1.0, 1).count().compute()?, 10);
        assert_eq!(lines.sample(0.0, 1).count().compute()?, 0);
        Ok(())
    });
    ran.expect("it runs");
}
