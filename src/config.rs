//! Settings: from the builder, then from the environment.

use crate::random::Seed;
use std::{ffi::OsString, fmt, path::PathBuf, str::FromStr};

/// Where tasks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scheduler {
    /// One task after the other, in one process: for debugging.
    Synchronous,
    /// On the threads of one process.
    Threads,
    /// On several processes of this machine, which the program starts itself with the `mpiexec` it finds.
    Processes,
    /// On the ranks of an MPI world, started by `mpirun`, `mpiexec` or `srun`.
    Mpi,
}

/// Whether rank 0 computes besides scheduling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RankZero {
    /// It computes in a world of up to 32 ranks.
    #[default]
    Auto,
    /// It computes.
    Compute,
    /// It only schedules.
    Schedule,
}

/// What the runtime decides for itself, and can be told not to: to see what it brings, or because it is in the
/// way. Results do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Heuristic {
    /// A task goes to the rank with most of its inputs. Without it tasks are dealt out in turn.
    Placement,
    /// Ranges of a map are sized by measured time. Without it each rank is given its share at once.
    Guiding,
    /// Tasks that have not begun go to ranks that have nothing to do.
    Stealing,
    /// Ready tasks run in a depth-first order. Without it they run in the order in which they became ready.
    Order,
    /// A rank that holds many bytes finishes what it has begun before it begins anything new.
    Bound,
}

/// The heuristics that are switched off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Without(u8);

impl Without {
    pub(crate) fn add(&mut self, heuristic: Heuristic) {
        self.0 |= 1 << heuristic as u8;
    }

    pub(crate) fn has(self, heuristic: Heuristic) -> bool {
        self.0 >> heuristic as u8 & 1 == 1
    }
}

impl FromStr for Without {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let mut without = Without::default();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            without.add(match name {
                "placement" => Heuristic::Placement,
                "guiding" => Heuristic::Guiding,
                "stealing" => Heuristic::Stealing,
                "order" => Heuristic::Order,
                "bound" => Heuristic::Bound,
                _ => return Err("a list of placement, guiding, stealing, order, bound is wanted".into()),
            });
        }
        Ok(without)
    }
}

/// Workers and threads beyond this are a slip of the pen: no host has as many processors.
const MOST: usize = 4096;

/// A setting that is unknown or has a value that it cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}={value}: {problem}")]
pub struct SettingsError {
    setting: String,
    value: String,
    problem: String,
}

impl SettingsError {
    pub(crate) fn new(setting: &str, value: &str, problem: impl Into<String>) -> Self {
        SettingsError { setting: setting.into(), value: value.into(), problem: problem.into() }
    }
}

/// The settings of a run; `None` leaves the choice to the next source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) scheduler: Option<Scheduler>,
    pub(crate) workers: Option<usize>,
    pub(crate) threads: Option<usize>,
    pub(crate) seed: Option<Seed>,
    pub(crate) rank_zero: Option<RankZero>,
    pub(crate) mpiexec: Option<String>,
    /// Seconds of silence after which a host is taken for dead; 0 for never.
    pub(crate) heartbeat: Option<u64>,
    pub(crate) without: Option<Without>,
    /// Bytes of shuffled values that a rank holds in memory at most.
    pub(crate) spill_above: Option<u64>,
    /// The folder for what it does not hold.
    pub(crate) scratch: Option<PathBuf>,
    /// Set for a program that `processes` has started: the number of ranks it asked for.
    pub(crate) relaunched: Option<usize>,
}

/// Tells a program that it was started by itself, so that it never starts itself again.
pub(crate) const RELAUNCHED: &str = "SERRIED_RELAUNCHED";
/// Variables with this prefix belong to the tests.
const TEST_PREFIX: &str = "SERRIED_TEST_";

const VARIABLES: [&str; 11] = [
    "SERRIED_SCHEDULER",
    "SERRIED_WORKERS",
    "SERRIED_THREADS",
    "SERRIED_SEED",
    "SERRIED_RANK0",
    "SERRIED_MPIEXEC",
    "SERRIED_HEARTBEAT",
    "SERRIED_WITHOUT",
    "SERRIED_SPILL_ABOVE",
    "SERRIED_SCRATCH",
    RELAUNCHED,
];

