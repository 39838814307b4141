//! What ranks tell each other at the start, and what follows from it.

use crate::random::Seed;
use crate::task::Nodes;
use crate::wire;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One rank's introduction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) host: String,
    /// What tells machines of one name apart: the identifier of this start of the system.
    pub(crate) boot: String,
    pub(crate) pid: u32,
    /// Process numbers mean the same on ranks with an equal namespace.
    pub(crate) pid_namespace: String,
    /// The cores that the process may use, as the system writes them.
    pub(crate) affinity: String,
    /// How many these are.
    pub(crate) cores: usize,
    /// Compute threads, if the user has said how many.
    pub(crate) threads: Option<usize>,
    /// Seconds of silence after which a host is taken for dead, if the user has said how many.
    pub(crate) heartbeat: Option<u64>,
    pub(crate) seed: Option<Seed>,
}

/// A number that is the same on two ranks only if they run the same executable: a hash of the file; or why
/// there is none.
pub(super) fn fingerprint() -> Result<u64, String> {
    // It is still there when the file has been replaced or removed meanwhile.
    let running = std::path::Path::new("/proc/self/exe");
    let path = if running.exists() { running.to_owned() } else { current_exe()? };
    let named = current_exe().unwrap_or_else(|_| path.clone());
    let file = std::fs::read(&path).map_err(|error| format!("{}: {error}", named.display()))?;
    Ok(xxhash_rust::xxh3::xxh3_64(&file))
}

fn current_exe() -> Result<std::path::PathBuf, String> {
    std::env::current_exe().map_err(|error| error.to_string())
}

/// A hello behind what every executable can read: host and fingerprint, or why there is none.
pub(super) fn seal(fingerprint: &Result<u64, String>, hello: &Hello) -> Vec<u8> {
    let mut bytes = fingerprint.as_ref().copied().unwrap_or_default().to_le_bytes().to_vec();
    for text in [&hello.host, fingerprint.as_ref().err().unwrap_or(&String::new())] {
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes.extend(wire::encode_to_vec(hello).unwrap_or_default());
    bytes
}

/// Reads all hellos, or says which rank runs another executable or cannot tell.
pub(super) fn open(sealed: &[&[u8]]) -> Result<Vec<Hello>, String> {
    let mut expected = None;
    let mut hellos = Vec::new();
    for (rank, sealed) in sealed.iter().enumerate() {
        let front = Front::read(sealed);
        let host = front.as_ref().map_or("unknown", |front| &front.host);
        if let Some(problem) = front.as_ref().map(|front| &front.problem).filter(|text| !text.is_empty()) {
            return Err(format!(
                "rank {rank} on host {host} cannot read its own executable ({problem}), so that nobody knows \
                 whether all ranks run the same one; make the file readable for the user who runs it"
            ));
        }
        match (&front, expected) {
            (Some(front), None) => expected = Some(front.fingerprint),
            (Some(front), Some(expected)) if front.fingerprint == expected => {}
            (None, None) => return Err("rank 0 sent no introduction that this executable can read".into()),
            (_, Some(_)) => {
                return Err(format!(
                    "rank {rank} on host {host} runs another executable than rank 0; start the same file \
                     on every rank (is a host's copy out of date?)"
                ));
            }
        }
        hellos.push(front.map(|front| front.hello).unwrap_or_default());
    }
    hellos.into_iter().map(|hello| wire::decode(hello).map_err(|error| error.to_string())).collect()
}

/// What stands before a hello, and the bytes of the hello.
struct Front<'a> {
    fingerprint: u64,
    host: String,
    /// Why there is no fingerprint; else empty.
    problem: String,
    hello: &'a [u8],
}

impl Front<'_> {
    fn read(sealed: &[u8]) -> Option<Front<'_>> {
        let (fingerprint, mut rest) = sealed.split_first_chunk::<8>()?;
        let mut text = || {
            let (length, behind) = rest.split_first_chunk::<4>()?;
            let (text, behind) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = behind;
            Some(String::from_utf8_lossy(text).into_owned())
        };
        let (host, problem) = (text()?, text()?);
        Some(Front { fingerprint: u64::from_le_bytes(*fingerprint), host, problem, hello: rest })
    }
}

impl Hello {
    /// This process.
    pub(crate) fn of_this_process(
        threads: Option<usize>,
        heartbeat: Option<u64>,
        seed: Option<Seed>,
    ) -> Hello {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let status = read("/proc/self/status");
        let affinity = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Hello {
            host: super::hostname(),
            boot: read("/proc/sys/kernel/random/boot_id").trim().to_owned(),
            pid: std::process::id(),
            pid_namespace: namespace.to_string_lossy().into_owned(),
            affinity: affinity.unwrap_or_default().trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            threads,
            heartbeat,
            seed,
        }
    }

    /// Names the machine.
    pub(super) fn machine(&self) -> (&str, &str) {
        (&self.host, &self.boot)
    }

    /// Ranks with an equal one see each other's processes.
    pub(super) fn node(&self) -> (&str, &str, &str) {
        (&self.host, &self.boot, &self.pid_namespace)
    }
}

