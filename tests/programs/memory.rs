//! Large data: how many copies there are of it, and that it may be longer than 2^31 bytes.

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
