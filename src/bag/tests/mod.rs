//! Bags give what serial programs give, on any number of threads and for any block size.

mod sampling;

use super::{Bag, Compression, Faults, Lines, Reading};
use crate::{Builder, Client, Result, Scheduler};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const TEXT: [&str; 4] = ["b 2\na 1\n\nc 30\na 4\r\n", "", "\u{feff}d 5\ne 6 é\nb 7", "a 8\n"];

fn write(folder: &Path) {
    for (number, text) in TEXT.iter().enumerate() {
        fs::write(folder.join(format!("in-{number}")), text).expect("written");
    }
}

fn serial() -> Vec<String> {
    TEXT.iter().flat_map(|text| text.trim_start_matches('\u{feff}').lines()).map(str::to_owned).collect()
}

fn number(line: &str) -> Option<(String, u64)> {
    let mut fields = line.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

/// Runs a program on different numbers of threads and with different blocks; all give the same.
fn everywhere<R: PartialEq + std::fmt::Debug + Send>(
    program: impl Fn(&Client, &Lines, &Path) -> Result<R> + Sync,
) -> R {
    let mut results = Vec::new();
    for (threads, block) in [(1, 1u64 << 20), (1, 1), (3, 5), (2, 13)] {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path());
        let scheduler = if threads == 1 { Scheduler::Synchronous } else { Scheduler::Threads };
        let builder = Builder::new().scheduler(scheduler).workers(threads);
        let result: Result<R> = builder.run(|client| {
            let reading = Reading::new().block_bytes(block);
            let lines = client.read_text_as(folder.path().join("in-*"), &reading)?;
            program(client, &lines, folder.path())
        });
        results.push(result.expect("it runs"));
    }
    let first = results.remove(0);
    results.iter().for_each(|result| assert_eq!(*result, first));
    first
}

#[test]
fn lines() {
    let (all, first, count, parts) = everywhere(|client, lines, _| {
        let short = lines.filter(|line| line.len() < 4);
        let words = lines.parts(|line, parts| line.split(' ').for_each(|word| parts.push(word)));
        let with = lines.filter_with(|line, (letter,): &(char,)| line.starts_with(*letter), ('a',));
        assert_eq!(with.take(2)?, ["a 1", "a 4"]);
        assert_eq!(with.take(99)?.len(), 3);
        let length = lines.fold(0, |sum, line| sum + line.len(), |a, b| a + b);
        assert_eq!(length.compute()?, serial().iter().map(String::len).sum::<usize>());
        let targets = (&lines.collect(), &short.first(3), &short.count(), &words.frequencies());
        let (all, first, count, words) = client.compute(targets)?;
        Ok((all, first, count, words.into_vec()))
    });
    assert_eq!(all, serial());
    assert_eq!(first, ["b 2", "a 1", ""]);
    assert_eq!(count, 7);
    assert_eq!(parts[0], ("".to_owned(), 1));
    assert_eq!(parts[2], ("2".to_owned(), 1));
}

#[test]
fn values() {
    type Found =
        (Vec<(String, u64)>, BTreeMap<String, u64>, BTreeMap<String, Vec<u64>>, Vec<u64>, Vec<String>);
    let (sorted, sums, groups, top, distinct): Found = everywhere(|client, lines, _| {
        let pairs = lines.filter_map(number);
        let sums = pairs.fold_by(|pair| pair.0.clone(), 0, |sum, pair| sum + pair.1, |a, b| a + b);
        let groups = pairs.map(|pair| pair).group_by(|pair| pair.0.clone());
        let numbers = pairs.map(|pair| pair.1);
        assert_eq!(numbers.reduce(|a, b| a * b).compute()?, Some(2 * 30 * 4 * 5 * 6 * 7 * 8));
        assert_eq!(client.compute((&numbers.min(), &numbers.max()))?, (Some(1), Some(30)));
        assert_eq!(client.compute((&numbers.any(|n| *n == 7), &numbers.all(|n| *n == 7)))?, (true, false));
        assert_eq!(numbers.filter(|n| *n > 99).min().compute()?, None);
        let halves = numbers.map(|n| n as f64 / 2.0);
        assert_eq!(client.compute((&halves.sum(), &halves.mean()))?, (31.5, 3.9375));
        assert_eq!(numbers.take(3)?, [2, 1, 30]);
        let (sorted, sums, groups, top, distinct) = client.compute((
            &pairs.sort_by_key(|pair| pair.0.clone()).collect(),
            &sums,
            &groups.collect(),
            &numbers.top(3),
            &pairs.map(|pair| pair.0).distinct().collect(),
        ))?;
        let groups =
            groups.into_iter().map(|(key, group)| (key, group.into_iter().map(|pair| pair.1).collect()));
        Ok((sorted, sums, groups.collect(), top, distinct))
    });
    let mut expected: Vec<(String, u64)> = serial().iter().filter_map(|line| number(line)).collect();
    expected.sort_by_key(|pair| pair.0.clone());
    assert_eq!(sorted, expected);
    assert_eq!((sums["a"], sums["b"], sums.len()), (13, 9, 5));
    assert_eq!(groups["a"], [1, 4, 8]);
    assert_eq!(top, [30, 8, 7]);
    assert_eq!(BTreeSet::from_iter(&distinct).len(), distinct.len());
    assert_eq!(BTreeSet::from_iter(distinct), BTreeSet::from(["a", "b", "c", "d", "e"].map(str::to_owned)));
}