impl Settings {
    /// Reads the variables that begin with `SERRIED_`; an unknown one is an error, since it is a misspelt one.
    pub(crate) fn from_environment(
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Settings, SettingsError> {
        let mut settings = Settings::default();
        for (name, value) in variables.filter(|(name, _)| name.as_encoded_bytes().starts_with(b"SERRIED_")) {
            let (shown, shown_value) = (name.to_string_lossy(), value.to_string_lossy());
            if shown.starts_with(TEST_PREFIX) {
                continue;
            }
            let (Some(name), Some(text)) = (name.to_str(), value.to_str()) else {
                if shown == "SERRIED_SCRATCH" {
                    // A path need not be text.
                    settings.scratch = Some(value.into());
                    continue;
                }
                return Err(SettingsError::new(&shown, &shown_value, "it is not text in UTF-8"));
            };
            let value = text.to_owned();
            let invalid = |problem: String| SettingsError::new(name, &value, problem);
            let count = || match value.parse() {
                Ok(0) | Err(_) => Err(invalid("a whole number above zero is wanted".into())),
                Ok(count) => Ok(count),
            };
            match name {
                "SERRIED_SCHEDULER" => {
                    settings.scheduler = Some(value.parse().map_err(invalid)?);
                }
                "SERRIED_WORKERS" => settings.workers = Some(count()?),
                "SERRIED_THREADS" => settings.threads = Some(count()?),
                "SERRIED_SEED" => {
                    let seed = Seed::from_str(&value).map_err(|error| invalid(error.to_string()))?;
                    settings.seed = Some(seed);
                }
                "SERRIED_RANK0" => settings.rank_zero = Some(value.parse().map_err(invalid)?),
                "SERRIED_MPIEXEC" => settings.mpiexec = Some(value),
                "SERRIED_HEARTBEAT" => {
                    let seconds = value.parse();
                    settings.heartbeat =
                        Some(seconds.map_err(|_| invalid("a whole number of seconds is wanted".into()))?);
                }
                "SERRIED_WITHOUT" => settings.without = Some(value.parse().map_err(invalid)?),
                "SERRIED_SPILL_ABOVE" => {
                    let wanted = "bytes are wanted, a whole number that may end in K, M, G or T (of 1024)";
                    settings.spill_above = Some(bytes(&value).ok_or_else(|| invalid(wanted.into()))?);
                }
                "SERRIED_SCRATCH" => settings.scratch = Some(value.into()),
                RELAUNCHED => settings.relaunched = Some(count()?),
                _ => {
                    let known = VARIABLES[..VARIABLES.len() - 1].join(", ");
                    return Err(invalid(format!("there is no such setting; there are {known}")));
                }
            }
        }
        Ok(settings)
    }

    /// Takes from `other` what is not set.
    pub(crate) fn or(self, other: Settings) -> Settings {
        Settings {
            scheduler: self.scheduler.or(other.scheduler),
            workers: self.workers.or(other.workers),
            threads: self.threads.or(other.threads),
            seed: self.seed.or(other.seed),
            rank_zero: self.rank_zero.or(other.rank_zero),
            mpiexec: self.mpiexec.or(other.mpiexec),
            heartbeat: self.heartbeat.or(other.heartbeat),
            without: self.without.or(other.without),
            spill_above: self.spill_above.or(other.spill_above),
            scratch: self.scratch.or(other.scratch),
            relaunched: self.relaunched.or(other.relaunched),
        }
    }

    /// Refuses what no source may set.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        for (setting, value) in [("workers", self.workers), ("threads", self.threads)] {
            let problem = match value {
                Some(0) => "a whole number above zero is wanted",
                Some(value) if value > MOST => "no host has as many processors; 4096 is the most",
                _ => continue,
            };
            return Err(SettingsError::new(setting, &value.unwrap_or(0).to_string(), problem));
        }
        match &self.seed {
            Some(seed) if !seed.fits_128_bits() => Err(SettingsError::new(
                "seed",
                &seed.to_string(),
                "the seed of a run may have 128 bits at most, since words beyond them are spawn keys",
            )),
            _ => Ok(()),
        }
    }
}

/// `1500`, `64M`.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(['K', 'M', 'G', 'T']);
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

