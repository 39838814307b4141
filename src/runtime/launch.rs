//! How the program was started, and so where it runs.

use super::LaunchError;
use crate::config::{RELAUNCHED, Scheduler, Settings};

/// What the environment says about the launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Launch {
    /// An MPI launcher started this process as one of a world.
    pub(super) in_world: bool,
    /// The number of ranks that the launcher says there are.
    pub(super) announced: Option<usize>,
    /// Which of them this process is, as far as the launcher says.
    pub(super) number: Option<usize>,
    /// The number of tasks of the surrounding Slurm allocation or step.
    slurm_tasks: Option<usize>,
    /// Slurm started this process itself, by `srun`.
    in_slurm_step: bool,
}

impl Launch {
    /// Reads the variables that launchers set.
    pub(super) fn detect(variable: impl Fn(&str) -> Option<String>) -> Launch {
        let number = |name: &str| variable(name).and_then(|value| value.trim().parse().ok());
        let wide = |name: &str| variable(name).and_then(|value| value.trim().parse::<u64>().ok());
        // Open MPI; MPICH, Intel MPI and srun --mpi=pmi2; PMIx without a size.
        let size = number("OMPI_COMM_WORLD_SIZE").or_else(|| number("PMI_SIZE"));
        let pmi = ["PMI_RANK", "PMI_FD", "PMIX_RANK", "OMPI_COMM_WORLD_RANK"];
        let step = wide("SLURM_STEP_ID");
        // The batch script and the interactive shell are steps with reserved, huge numbers.
        let in_slurm_step = step.is_some_and(|step| step < 0xFFFF_FF00) && variable("SLURM_PROCID").is_some();
        let step_tasks = number("SLURM_STEP_NUM_TASKS").filter(|_| in_slurm_step);
        let in_world = size.is_some() || pmi.iter().any(|name| variable(name).is_some());
        Launch {
            in_world,
            announced: size.or(step_tasks),
            number: ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"]
                .into_iter()
                .find_map(number)
                .or_else(|| number("SLURM_PROCID").filter(|_| in_slurm_step)),
            slurm_tasks: step_tasks.or_else(|| number("SLURM_NTASKS")),
            in_slurm_step,
        }
    }

    /// Chooses where the program runs, or refuses to run it where every process would do all the work.
    pub(super) fn choose(&self, settings: &Settings) -> Result<Scheduler, LaunchError> {
        let several = self.announced.filter(|&ranks| ranks > 1);
        if let Some(asked) = settings.relaunched {
            return match (self.in_world, self.announced) {
                (true, None) => Ok(Scheduler::Mpi),
                (true, Some(found)) if found == asked => Ok(Scheduler::Mpi),
                _ => Err(LaunchError::Refused(format!(
                    "this program was started by itself as one of {asked} ranks ({RELAUNCHED} is set), but \
                     no launcher of {asked} ranks is seen; unset {RELAUNCHED} if you started it by hand"
                ))),
            };
        }
        match (settings.scheduler, several) {
            (Some(local @ (Scheduler::Synchronous | Scheduler::Threads)), Some(ranks)) => {
                Err(LaunchError::Refused(format!(
                    "the scheduler `{local}` is for one process, but a launcher started {ranks}, each of which \
                     would do all the work; start the program without a launcher, or set the scheduler to mpi"
                )))
            }
            (Some(Scheduler::Processes), Some(ranks)) => Err(LaunchError::Refused(format!(
                "the scheduler `processes` starts its ranks itself, but a launcher started {ranks} already; \
                 set the scheduler to mpi, or start the program without a launcher"
            ))),
            (Some(Scheduler::Mpi), _) if !self.in_world => {
                match self.slurm_tasks.filter(|&tasks| tasks > 1) {
                    Some(tasks) if !self.in_slurm_step => Err(LaunchError::Refused(format!(
                        "Slurm has given {tasks} tasks, but this program was started as one process; start it with \
                     `srun` or `mpirun`"
                    ))),
                    _ => Ok(Scheduler::Mpi),
                }
            }
            (Some(chosen), _) => Ok(chosen),
            (None, _) if self.in_world => Ok(Scheduler::Mpi),
            (None, _) if self.in_slurm_step && several.is_some() => Ok(Scheduler::Mpi),
            (None, _) => match self.slurm_tasks.filter(|&tasks| tasks > 1) {
                Some(tasks) => Err(LaunchError::Refused(format!(
                    "Slurm has given {tasks} tasks, but this program was started as one process; start it with \
                     `srun` or `mpirun`, or set SERRIED_SCHEDULER to threads or processes to use one node only"
                ))),
                None => Ok(Scheduler::Threads),
            },
        }
    }
}

