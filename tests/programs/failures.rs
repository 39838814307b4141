//! What goes wrong ends quickly, with a message, and leaves nothing behind.

use crate::launcher::{Ended, Start, example, finish, mpiexec, run};
use std::{process::Command, time::Duration};

/// No process of the example is left.
fn nothing_is_left(name: &str) {
    let path = example(name);
    let mut left = Vec::new();
    for _ in 0..40 {
        left = std::fs::read_dir("/proc")
            .expect("/proc")
            .flatten()
            .filter(|entry| std::fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == path))
            .map(|entry| entry.file_name())
            .collect();
        if left.is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{name} is left behind: {left:?}");
}

fn fails_quickly(ended: &Ended) {
    assert!(ended.code != Some(0), "{ended:?}");
    assert!(ended.took < Duration::from_secs(5), "{ended:?}");
    nothing_is_left("failures");
}

#[test]
fn a_failing_element_names_itself() {
    let mut starts = vec![Start::Plain];
    if mpiexec().is_some() {
        starts.extend([Start::Ranks(2), Start::Ranks(3)]);
    }
    for start in starts {
        for (mode, said) in [
            ("panic", "task `root`, element 7, panicked on rank"),
            ("error", "7 is not allowed"),
            ("retry", "in each of 3 attempts: 7 is not allowed"),
        ] {
            let ended = run(start, "failures", &["--mode", mode], &[]);
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(ended.stdout.contains(said), "{ended:?}");
            assert!(ended.stdout.contains("the other 9 results are there"), "{ended:?}");
            assert!(!ended.stderr.contains("panicked at"), "a contained panic makes no noise: {ended:?}");
        }
    }
}

#[test]
fn a_panic_of_the_program_ends_the_job() {
    let ended = run(Start::Plain, "failures", &["--mode", "panic-in-client"], &[]);
    fails_quickly(&ended);
    assert_eq!(ended.stderr.matches("the program of rank 0 has a bug").count(), 1, "{ended:?}");
    if mpiexec().is_none() {
        return;
    }
    for ranks in 1..=4 {
        let ended = run(Start::Ranks(ranks), "failures", &["--mode", "panic-in-client"], &[]);
        fails_quickly(&ended);
        assert_eq!(ended.stderr.matches("the program of rank 0 has a bug").count(), 1, "{ended:?}");
    }
}

#[test]
fn a_killed_rank_ends_the_job() {
    let Some(mpiexec) = mpiexec() else { return };
    for ranks in 2..=4 {
        let ended = run(Start::Ranks(ranks), "failures", &["--mode", "kill-rank"], &[]);
        fails_quickly(&ended);
        // Where the launcher kills the survivors at once, it speaks for itself.
        if mpiexec.contains("openmpi") {
            let named = format!("rank {} (process", ranks - 1);
            assert!(ended.stderr.contains(&named), "{ended:?}");
        }
    }
}

#[test]
fn a_host_that_is_busy_is_not_taken_for_lost() {
    let Some(mpiexec) = mpiexec() else { return };
    // Two hosts on this machine: each rank gives itself a host name, in a namespace of its own.
    let host = "hostname host$OMPI_COMM_WORLD_RANK$PMI_RANK && exec \"$0\" \"$@\"";
    let alone = Command::new("unshare").args(["--uts", "hostname", "host"]).status();
    if !alone.is_ok_and(|status| status.success()) {
        println!("needs root, for a host name of each rank's own");
        return;
    }
    let mut command = Command::new(mpiexec);
    command.args(["-n", "2", "unshare", "--uts", "sh", "-c", host]);
    command.arg(example("failures")).args(["--mode", "held-up", "--json"]);
    let ended = finish(command, &[("SERRIED_THREADS", "1"), ("SERRIED_HEARTBEAT", "2")]);
    let result = &ended.json()["result"];
    assert_eq!(result["largest"], 3, "{ended:?}");
    assert!(result["held_up"].as_u64() >= Some(3), "hardly anything held it up: {ended:?}");
}

#[test]
fn different_executables_are_refused() {
    let Some(mpiexec) = mpiexec() else { return };
    let mut command = Command::new(mpiexec);
    command.args(["-n", "1"]).arg(example("hello")).arg(":");
    command.args(["-n", "1"]).arg(example("graph"));
    let ended = finish(command, &[]);
    assert!(ended.code != Some(0), "{ended:?}");
    let said = ended.stderr.matches("rank 1 on host").count();
    assert_eq!(said, 1, "{ended:?}");
}

#[test]
fn an_interrupt_ends_the_job() {
    let Some(mpiexec) = mpiexec() else { return };
    let job = format!(
        "{mpiexec} -n 3 {} --tasks 1000000 --n 1000000 & pid=$!; sleep 1; kill -INT $pid; wait $pid",
        example("calc_mean").display()
    );
    let mut command = Command::new("bash");
    // A shell without job control starts background commands deaf to interrupts; with it, it does not.
    command.args(["-m", "-c", &job]);
    let ended = finish(command, &[]);
    assert!(ended.code != Some(0), "{ended:?}");
    assert!(ended.took < Duration::from_secs(8), "{ended:?}");
    nothing_is_left("calc_mean");
}