impl FromStr for Scheduler {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "synchronous" => Ok(Scheduler::Synchronous),
            "threads" => Ok(Scheduler::Threads),
            "processes" => Ok(Scheduler::Processes),
            "mpi" => Ok(Scheduler::Mpi),
            _ => Err("there is no such scheduler; there are synchronous, threads, processes, mpi".into()),
        }
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scheduler::Synchronous => "synchronous",
            Scheduler::Threads => "threads",
            Scheduler::Processes => "processes",
            Scheduler::Mpi => "mpi",
        })
    }
}

impl FromStr for RankZero {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(RankZero::Auto),
            "compute" => Ok(RankZero::Compute),
            "schedule" => Ok(RankZero::Schedule),
            _ => Err("auto, compute or schedule is wanted".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_environment(variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn variables_are_read() {
        let settings = read(&[
            ("SERRIED_SCHEDULER", "threads"),
            ("SERRIED_WORKERS", "3"),
            ("SERRIED_SEED", "340282366920938463463374607431768211455"),
            ("SERRIED_SPILL_ABOVE", "3M"),
            ("SERRIED_TEST_ANYTHING", "x"),
            ("HOME", "/"),
        ])
        .expect("all are valid");
        assert_eq!(settings.scheduler, Some(Scheduler::Threads));
        assert_eq!(settings.workers, Some(3));
        assert_eq!(settings.spill_above, Some(3 << 20));
        settings.check().expect("the seed has 128 bits");
    }

    #[test]
    fn mistakes_name_what_is_valid() {
        let table = [
            (("SERRIED_SCHEDULER", "thread"), "synchronous, threads, processes, mpi"),
            (("SERRIED_WORKERS", "0"), "above zero"),
            (("SERRIED_THREADS", "two"), "above zero"),
            (("SERRIED_SHEDULER", "threads"), "SERRIED_SCHEDULER"),
            (("SERRIED_RANK0", "no"), "auto, compute or schedule"),
            (("SERRIED_SPILL_ABOVE", "3MG"), "K, M, G or T"),
            (("SERRIED_SPILL_ABOVE", "-1"), "a whole number"),
            (("SERRIED_WITHOUT", "stealing,speed"), "placement, guiding, stealing, order, bound"),
        ];
        for (variable, part) in table {
            let error = read(&[variable]).expect_err("it is wrong").to_string();
            assert!(error.contains(part) && error.contains(variable.1), "{error}");
        }
        let large = read(&[("SERRIED_SEED", "340282366920938463463374607431768211456")]);
        assert!(large.expect("a number").check().is_err());
        let many = read(&[("SERRIED_THREADS", "100000")]).expect("a number").check();
        assert!(many.expect_err("no such host").to_string().contains("4096 is the most"));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_text_is_refused_like_any_other_mistake() {
        use std::os::unix::ffi::OsStringExt;
        let wrong = || OsString::from_vec(b"\xff".to_vec());
        for name in VARIABLES.into_iter().filter(|&name| name != "SERRIED_SCRATCH") {
            let error = Settings::from_environment([(name.into(), wrong())].into_iter());
            let error = error.expect_err("it is not text").to_string();
            assert!(error.contains(name) && error.contains("UTF-8"), "{error}");
        }
        let misspelt = OsString::from_vec(b"SERRIED_SEED\xff".to_vec());
        assert!(Settings::from_environment([(misspelt, "1".into())].into_iter()).is_err());
        let scratch = Settings::from_environment([("SERRIED_SCRATCH".into(), wrong())].into_iter());
        assert_eq!(scratch.expect("a path").scratch, Some(wrong().into()));
        let others = [(wrong(), wrong()), ("SERRIED_TEST_X".into(), wrong())];
        assert_eq!(Settings::from_environment(others.into_iter()), Ok(Settings::default()));
    }

    #[test]
    fn the_builder_comes_before_the_environment() {
        let builder = Settings { workers: Some(2), ..Settings::default() };
        let environment = read(&[("SERRIED_WORKERS", "5"), ("SERRIED_THREADS", "1")]);
        let both = builder.or(environment.expect("valid"));
        assert_eq!((both.workers, both.threads), (Some(2), Some(1)));
    }
}