/// Replaces this process by an `mpiexec` of the MPI library it is linked with, which starts `ranks` copies.
#[cfg(all(unix, feature = "mpi"))]
pub(super) fn relaunch(ranks: usize, mpiexec: Option<&str>) -> LaunchError {
    use std::os::unix::process::CommandExt;
    let library = crate::transport::library_name();
    let open_mpi = library.contains("Open MPI");
    let candidates: Vec<&str> = match mpiexec {
        Some(given) => vec![given],
        None if open_mpi => vec!["mpiexec.openmpi", "mpiexec"],
        None => vec!["mpiexec.mpich", "mpiexec.hydra", "mpiexec"],
    };
    let Ok(program) = std::env::current_exe() else {
        return LaunchError::Refused("the path of this program is unknown, so it cannot start itself".into());
    };
    for candidate in &candidates {
        let mut command = std::process::Command::new(candidate);
        command.arg("-n").arg(ranks.to_string());
        command.arg(&program).args(std::env::args_os().skip(1));
        command.env(RELAUNCHED, ranks.to_string());
        // The user said how many processes: whoever asks for more than there are cores means it. And in a
        // container the user is root. The first of each pair is for Open MPI 4, the second for 5.
        for (name, value) in [
            ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
            ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
            ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
            ("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe"),
        ] {
            if std::env::var_os(name).is_none() {
                command.env(name, value);
            }
        }
        let error = command.exec();
        if error.kind() != std::io::ErrorKind::NotFound {
            return LaunchError::Refused(format!("`{candidate}` could not be started: {error}"));
        }
    }
    LaunchError::Refused(format!(
        "the scheduler `processes` needs the mpiexec of the MPI library that this program is linked with \
         ({}); none of {} is on the PATH. Install it, or name it in SERRIED_MPIEXEC",
        library.lines().next().unwrap_or("unknown").trim(),
        candidates.join(", "),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(variables: &[(&str, &str)]) -> Launch {
        Launch::detect(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string())
        })
    }

    fn settings(scheduler: Option<Scheduler>) -> Settings {
        Settings { scheduler, ..Settings::default() }
    }

    #[test]
    fn launchers_are_recognised() {
        type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Option<Scheduler>, Result<Scheduler, &'a str>);
        let ompi = [("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "0")];
        let srun_pmi2 = [("PMI_RANK", "1"), ("PMI_SIZE", "2"), ("SLURM_STEP_ID", "0"), ("SLURM_PROCID", "1")];
        let srun_none = [
            ("SLURM_STEP_ID", "0"),
            ("SLURM_PROCID", "1"),
            ("SLURM_STEP_NUM_TASKS", "2"),
            ("SLURM_NTASKS", "2"),
        ];
        let batch = [("SLURM_NTASKS", "4"), ("SLURM_PROCID", "0"), ("SLURM_STEP_ID", "4294967291")];
        let cases: [Case<'_>; 11] = [
            ("by hand", &[], None, Ok(Scheduler::Threads)),
            ("mpirun of Open MPI", &ompi, None, Ok(Scheduler::Mpi)),
            ("mpiexec of MPICH", &srun_pmi2[..2], None, Ok(Scheduler::Mpi)),
            ("srun --mpi=pmi2", &srun_pmi2, None, Ok(Scheduler::Mpi)),
            ("srun --mpi=none: MPI will see one rank, and is asked", &srun_none, None, Ok(Scheduler::Mpi)),
            ("a batch script without srun", &batch, None, Err("start it with `srun`")),
            ("the same, with mpi", &batch, Some(Scheduler::Mpi), Err("start it with `srun`")),
            ("the same, on purpose", &batch, Some(Scheduler::Threads), Ok(Scheduler::Threads)),
            ("threads under mpirun", &ompi, Some(Scheduler::Threads), Err("would do all the work")),
            ("threads under srun", &srun_none, Some(Scheduler::Threads), Err("would do all the work")),
            ("processes under mpirun", &ompi, Some(Scheduler::Processes), Err("started 4 already")),
        ];
        for (name, variables, scheduler, expected) in cases {
            let chosen = launch(variables).choose(&settings(scheduler));
            match expected {
                Ok(expected) => assert_eq!(chosen.expect(name), expected, "{name}"),
                Err(part) => {
                    let error = chosen.expect_err(name).to_string();
                    assert!(error.contains(part), "{name}: {error}");
                }
            }
        }
        assert_eq!(launch(&srun_none).announced, Some(2));
    }

    #[test]
    fn a_program_that_started_itself_never_does_so_again() {
        let relaunched = Settings { relaunched: Some(3), ..settings(Some(Scheduler::Processes)) };
        assert!(launch(&[]).choose(&relaunched).is_err());
        let world = |size| launch(&[("PMI_SIZE", size)]);
        assert_eq!(world("3").choose(&relaunched).expect("as asked"), Scheduler::Mpi);
        assert!(world("2").choose(&relaunched).is_err());
    }
}
