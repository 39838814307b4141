//! What records with separated fields cost, beside the csv crate on one thread.
//!
//! ```text
//! cargo bench --bench records -- [rows] [threads]
//! ```
//!
//! Rows of seven fields, one of them a text that is quoted now and then, are written to a file and read as structs;
//! the sum of a column is computed. Prints the least time of nine runs
//! each, and the least work: what the threads were busy, which other programs on the machine hardly change.

use serde::{Deserialize, Serialize};
use serried::{Builder, Client, Scheduler};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt::Write,
    path::Path,
    time::{Duration, Instant},
};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Flight {
    number: u64,
    carrier: String,
    origin: String,
    distance: f64,
    delay: Option<f64>,
    remark: String,
    cancelled: u8,
}

fn text(rows: u64) -> String {
    let mut text = "number,carrier,origin,distance,delay,remark,cancelled\n".to_owned();
    for row in 0..rows {
        let mixed = row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        let (carrier, origin) =
            (["UA", "DL", "AA"][(mixed % 3) as usize], ["SFO", "JFK"][(mixed % 2) as usize]);
        let (distance, delay) = (mixed as f64 / 1e9, (mixed % 1000) as f64 / 8.0);
        let remark = if mixed % 16 == 0 { "\"late, again\"" } else { "on time" };
        match mixed % 5 {
            0 => writeln!(text, "{row},{carrier},{origin},{distance:.3},,{remark},{}", mixed % 2),
            _ => writeln!(text, "{row},{carrier},{origin},{distance:.3},{delay},{remark},{}", mixed % 2),
        }
        .expect("text");
    }
    text
}

/// What each thread has worked.
fn work() -> BTreeMap<OsString, Duration> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        Some((task.file_name(), Duration::from_nanos(text.split(' ').next()?.parse().ok()?)))
    };
    tasks.filter_map(of).collect()
}

/// What the threads that there are have worked since then; those of a run before may have ended.
fn work_since(before: &BTreeMap<OsString, Duration>) -> Duration {
    work().iter().map(|(task, work)| *work - before.get(task).copied().unwrap_or_default()).sum()
}

/// The least time of some runs of a program, which all give the same, and the least work of one.
fn least<T: PartialEq + std::fmt::Debug>(mut run: impl FnMut() -> T) -> (T, [Duration; 2]) {
    let mut runs = (0..9).map(|_| {
        let start = (Instant::now(), work());
        (run(), [start.0.elapsed(), work_since(&start.1)])
    });
    let (value, mut least) = runs.next().expect("there are some");
    for (other, times) in runs {
        assert_eq!(value, other);
        least = [least[0].min(times[0]), least[1].min(times[1])];
    }
    (value, least)
}

fn by_the_csv_crate(file: &Path) -> (u64, f64) {
    let mut reader = csv::Reader::from_path(file).expect("a file");
    let flights = reader.deserialize().map(|flight: csv::Result<Flight>| flight.expect("a flight"));
    flights.fold((0, 0.0), |(count, sum), flight| (count + 1, sum + flight.delay.unwrap_or(0.0)))
}

fn main() -> serried::Result<()> {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse().ok());
    let (rows, threads) = (numbers.next().unwrap_or(300_000), numbers.next().unwrap_or(2));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("flights.csv");
    let text = text(rows);
    std::fs::write(&file, &text).expect("written");
    let megabytes = text.len() as f64 / 1e6;
    println!("{rows} rows, {megabytes:.1} MB");
    let show = |name: &str, [time, work]: [Duration; 2]| {
        let [time, work] = [time, work].map(|time| time.as_secs_f64());
        println!("{name}: {time:.3} s, work {work:.3} s, {:.0} MB/s of work", megabytes / work);
    };
    let (expected, time) = least(|| by_the_csv_crate(&file));
    show("csv crate, one thread", time);
    for threads in [1, threads as usize] {
        let measure = |client: &Client| -> serried::Result<()> {
            let read = || {
                let flights = client.read_csv_records::<Flight>(&file, b',')?;
                let delays = flights.map(|flight| flight.delay.unwrap_or(0.0));
                client.compute((&delays.count(), &delays.sum()))
            };
            let (found, time) = least(|| read().expect("flights"));
            assert_eq!(found, expected);
            show(&format!("serried, {threads} threads"), time);
            Ok(())
        };
        Builder::new().scheduler(Scheduler::Threads).workers(threads).run(measure)?;
    }
    Ok(())
}