#[test]
fn bags_that_were_put_together_are_shuffled_as_one() {
    let (sorted, groups, pairs, distinct) = everywhere(|client, lines, _| {
        let lengths = lines.map(|line| line.len() as u64);
        let both = lengths.concat(&client.bag_range(0..40_000).map(|i| i * i % 1009));
        let numbered = both.zip(&client.bag_range(0..50_000));
        let sorted = numbered.sort_by_key(|pair| pair.0);
        let groups = numbered.group_by(|pair| pair.0 % 10).map(|(key, pairs)| (key, pairs.len(), pairs[0]));
        client.compute((
            &sorted.collect(),
            &groups.collect(),
            &numbered.collect(),
            &both.distinct().collect(),
        ))
    });
    let both: Vec<u64> =
        serial().iter().map(|line| line.len() as u64).chain((0..40_000).map(|i| i * i % 1009)).collect();
    let expected: Vec<(u64, u64)> = both.iter().copied().zip(0..50_000).collect();
    assert_eq!(pairs, expected);
    let mut by_value = expected.clone();
    by_value.sort_by_key(|pair| pair.0);
    assert_eq!(sorted, by_value);
    assert_eq!(groups.len(), 10);
    for (key, count, first) in groups {
        let mut group = expected.iter().filter(|pair| pair.0 % 10 == key);
        assert_eq!(group.next(), Some(&first));
        assert_eq!(group.count() + 1, count);
    }
    assert_eq!(distinct.len(), BTreeSet::from_iter(&both).len());
    assert_eq!(BTreeSet::from_iter(distinct), BTreeSet::from_iter(both));
}

#[test]
fn small_tables_and_other_bags() {
    everywhere(|client, lines, _| {
        let pairs = lines.filter_map(number);
        let names = client.broadcast(BTreeMap::from([("a".to_owned(), 'A'), ("d".to_owned(), 'D')]))?;
        let joined = pairs.join(|pair| pair.0.clone(), &names).map(|(_, name)| name);
        assert_eq!(joined.collect().compute()?, ['A', 'A', 'D', 'A']);
        let both = client.bag_of(vec![1u64, 2]).concat(&pairs.map(|pair| pair.1));
        let (all, count, first, most) =
            client.compute((&both.collect(), &both.count(), &both.first(3), &both.top(1)))?;
        assert_eq!((count, most, &first[..], all.len()), (10, vec![30], &[1, 2, 2][..], 10));
        assert_eq!(both.take(4)?, [1, 2, 2, 1]);
        let factors = client.broadcast(vec![1u64, 10])?;
        let products = client.bag_range(1..3).product(&factors).map(|(a, b)| a * b);
        assert_eq!(products.collect().compute()?, [1, 10, 2, 20]);
        Ok(())
    });
}

#[test]
fn what_is_written_can_be_read() {
    let ways = [Compression::None, Compression::Gzip, Compression::Bzip2, Compression::Zstd, Compression::Xz];
    for way in ways {
        everywhere(|client, lines, folder| {
            lines.write_text(folder, "out", way).compute()?;
            assert_eq!(client.read_text(folder.join("out-*"))?.collect().compute()?, serial());
            let pairs: Bag<(String, u64)> = lines.filter_map(number);
            let names = pairs.write_json_lines(folder, "pairs", way).compute()?;
            let again = client.read_json_lines::<(String, u64)>(&names)?;
            assert_eq!(
                client.compute((&again.collect(), &again.skipped()))?,
                (pairs.collect().compute()?, 0)
            );
            let left = fs::read_dir(folder).expect("a folder").flatten();
            let hidden = left.filter(|entry| entry.file_name().to_string_lossy().starts_with('.')).count();
            assert_eq!(hidden, 0, "temporary files");
            Ok(())
        });
    }
}

