//! What records with separated fields cost, beside the csv crate on one thread.
//!
//! ```text
//! cargo bench --bench records -- [rows] [threads]
//! ```
//!
//! Rows of seven fields, one of them a text that is quoted now and then, are written to a file and read as structs;
//! the sum of a column is computed. Prints the least time of nine runs each.

use serde::{Deserialize, Serialize};
use serried::{Builder, prelude::*};
use std::{
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

/// The least time of some runs of a program, which all give the same.
fn least<T: PartialEq + std::fmt::Debug>(mut run: impl FnMut() -> T) -> (T, Duration) {
    let mut runs = (0..9).map(|_| {
        let start = Instant::now();
        (run(), start.elapsed())
    });
    let (value, mut least) = runs.next().expect("there are some");
    for (other, time) in runs {
        assert_eq!(value, other);
        least = least.min(time);
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
    let show = |name: &str, time: Duration| {
        println!("{name}: {:.3} s, {:.0} MB/s", time.as_secs_f64(), megabytes / time.as_secs_f64());
    };
    let (expected, time) = least(|| by_the_csv_crate(&file));
    show("csv crate, one thread", time);
    for threads in [1, threads as usize] {
        Builder::new().scheduler(serried::Scheduler::Threads).workers(threads).run(|client| {
            let read = || {
                let flights = client.read_csv_records::<Flight>(&file, b',')?;
                let delays = flights.map(|flight| flight.delay.unwrap_or(0.0));
                client.compute((&flights.count(), &delays.sum()))
            };
            let (found, time) = least(|| read().expect("flights"));
            assert_eq!(found, expected);
            show(&format!("serried, {threads} threads"), time);
            Ok(())
        })?;
    }
    Ok(())
}
