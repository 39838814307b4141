//! Large data: how many copies there are of it, that it may be longer than 2^31 bytes, and that a shuffle moves it out
//! of memory.

use crate::launcher::{Ended, Start, example, finish, mpiexec, run};
use std::process::Command;

/// Runs `broadcast`, which checks its own result; the copies that it counts on this node.
fn copies(ranks: usize, n: u64, way: &str) -> f64 {
    let n = n.to_string();
    let arguments = ["--n", &n, "--p", "4", "--way", way, "--threads", "1"];
    counted(&run(Start::Ranks(ranks), "broadcast", &arguments, &[]))
}

fn counted(ended: &Ended) -> f64 {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let said = ended.stdout.lines().find_map(|line| line.split(" MB, ").nth(1)?.split_once(" copies"));
    said.and_then(|(copies, _)| copies.parse().ok()).unwrap_or_else(|| panic!("{ended:?}"))
}

#[test]
fn a_shared_slice_is_once_on_a_node() {
    if mpiexec().is_none() || cfg!(not(target_os = "linux")) {
        return;
    }
    // 160 MB, beside which the programs themselves are small.
    let shared = copies(3, 20_000_000, "shared");
    assert!(shared < 1.4, "{shared}");
    let copied = copies(2, 20_000_000, "copied");
    assert!(copied < 1.4, "{copied}");
    assert!(copies(2, 20_000_000, "broadcast") > 2.0, "a copy on each rank is noticed");
}

#[test]
fn a_shared_slice_is_once_on_each_of_several_nodes() {
    let Some(mpiexec) = mpiexec() else { return };
    let may = Command::new("unshare").args(["--uts", "true"]).status().is_ok_and(|status| status.success());
    if !may || cfg!(not(target_os = "linux")) {
        println!("skipped: this user may not give processes host names of their own");
        return;
    }
    // Five ranks on three hosts, by their names; 80 MB.
    let rank = "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}";
    let script = format!("hostname node$(({rank} / 2)) && exec {}", example("broadcast").display());
    let script = format!("{script} --n 10000000 --p 10 --way shared --threads 1");
    let mut command = Command::new(mpiexec);
    command.args(["-n", "5", "unshare", "--uts", "bash", "-c", &script]);
    let copies = counted(&finish(command, &[]));
    assert!((2.9..4.5).contains(&copies), "{copies}");
}

/// Takes tens of seconds and most of 24 GB: runs when asked for.
#[test]
fn data_may_be_longer_than_two_to_the_31_bytes() {
    if mpiexec().is_none() || std::env::var_os("SERRIED_TEST_LARGE").is_none() {
        println!("skipped: SERRIED_TEST_LARGE is not set");
        return;
    }
    const N: u64 = 270_000_000;
    for way in ["shared", "copied", "broadcast", "task"] {
        println!("{way}: {} copies", copies(2, N, way));
    }
}

/// The megabytes of memory that rank 0 needs to scatter `n` numbers over 65,536 buckets, of which it holds 64 MiB.
fn scattered(start: Start, n: &str) -> u64 {
    let arguments = ["--op", "scatter", "--n", n, "--keys", "65536", "--threads", "2"];
    let ended = run(start, "shuffle", &arguments, &[("SERRIED_SPILL_ABOVE", "64M")]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let said = ended.stdout.lines().find_map(|line| line.strip_prefix("rank 0 had ")?.split_once(" MB"));
    said.and_then(|(megabytes, _)| megabytes.parse().ok()).unwrap_or_else(|| panic!("{ended:?}"))
}

/// What a program may need beside what the limit of a shuffle is for.
const BESIDE: u64 = 150;
/// What a rank has sent and is not acknowledged, and what the other one has.
const ON_THE_WAY: u64 = 2 * 64;

#[test]
fn a_shuffle_of_small_values_keeps_to_its_limit() {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let alone = scattered(Start::Plain, "6000000");
    assert!(alone < 64 + BESIDE, "{alone} MB");
    if mpiexec().is_some() {
        let one_of_two = scattered(Start::Ranks(2), "12000000");
        assert!(one_of_two < 64 + BESIDE + ON_THE_WAY, "{one_of_two} MB");
    }
}

/// Takes tens of seconds: runs when asked for.
#[test]
fn a_shuffle_of_many_small_values_keeps_to_its_limit() {
    if cfg!(not(target_os = "linux")) || std::env::var_os("SERRIED_TEST_LARGE").is_none() {
        println!("skipped: SERRIED_TEST_LARGE is not set");
        return;
    }
    let alone = scattered(Start::Plain, "50000000");
    assert!(alone < 64 + BESIDE, "{alone} MB");
}