#[test]
fn what_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = Builder::new().scheduler(Scheduler::Synchronous);
    let ran: Result<()> = here.run(|client| {
        write(folder.path());
        let nowhere = folder.path().join("nowhere");
        let lines = client.read_text(folder.path().join("in-*"))?;
        let error = lines.write_text(&nowhere, "out", Compression::None).compute().expect_err("no folder");
        let named = |name: &str, error: &crate::Error| {
            let wanted = format!("{}: cannot be written: ", name);
            assert!(error.to_string().contains(&wanted), "{error}");
        };
        named(&nowhere.join("out-00-000000.txt").display().to_string(), &error);
        let numbers = client.bag_of([1.0, f64::NAN]);
        let error =
            numbers.write_json_lines(folder.path(), "n", Compression::Gzip).compute().expect_err("NaN");
        named(&folder.path().join("n-00-000000.jsonl.gz").display().to_string(), &error);
        assert!(error.to_string().contains("JSON has no word for NaN"), "{error}");
        // A folder is where a file should be.
        fs::create_dir(folder.path().join("taken-00-000000.txt")).expect("a folder");
        let error =
            lines.write_text(folder.path(), "taken", Compression::None).compute().expect_err("a folder");
        named(&folder.path().join("taken-00-000000.txt").display().to_string(), &error);
        Ok(())
    });
    ran.expect("it runs");
}

#[test]
fn files_of_an_earlier_larger_run_are_not_mixed_with_new_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let here = Builder::new().scheduler(Scheduler::Synchronous);
    let ran: Result<()> = here.run(|client| {
        let one = client.bag_of([1, 2]);
        let both = one.concat(&client.bag_of([3]));
        assert_eq!(both.write_json_lines(folder, "n", Compression::None).compute()?.len(), 2);
        assert_eq!(both.write_json_lines(folder, "n", Compression::None).compute()?.len(), 2);
        // These are others.
        one.write_json_lines(folder, "n-01", Compression::None).compute()?;
        one.write_json_lines(folder, "n", Compression::Gzip).compute()?;
        let error = one.write_json_lines(folder, "n", Compression::None).compute().expect_err("one is left");
        let left = folder.join("n-01-000000.jsonl");
        assert!(error.to_string().contains(&format!("{} was there before", left.display())), "{error}");
        fs::remove_file(left).expect("it is there");
        assert_eq!(one.write_json_lines(folder, "n", Compression::None).compute()?.len(), 1);
        Ok(())
    });
    ran.expect("it runs");
}

#[test]
fn numbers_go_through_files_unchanged() {
    let numbers = |i: u64| {
        let bits = i.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let finite = |x: f64| if x.is_finite() { x } else { -0.0 };
        let single = f32::from_bits(bits as u32);
        let uniform = (bits >> 11) as f64 / (1u64 << 53) as f64;
        (finite(f64::from_bits(bits)), uniform, if single.is_finite() { single } else { -0.0 }, bits)
    };
    everywhere(|client, _, folder| {
        let written = client.bag_range(0..30_000).map(numbers);
        let names = written.write_json_lines(folder, "numbers", Compression::Zstd).compute()?;
        let read = client.read_json_lines::<(f64, f64, f32, u64)>(&names)?;
        let bits = |(x, y, z, n): (f64, f64, f32, u64)| (x.to_bits(), y.to_bits(), z.to_bits(), n);
        let (written, read) = client.compute((&written.map(bits).collect(), &read.map(bits).collect()))?;
        assert_eq!(written, read);
        Ok(())
    });
}

#[test]
fn bad_records_are_named_or_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("records");
    fs::write(&file, "1\n2\n\n\"x\"\n3\nnull\n").expect("written");
    let csv = folder.path().join("csv");
    fs::write(&csv, "name,n\na,1\nb\n\"c,d\",2\n\"e\n").expect("written");
    let builder = Builder::new().scheduler(Scheduler::Threads).workers(2);
    let ran: Result<()> = builder.run(|client| {
        for block in [1, 4, 100] {
            let reading = Reading::new().block_bytes(block);
            let numbers = client.read_json_lines_as::<u64>(&file, &reading)?;
            let error = numbers.count().compute().expect_err("a bad record").to_string();
            assert!(error.contains("records, line 4, byte 5: bad record: invalid type"), "{error}");
            let reading = reading.faults(Faults::Skip);
            let numbers = client.read_json_lines_as::<u64>(&file, &reading)?;
            assert_eq!(client.compute((&numbers.collect(), &numbers.skipped()))?, (vec![1, 2, 3], 2));
            let rows = client.read_csv_records_as::<(String, u8)>(&csv, b',', &reading)?;
            let expected = vec![("a".to_owned(), 1), ("c,d".to_owned(), 2)];
            assert_eq!(client.compute((&rows.collect(), &rows.skipped()))?, (expected, 2));
        }
        let rows = client.read_csv_records::<(String, u8)>(&csv, b',')?;
        let error = rows.count().compute().expect_err("a bad record").to_string();
        assert!(error.contains("csv, line 3, byte 11: bad record: 1 fields instead of 2: `b`"), "{error}");
        Ok(())
    });
    ran.expect("it runs");
}

