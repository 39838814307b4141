//! Runs an example and says what came of it.

use serde_json::Value;
use std::{
    io::Read,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{LazyLock, Mutex},
    time::{Duration, Instant},
};

/// What a program has said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

/// How a program is started.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Start {
    /// As it is.
    Plain,
    /// Under mpiexec, with this many ranks.
    Ranks(usize),
}

/// Nothing here runs longer.
const LIMIT: Duration = Duration::from_secs(60);

/// A hung program must not hold the tests up, and several at a time would be in each other's way.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The path of an example.
pub(crate) fn example(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().expect("a test has a path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    let path = path.join("examples").join(name);
    assert!(path.exists(), "{} is missing; run cargo build --examples", path.display());
    path
}

/// The mpiexec that fits the examples, or none if they are built without MPI.
pub(crate) fn mpiexec() -> Option<&'static str> {
    static FOUND: LazyLock<Option<&'static str>> = LazyLock::new(|| {
        let linked = Command::new("ldd").arg(example("hello")).output().expect("ldd");
        let linked = String::from_utf8_lossy(&linked.stdout).into_owned();
        let named = |names: &[&'static str]| {
            let exists = |name: &str| {
                let paths = std::env::var_os("PATH").unwrap_or_default();
                std::env::split_paths(&paths).any(|path| path.join(name).exists())
            };
            names.iter().copied().find(|name| exists(name))
        };
        let found = if linked.contains("libmpich") {
            named(&["mpiexec.mpich", "mpiexec.hydra", "mpiexec"])
        } else if linked.contains("libmpi") {
            named(&["mpiexec.openmpi", "mpiexec"])
        } else {
            println!("the examples are built without MPI");
            return None;
        };
        assert!(found.is_some(), "no mpiexec for the MPI library of the examples");
        found
    });
    *FOUND
}

/// Runs an example with arguments and variables.
pub(crate) fn run(start: Start, name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let program = example(name);
    let mut command = match start {
        Start::Plain => Command::new(&program),
        Start::Ranks(ranks) => {
            let mut command = Command::new(mpiexec().expect("asked for by tests with MPI only"));
            command.arg("-n").arg(ranks.to_string()).arg(&program);
            command
        }
    };
    command.args(arguments);
    finish(command, variables)
}

/// Runs a command to its end, or kills it.
pub(crate) fn finish(mut command: Command, variables: &[(&str, &str)]) -> Ended {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // Root in a container, more ranks than cores: Open MPI 4 and 5 ask to be told.
    command
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .env("OMPI_MCA_rmaps_base_oversubscribe", "1")
        .env("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let begin = Instant::now();
    let mut child = command.spawn().expect("the program starts");
    let mut stdout = child.stdout.take().expect("piped");
    let mut stderr = child.stderr.take().expect("piped");
    let read = |pipe: &mut dyn Read| {
        let mut text = Vec::new();
        let _ = pipe.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    };
    let (stdout, stderr, status) = std::thread::scope(|scope| {
        let stdout = scope.spawn(move || read(&mut stdout));
        let stderr = scope.spawn(move || read(&mut stderr));
        let status = loop {
            if let Some(status) = child.try_wait().expect("it is our child") {
                break Some(status);
            }
            if begin.elapsed() > LIMIT {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        (stdout.join().expect("text"), stderr.join().expect("text"), status)
    });
    let ended =
        Ended { code: status.and_then(|status| status.code()), stdout, stderr, took: begin.elapsed() };
    assert!(status.is_some(), "it hangs: {ended:?}");
    ended
}

impl Ended {
    /// The line of JSON that a successful example ends with.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        let line = self.stdout.lines().last().unwrap_or_else(|| panic!("no output: {self:?}"));
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
