//! How much memory the ranks have used.

use serried::{prelude::*, whereabouts};
use std::{collections::BTreeMap, fs};

/// Elements enough that every thread of every rank is handed some.
const PIECES_PER_THREAD: u64 = 64;

/// From here on, peaks count anew. Where the kernel does not do that, they are those since the start.
pub(crate) fn forget_peaks(client: &Client) -> serried::Result<()> {
    let forget = |_: u64| u64::from(fs::write("/proc/self/clear_refs", "5").is_ok());
    client.map(forget, 0..PIECES_PER_THREAD * client.threads() as u64).count().compute()?;
    Ok(())
}

/// The most memory that each rank that computes has had, in MB.
pub(crate) fn peaks(client: &Client) -> serried::Result<BTreeMap<usize, u64>> {
    let pieces = client.map(peak_megabytes, 0..PIECES_PER_THREAD * client.threads() as u64).compute()?;
    let mut peaks = BTreeMap::new();
    for (rank, megabytes) in pieces {
        let peak = peaks.entry(rank).or_insert(0);
        *peak = megabytes.max(*peak);
    }
    Ok(peaks)
}

fn peak_megabytes(_piece: u64) -> (usize, u64) {
    let rank = whereabouts().map_or(0, |place| place.rank);
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok());
    (rank, kilobytes.unwrap_or(0) / 1000)
}