#[test]
fn letters_of_a_bag_are_those_of_its_lines() {
    let same: BTreeSet<String> = everywhere(|_, lines, _| {
        let (a, b) = (lines.to_bag().frequencies().compute()?, lines.frequencies().compute()?);
        assert_eq!(a.clone().into_vec(), b.into_vec());
        Ok(a.into_vec().into_iter().map(|(line, _)| line).collect())
    });
    assert_eq!(same, serial().into_iter().collect());
}

#[test]
fn what_fails_is_named_by_the_line_that_asked_for_it() {
    let here = Builder::new().scheduler(Scheduler::Synchronous);
    let failed: Result<()> = here.run(|client| {
        let numbers = client.bag_range(0..10);
        let asked = [
            (line!(), numbers.map(|i| u64::from(5 / (i - i / 2 * 2 - i % 2) > 0)).count()),
            (line!(), numbers.filter(|i| 5 / (i - i) > 0).count()),
            (line!(), numbers.fold(0, |a, b| a + b / (b - b), |a, b| a + b)),
            (line!(), numbers.group_by(|i| 5 / (i - i)).count()),
            (line!(), numbers.sort_by_key(|i| 5 / (i - i)).count()),
        ];
        for (line, result) in asked {
            let error = result.compute().expect_err("a division by zero");
            let label = &error.task().expect("a task's failure").label;
            assert_eq!(*label, format!("{}:{line}", file!()));
        }
        Ok(())
    });
    failed.expect("failures are values");
}

/// Equal to all others of its number.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Numbered(u64, String);

impl PartialEq for Numbered {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl Eq for Numbered {}
impl PartialOrd for Numbered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Numbered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl std::hash::Hash for Numbered {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

#[test]
fn the_first_of_equal_values_stands_for_all() {
    let distinct = everywhere(|client, _, _| {
        let values = client.bag_range(0..100_000).map(|i| Numbered(i * i % 5, i.to_string()));
        let distinct = values.distinct().map(|value| value.1);
        distinct.collect().compute()
    });
    assert_eq!(BTreeSet::from_iter(distinct), BTreeSet::from(["0", "1", "2"].map(str::to_owned)));
}

#[test]
fn what_was_left_out_is_counted_behind_a_shuffle() {
    let counts = everywhere(|client, _, folder| {
        fs::write(folder.join("records.jsonl"), "{\"a\":1}\nno\n{\"a\":2}\n\n3\n").expect("written");
        let reading = Reading::new().faults(Faults::Skip);
        type Record = BTreeMap<String, u64>;
        let records = client.read_json_lines_as::<Record>(folder.join("records.jsonl"), &reading)?;
        let groups = records.group_by(|record| record["a"] % 2);
        let again = groups.map(|(key, _)| key).sort_by_key(|key| *key);
        let both = again.concat(&again);
        assert_eq!(again.take(1)?, [0]);
        client.compute((&records.skipped(), &groups.skipped(), &again.skipped(), &both.skipped()))
    });
    assert!(counts.0 > 0);
    assert_eq!(counts, (counts.0, counts.0, counts.0, 2 * counts.0));
}

#[test]
fn a_result_that_fails_leaves_no_temporary_files() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("in"), "1\n2\n3\nx\n5\n".repeat(1000)).expect("written");
    let out = folder.path().join("out");
    fs::create_dir(&out).expect("room");
    let ran: Result<()> = Builder::new().scheduler(Scheduler::Threads).workers(2).run(|client| {
        let reading = Reading::new().block_bytes(1000);
        let numbers = client.read_json_lines_as::<u64>(folder.path().join("in"), &reading)?;
        numbers.write_json_lines(&out, "numbers", Compression::Gzip).compute().expect_err("x is no number");
        let lines = client.read_text(folder.path().join("in"))?;
        lines
            .map(|line| line.parse::<u64>().expect("a number"))
            .write_json_lines(&out, "n", Compression::None)
            .compute()
            .expect_err("x is no number");
        // What is there is not taken for input.
        let error = client.read_text(out.join("*")).expect_err("nothing is complete").to_string();
        assert!(error.contains("out/*: no file matches"), "{error}");
        lines.write_text(&out, "lines", Compression::None).compute()?;
        assert_eq!(client.read_text(out.join("*"))?.count().compute()?, 5000);
        Ok(())
    });
    ran.expect("it runs");
    let left = fs::read_dir(&out).expect("a folder").flatten().map(|entry| entry.file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["lines-00-000000.txt"]);
}

#[test]
fn a_range_may_end_with_the_last_integer() {
    let range = u64::MAX - 20_000..u64::MAX;
    let values = everywhere(|client, _, _| client.bag_range(range.clone()).collect().compute());
    assert!(values.into_iter().eq(range));
}
