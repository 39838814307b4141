//! Settings and launches that cannot be right are refused, with what to do.

use crate::launcher::{Start, mpiexec, run};

/// Runs `hello`, which must refuse, and say this.
fn refused(start: Start, variables: &[(&str, &str)], said: &str) {
    let ended = run(start, "hello", &[], variables);
    assert!(ended.code != Some(0), "{variables:?}: {ended:?}");
    assert!(ended.stderr.contains(said), "{variables:?}: {ended:?}");
    assert!(ended.stdout.is_empty(), "{variables:?}: {ended:?}");
}

#[test]
fn settings_are_checked() {
    let valid = "synchronous, threads, processes, mpi";
    refused(Start::Plain, &[("SERRIED_SCHEDULER", "dask")], valid);
    refused(Start::Plain, &[("SERRIED_SHEDULER", "threads")], "SERRIED_SCHEDULER");
    refused(Start::Plain, &[("SERRIED_WORKERS", "0")], "above zero");
    refused(Start::Plain, &[("SERRIED_SEED", "-1")], "SERRIED_SEED=-1");
    let ended = run(Start::Plain, "hello", &["--scheduler", "dask"], &[]);
    assert!(ended.stderr.contains(valid), "{ended:?}");
}

#[test]
fn flags_of_task_bench_are_checked() {
    let told = [
        ("-stops 3", "there is no flag `-stops`"),
        ("-type ring", "there are trivial, no_comm"),
        ("-type fft -width 1", "-width is at least 2 for fft"),
        ("-width", "-width needs a number"),
        ("-width 3 --treads 2", "--treads"),
    ];
    for (flags, said) in told {
        let flags: Vec<&str> = flags.split(' ').collect();
        let ended = run(Start::Plain, "task_bench", &flags, &[]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(said), "{ended:?}");
    }
}

#[test]
fn a_slurm_allocation_wants_a_launcher() {
    refused(Start::Plain, &[("SLURM_NTASKS", "4")], "start it with `srun` or `mpirun`");
    let on_purpose = [("SLURM_NTASKS", "4"), ("SERRIED_SCHEDULER", "threads")];
    let ended = run(Start::Plain, "hello", &[], &on_purpose);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_world_of_another_size_than_announced_is_refused() {
    if mpiexec().is_none() {
        return;
    }
    // A launcher that does not fit the library: the program sees itself alone.
    let step =
        [("SLURM_STEP_ID", "0"), ("SLURM_PROCID", "0"), ("SLURM_STEP_NUM_TASKS", "2"), ("SLURM_NTASKS", "2")];
    refused(Start::Plain, &step, "announced 2 ranks, but the MPI library of this program sees 1");
}

#[test]
fn one_process_schedulers_are_refused_under_a_launcher() {
    if mpiexec().is_none() {
        return;
    }
    for scheduler in ["threads", "synchronous"] {
        refused(Start::Ranks(2), &[("SERRIED_SCHEDULER", scheduler)], "would do all the work");
    }
    refused(Start::Ranks(2), &[("SERRIED_SCHEDULER", "processes")], "started 2 already");
}

#[test]
fn a_program_never_starts_itself_twice() {
    if mpiexec().is_none() {
        return;
    }
    let again = [("SERRIED_RELAUNCHED", "2"), ("SERRIED_SCHEDULER", "processes")];
    refused(Start::Plain, &again, "was started by itself");
    let nowhere = [("SERRIED_MPIEXEC", "no-such-mpiexec"), ("SERRIED_SCHEDULER", "processes")];
    refused(Start::Plain, &nowhere, "no-such-mpiexec");
}

#[test]
fn more_threads_than_cores_are_worth_one_warning() {
    if mpiexec().is_none() {
        return;
    }
    let ended = run(Start::Ranks(2), "hello", &[], &[("SERRIED_THREADS", "1000")]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stderr.matches("compute threads of its ranks").count(), 1, "{ended:?}");
}

#[test]
fn without_mpi_its_schedulers_say_so() {
    if mpiexec().is_some() {
        return;
    }
    for scheduler in ["mpi", "processes"] {
        refused(Start::Plain, &[("SERRIED_SCHEDULER", scheduler)], "was built without MPI");
    }
    refused(Start::Plain, &[("PMI_SIZE", "2"), ("PMI_RANK", "0")], "was built without MPI");
}

#[test]
fn rank_zero_may_leave_the_work_to_the_others() {
    if mpiexec().is_none() {
        return;
    }
    let ended =
        run(Start::Ranks(3), "hello", &["--json", "--threads", "1"], &[("SERRIED_RANK0", "schedule")]);
    assert_eq!(ended.json()["threads"], 2, "{ended:?}");
    assert!(!ended.stderr.contains("rank 0, thread"), "{ended:?}");
    assert!(ended.stderr.contains("rank 1, thread"), "{ended:?}");
}