/// The compute threads of every rank: what the user says, to all by saying it to rank 0, as launchers do not hand
/// variables on to other hosts; else the rank's share of the cores of its host.
pub(super) fn threads(hellos: &[Hello]) -> Vec<usize> {
    let mut neighbours: BTreeMap<_, usize> = BTreeMap::new();
    for hello in hellos {
        *neighbours.entry((hello.machine(), &hello.affinity)).or_default() += 1;
    }
    let share = |hello: &Hello| {
        let sharing = neighbours[&(hello.machine(), &hello.affinity)];
        let said = hello.threads.or(hellos[0].threads);
        said.unwrap_or((hello.cores / sharing).max(1))
    };
    hellos.iter().map(share).collect()
}

/// Which ranks share a node, and so memory: those of one host that see each other's processes.
pub(crate) fn nodes(hellos: &[Hello]) -> Nodes {
    Nodes::new(hellos.iter().map(Hello::node))
}

/// A warning if a host has more compute threads than cores.
pub(crate) fn oversubscription(hellos: &[Hello], threads: &[usize]) -> Option<String> {
    type Threads<'a> = (usize, BTreeMap<&'a str, usize>);
    let mut hosts: BTreeMap<(&str, &str), Threads<'_>> = BTreeMap::new();
    for (hello, threads) in hellos.iter().zip(threads) {
        let (total, cores) = hosts.entry(hello.machine()).or_default();
        *total += threads;
        cores.insert(&hello.affinity, hello.cores);
    }
    let (host, threads, cores) = hosts
        .into_iter()
        .map(|((host, _), (threads, cores))| (host, threads, cores.into_values().sum::<usize>()))
        .find(|(_, threads, cores)| threads > cores)?;
    Some(format!(
        "host {host} has {cores} cores for {threads} compute threads of its ranks; they will be in each \
         other's way (start fewer ranks, or set SERRIED_THREADS)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(host: &str, affinity: &str, cores: usize, threads: Option<usize>) -> Hello {
        Hello {
            host: host.into(),
            boot: String::new(),
            pid: 1,
            pid_namespace: String::new(),
            affinity: affinity.into(),
            cores,
            threads,
            heartbeat: None,
            seed: None,
        }
    }

    #[test]
    fn another_executable_is_named_with_its_rank_and_host() {
        let (zero, one) = (hello("a", "", 1, None), hello("b", "", 1, None));
        let sealed = [seal(&Ok(7), &zero), seal(&Ok(7), &one)];
        let read = open(&[&sealed[0], &sealed[1]]).expect("both are the same");
        assert_eq!(read, [zero, one.clone()]);
        let other = seal(&Ok(8), &one);
        let error = open(&[&sealed[0], &other]).expect_err("they differ");
        assert!(error.contains("rank 1 on host b runs another"), "{error}");
        assert!(open(&[&sealed[0], b"x"]).is_err());
    }

    #[test]
    fn an_executable_that_cannot_be_read_is_equal_to_no_other() {
        let (zero, one) = (hello("a", "", 1, None), hello("b", "", 1, None));
        let unreadable = |hello| seal(&Err("/bin/program: Permission denied".into()), hello);
        for (sealed, rank) in [
            ([seal(&Ok(0), &zero), unreadable(&one)], "rank 1 on host b"),
            ([unreadable(&zero), seal(&Ok(7), &one)], "rank 0 on host a"),
            ([unreadable(&zero), unreadable(&one)], "rank 0 on host a"),
        ] {
            let error = open(&[&sealed[0], &sealed[1]]).expect_err("one of them cannot be compared");
            assert!(error.contains(rank) && error.contains("/bin/program: Permission denied"), "{error}");
        }
        assert!(fingerprint().is_ok());
    }

    #[test]
    fn a_node_is_a_host_and_its_processes() {
        let container = Hello { pid_namespace: "another".into(), ..hello("a", "", 1, None) };
        let hellos = [hello("a", "", 1, None), hello("b", "", 1, None), container, hello("a", "", 1, None)];
        let nodes = nodes(&hellos);
        assert_eq!(nodes.neighbours(0).collect::<Vec<_>>(), [3]);
        assert_eq!(nodes.neighbours(2).count(), 0);
        assert_eq!(nodes.below(0).collect::<Vec<_>>(), [1, 2]);
        let namesake = Hello { boot: "another".into(), ..hello("a", "", 1, None) };
        assert_eq!(super::nodes(&[hello("a", "", 1, None), namesake]).neighbours(0).count(), 0);
    }

    #[test]
    fn ranks_share_the_cores_of_their_host() {
        let shared = [hello("a", "0-7", 8, None), hello("a", "0-7", 8, None), hello("b", "0", 1, None)];
        assert_eq!(threads(&shared), [4, 4, 1]);
        let bound = [hello("a", "0-3", 4, None), hello("a", "4-7", 4, None)];
        assert_eq!(threads(&bound), [4, 4]);
        let said = [hello("a", "0-7", 8, Some(3)), hello("b", "0-7", 8, None), hello("b", "0-7", 8, Some(2))];
        assert_eq!(threads(&said), [3, 3, 2], "rank 0 speaks for those that were told nothing");
        let crowded = vec![hello("a", "0-1", 2, None); 4];
        assert_eq!(threads(&crowded), [1; 4]);
        let warning = oversubscription(&crowded, &[1; 4]).expect("4 threads on 2 cores");
        assert!(warning.contains("2 cores for 4 compute threads"), "{warning}");
        assert_eq!(oversubscription(&bound, &[4, 4]), None);
    }
}
