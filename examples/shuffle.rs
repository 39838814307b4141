//! Values that have to meet: pseudo-random records are grouped by a key, sorted, made distinct, paired, or scattered.
//!
//! Every record goes to the rank that has its key; what a rank does not hold in memory (`SERRIED_SPILL_ABOVE`)
//! goes to a file on its node (`SERRIED_SCRATCH`).

mod cli;

use clap::{Parser, ValueEnum};
use cli::{Digest, Flags, Report};
use serde_json::json;
use serried::{Client, Share, ShareError, bag::Bag};
use std::time::Instant;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    #[arg(long, value_enum, default_value_t = Operation::Group)]
    op: Operation,
    /// Records
    #[arg(long, default_value_t = 1_000_000)]
    n: u64,
    /// Different keys
    #[arg(long, default_value_t = 1000)]
    keys: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Operation {
    /// The number, the first and the last record of each key
    Group,
    /// The records in the order of their keys
    Sort,
    /// The different keys
    Distinct,
    /// Each record with the square of its number
    Zip,
    /// The numbers alone, in as many buckets as there are keys
    Scatter,
}

/// A key, and the number of the record.
type Record = (u64, u64);

/// A mixture of the bits of a number.
fn mixed(number: u64) -> u64 {
    let mut v = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    v ^= v >> 32;
    v = v.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    v ^ (v >> 32)
}

fn main() -> std::process::ExitCode {
    let Arguments { flags, op, n, keys } = Arguments::parse();
    flags.run("shuffle", |client| {
        let records = client.bag_range(0..n).map_with(|i, (keys,)| (mixed(i) % keys, i), (keys,));
        let start = Instant::now();
        let (count, sum) = match op {
            Operation::Group => grouped(client, &records, n)?,
            Operation::Sort => sorted(&records, n)?,
            Operation::Distinct => {
                let distinct = records.map(|record| record.0).distinct();
                client
                    .compute((&distinct.count(), &distinct.fold(0, u64::wrapping_add, u64::wrapping_add)))?
            }
            Operation::Zip => {
                let squares = client.bag_range(0..n).map(|i| i.wrapping_mul(i));
                let pairs = records.zip(&squares);
                let right = pairs.all(|((_, i), square)| i.wrapping_mul(*i) == *square);
                let sum = pairs.map(|((key, _), square)| key ^ square);
                let sum = sum.fold(0, u64::wrapping_add, u64::wrapping_add);
                let (count, right, sum) = client.compute((&pairs.count(), &right, &sum))?;
                assert!(right && count == n, "every record has met its square");
                (count, sum)
            }
            Operation::Scatter => scattered(client, n, keys)?,
        };
        let seconds = start.elapsed().as_secs_f64();
        flags.say(format_args!(
            "{op:?}: {count} results in {seconds:.3} s, {:.1} ns a record",
            seconds * 1e9 / n as f64
        ));
        if let Some(peak) = peak_megabytes() {
            flags.say(format_args!("rank 0 had {peak} MB of memory at most"));
        }
        if keys.saturating_mul(20) < n && matches!(op, Operation::Group | Operation::Distinct) {
            assert_eq!(count, keys, "every key occurs");
        }
        let digest = Digest::of_numbers([count as f64, (sum >> 32) as f64, (sum & 0xFFFF_FFFF) as f64]);
        Ok(Report { tasks: n, digest, result: json!({ "count": count, "checksum": sum.to_string() }) })
    })
}

/// How many groups there are, and a checksum over them. In each the records stand in their order.
fn grouped(client: &Client, records: &Bag<Record>, n: u64) -> serried::Result<(u64, u64)> {
    let groups = records.group_by(|record| record.0).map(|(key, group)| {
        assert!(group.is_sorted() && group.iter().all(|record| record.0 == key));
        (key, group.len() as u64, group[0].1, group[group.len() - 1].1)
    });
    let mix = |sum: u64, (key, count, first, last)| {
        sum.wrapping_add(mixed(key ^ mixed(count ^ mixed(first ^ mixed(last)))))
    };
    let total = groups.fold(0, |total, group| total + group.1, |a, b| a + b);
    let checksum = groups.fold(0, mix, u64::wrapping_add);
    let (count, total, checksum) = client.compute((&groups.count(), &total, &checksum))?;
    assert_eq!(total, n, "every record is in a group");
    Ok((count, checksum))
}

/// How many records there are, and a checksum over them in their order.
fn sorted(records: &Bag<Record>, n: u64) -> serried::Result<(u64, u64)> {
    let sorted = records.sort_by_key(|record| record.0);
    // What begins and what ends a piece must fit to what stands beside it.
    let pieces = sorted.map_partitions(|records| {
        assert!(records.is_sorted());
        let sum = records.iter().fold(0, |sum, record| mixed(sum ^ record.1));
        records
            .first()
            .zip(records.last())
            .map(|(first, last)| (*first, *last, records.len() as u64, sum))
            .into_iter()
            .collect()
    });
    let pieces: Vec<(Record, Record, u64, u64)> = pieces.collect().compute()?;
    assert!(pieces.windows(2).all(|pair| pair[0].1 < pair[1].0), "the pieces are in order");
    let count = pieces.iter().map(|piece| piece.2).sum();
    assert_eq!(count, n, "nothing is lost");
    Ok((count, pieces.iter().fold(0, |sum, piece| mixed(sum ^ piece.3))))
}

/// How many numbers there are in all buckets, and a checksum over them in their order.
fn scattered(client: &Client, n: u64, buckets: u64) -> serried::Result<(u64, u64)> {
    let numbers = client.map_with(|i, (buckets,)| Some((mixed(i) % buckets, i)), 0..n, (buckets,));
    let shuffled = numbers.shuffle(buckets);
    let read = |bucket, (share,): &(Share<u64>,)| {
        let numbers = share.read(bucket)?;
        assert!(numbers.is_sorted());
        let sum = numbers.iter().fold(bucket, |sum, number| mixed(sum ^ number));
        Ok::<_, ShareError>((numbers.len() as u64, sum))
    };
    let sums = client.try_map_with(read, shuffled.buckets(), (&shuffled,));
    let total = sums.reduce(|a, b| (a.0 + b.0, a.1.wrapping_add(b.1)));
    let (count, sum) = total.compute()?;
    assert_eq!(count, n, "nothing is lost");
    Ok((count, sum))
}

/// The most memory that this process has had, where the system tells.
fn peak_megabytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024 / 1_000_000)
}
