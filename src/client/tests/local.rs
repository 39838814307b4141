//! Real threads: every rank is a thread of this process, with compute threads of its own.

use crate::client::Client;
use crate::config::Scheduler;
use crate::error::Result;
use crate::random::{Key, Seed, Stream};
use crate::runtime::{Rank, RankEvent, World, context, executor, head};
use crate::task::Nodes;
use crate::transport::{Transport, local_world};
use crate::{Delayed, Error, Future};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering::SeqCst},
};

/// Runs a program on `ranks` ranks with `threads` compute threads each; 0 is one that computes on the
/// communicating thread.
pub(super) fn run_on<R: Send>(
    ranks: u32,
    threads: usize,
    program: impl FnOnce(&Client) -> Result<R> + Send,
) -> Result<R> {
    run_on_nodes(&vec![0; ranks as usize], threads, program)
}

/// As `run_on`, with the node of each rank.
pub(super) fn run_on_nodes<R: Send>(
    node_of: &[u32],
    threads: usize,
    program: impl FnOnce(&Client) -> Result<R> + Send,
) -> Result<R> {
    let ranks = node_of.len() as u32;
    let nodes = Nodes::new(node_of);
    crate::task::install_hook();
    let mut ends = local_world(ranks);
    let first = ends.remove(0);
    let seed = Seed::from(11u64);
    std::thread::scope(|scope| {
        for end in ends {
            let (seed, nodes) = (seed.clone(), nodes.clone());
            scope.spawn(move || {
                let context = context(end.rank() as usize, "here".into(), seed, Arc::new(nodes));
                let (events, inbox) = crossbeam_channel::unbounded::<RankEvent>();
                let executor = executor(threads, &context, &events).expect("threads");
                Rank::new(end, context, executor, None, inbox).run();
            });
        }
        let threads_of_ranks = vec![threads.max(1) as u64; ranks as usize];
        let world = World {
            without: crate::config::Without::default(),
            placement: crate::scheduler::placement(crate::config::Without::default()),
            ranks,
            workers: (0..ranks).collect(),
            threads: threads_of_ranks.iter().sum::<u64>() as usize,
            scheduler: Scheduler::Mpi,
            seed: seed.clone(),
            spill: crate::task::pipeline::Spill { above: 100, folder: None },
            fresh_seed: false,
        };
        let context = context(0, "here".into(), seed.clone(), Arc::new(nodes.clone()));
        head(first, context, threads, threads_of_ranks, world, |session| program(&Client::new(session)))
            .map_err(Error::from)?
    })
}

/// Ranks, and threads of each.
pub(super) const WORLDS: [(u32, usize); 7] = [(1, 0), (1, 1), (1, 3), (2, 1), (3, 2), (4, 1), (7, 2)];

fn study(client: &Client) -> Result<Vec<u64>> {
    let key = Key::new([1])?;
    let draws = client.map_random(|_, mut rng| rng.standard_normal(), 0..20_000u64).key(&key);
    let sum = draws.reduce(|a, b| a + b);
    let large = draws.filter(|x| x.abs() > 3.0).collect();
    let noise: Vec<Delayed<f64>> = (0..20u64)
        .map(|i| {
            let draw = |(i, mut rng): (u64, Stream)| i as f64 + rng.random();
            client.delayed(draw, (i, client.stream()))
        })
        .collect();
    let (sum, large, noise) = client.compute((&sum, &large, &noise))?;
    let words = [sum].into_iter().chain(large).chain(noise).map(f64::to_bits);
    Ok(words.collect())
}

#[test]
fn the_same_bits_on_every_world() {
    let reference = run_on(1, 0, study).expect("it runs");
    assert!(reference.len() > 50);
    for (ranks, threads) in WORLDS {
        let bits = run_on(ranks, threads, study).expect("it runs");
        assert_eq!(bits, reference, "{ranks} ranks, {threads} threads");
    }
}

#[test]
fn futures_come_as_they_are_done() {
    for (ranks, threads) in WORLDS {
        run_on(ranks, threads, |client| {
            let futures: Vec<Future<u64>> = (0..200u64).map(|i| client.submit(|(i,)| i * i, (i,))).collect();
            let mut seen = vec![false; 200];
            for (position, future) in client.as_completed(futures.clone()) {
                assert!(future.is_done());
                assert_eq!(future.result()?, (position * position) as u64);
                assert!(!std::mem::replace(&mut seen[position], true));
            }
            assert!(seen.into_iter().all(|seen| seen));
            let positions: Vec<usize> =
                client.as_completed(futures.clone()).ordered().map(|(position, _)| position).collect();
            assert!(positions.is_sorted());
            assert_eq!(client.gather(&futures)?.iter().sum::<u64>(), 2_646_700);
            Ok(())
        })
        .expect("it runs");
    }
}

#[test]
fn streams_of_reactions_need_an_explicit_key() {
    run_on(2, 1, |client| {
        let futures: Vec<Future<u64>> = (0..3u64).map(|i| client.submit(|(i,)| i, (i,))).collect();
        let draw = |(mut rng,): (Stream,)| rng.random();
        let mut completed = client.as_completed(futures.clone());
        completed.next().expect("three are coming");
        let error = client.delayed(draw, (client.stream(),)).compute().unwrap_err();
        assert!(error.to_string().contains("explicit key"), "{error}");
        let map = client.map_random(|_, mut rng| rng.random(), 0..4);
        assert!(map.compute().is_err());
        assert!(map.key(&Key::new([5])?).compute().is_ok());
        client.delayed(draw, (client.stream_at(&Key::new([6])?),)).compute()?;
        drop(completed);
        client.delayed(draw, (client.stream(),)).compute()?;
        for _ in client.as_completed(futures).ordered() {
            client.delayed(draw, (client.stream(),)).compute()?;
        }
        Ok(())
    })
    .expect("it runs");
}

#[test]
fn the_same_key_twice_is_refused() {
    run_on(1, 1, |client| {
        let draw = |_: u64, mut rng: Stream| rng.random();
        client.map_random(draw, 0..10u64).key(&Key::new([1])?).compute()?;
        let again = client.map_random(draw, 5..7u64).key(&Key::new([1])?).compute();
        assert!(matches!(again, Err(Error::Key(_))), "{again:?}");
        let inside = client.stream_at(&Key::new([1, 3])?);
        let task = |(mut rng,): (Stream,)| rng.random();
        assert!(matches!(client.delayed(task, (inside,)).compute(), Err(Error::Key(_))));
        let by_function = client.map_random(draw, 0..4u64).key_with(|i| vec![2, (i % 2) as u32]);
        assert!(matches!(by_function.compute(), Err(Error::Key(_))));
        let useless = client.map(|i| i, 0..4u64).key(&Key::new([3])?);
        assert!(matches!(useless.compute(), Err(Error::Usage(_))));
        Ok(())
    })
    .expect("it runs");
}

#[test]
fn scattered_values_are_read_where_they_are() {
    for (ranks, threads) in WORLDS {
        run_on(ranks, threads, |client| {
            let parts = client.scatter((0..12u64).map(|i| vec![i; 1000]).collect())?;
            let sums: Vec<Delayed<u64>> =
                parts.iter().map(|part| crate::delayed!(client, total(&part))).collect();
            assert_eq!(client.compute(&sums)?, (0..12).map(|i| 1000 * i).collect::<Vec<u64>>());
            assert!(client.scatter(Vec::<u64>::new())?.is_empty());
            Ok(())
        })
        .expect("it runs");
    }
}

fn total(part: &[u64]) -> u64 {
    part.iter().sum()
}

#[test]
fn a_future_that_nobody_holds_is_not_begun() {
    static RAN: AtomicU32 = AtomicU32::new(0);
    run_on(1, 1, |client| {
        let slow = |(ms,)| std::thread::sleep(std::time::Duration::from_millis(ms));
        let first = client.submit(slow, (100u64,));
        let count = |((), _): ((), u64)| {
            RAN.fetch_add(1, SeqCst);
        };
        let dropped = client.submit(count, (first.clone(), 1));
        let kept = client.submit(count, (first.clone(), 2));
        drop(dropped);
        kept.wait()
    })
    .expect("it runs");
    assert_eq!(RAN.load(SeqCst), 1);
}

#[test]
fn what_a_dropped_future_alone_depends_on_is_not_begun() {
    static RAN: AtomicU32 = AtomicU32::new(0);
    for (ranks, threads) in [(1, 1), (3, 1)] {
        RAN.store(0, SeqCst);
        run_on(ranks, threads, |client| {
            let slow = |(x,): (u64,)| {
                RAN.fetch_add(1, SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(20));
                x + 1
            };
            let chain = |first: u64| {
                let start = client.delayed(slow, (first,));
                (1..50).fold(start, |before, _| client.delayed(slow, (before,)))
            };
            let long_map = client.map(
                |i| {
                    RAN.fetch_add(1, SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    i
                },
                0..1000u64,
            );
            let (one, other) = (chain(0), chain(100));
            let both = client.delayed(|(a, b)| a + b, (one, other));
            let sum = long_map.reduce(|a, b| a + b);
            for wanted in [both.submit(), sum.submit()] {
                std::thread::sleep(std::time::Duration::from_millis(30));
                drop(wanted);
            }
            drop(long_map);
            Ok(())
        })
        .expect("it runs");
        // 1,100 calls were asked for.
        assert!((1..100).contains(&RAN.load(SeqCst)), "{} calls on {ranks} ranks", RAN.load(SeqCst));
    }
}

#[test]
fn a_large_value_that_goes_with_many_tasks_is_worth_one_warning() {
    run_on(1, 1, |client| {
        let large = vec![1u8; 2 << 20];
        let length = |(bytes,): (Vec<u8>,)| bytes.len();
        let mut warned = Vec::new();
        for _ in 0..3 {
            // The loop is one place in the program, so these are tasks of the same kind.
            client.delayed(length, (large.clone(),));
            warned.push(client.core.has_warned_of_large_values());
        }
        assert_eq!(warned, [false, true, true]);
        Ok(())
    })
    .expect("it runs");
}

#[test]
#[allow(unsafe_code)]
fn a_function_outside_of_the_executable_is_refused() {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc");
    let line = maps.lines().find(|line| line.contains("r-xp") && line.contains("libc"));
    let address = line.and_then(|line| usize::from_str_radix(line.split('-').next()?, 16).ok());
    let address = address.expect("the C library is mapped");
    // SAFETY: the pointer is never called: the client refuses it.
    let outside: fn((u64,)) -> u64 = unsafe { std::mem::transmute(address) };
    run_on(1, 1, |client| {
        let task = client.delayed(outside, (1,));
        assert!(matches!(task.compute(), Err(Error::Function(_))));
        Ok(())
    })
    .expect("it runs");
}

#[test]
fn a_task_may_be_kept_cancelled_and_watched_through_several_futures() {
    for (ranks, threads) in WORLDS {
        run_on(ranks, threads, |client| {
            let slow = |(ms,)| std::thread::sleep(std::time::Duration::from_millis(ms));
            let gate = client.submit(slow, (30u64,));
            let task = client.delayed(|((), x): ((), u64)| x + 1, (gate, 1));
            let (one, two) = (task.clone().submit(), task.submit());
            let first = client.as_completed(vec![one.clone()]);
            drop(client.as_completed(vec![one.clone(), two.clone()]));
            let mut second = client.as_completed(vec![two.clone()]);
            let prevented = two.cancel();
            assert_eq!(first.count(), 1);
            assert!(second.next().is_some_and(|(_, future)| future.result().is_err() == prevented));
            assert_eq!(one.result().ok(), (!prevented).then_some(2));
            let map = client.map(|i| i, 0..100u64).reduce(|a, b| a + b).submit();
            assert!(!map.cancel(), "a map is not cancelled");
            assert_eq!(client.compute((&map, &map))?, (4950, 4950));
            Ok(())
        })
        .expect("it runs");
    }
}

#[test]
fn threads_of_the_program_may_share_the_client() {
    run_on(3, 1, |client| {
        for round in 0..50u64 {
            let x = client.delayed(|(x,)| x * 2, (round,));
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    let x = &x;
                    scope.spawn(move || {
                        let future = x.clone().submit();
                        assert_eq!(x.compute().expect("it cannot fail"), 2 * round);
                        assert_eq!(future.result().expect("it cannot fail"), 2 * round);
                    });
                }
            });
        }
        Ok(())
    })
    .expect("it runs");
}

#[test]
fn a_context_that_one_rank_cannot_build_fails_its_elements() {
    run_on(3, 1, |client| {
        let build = |(bad,): (usize,)| match crate::whereabouts().map(|here| here.rank) {
            Some(rank) if rank == bad => Err(format!("no such file on rank {rank}")),
            rank => Ok(rank),
        };
        let local = client.try_local(build, (1,))?;
        let look = |i: u64, _: &(Arc<Option<usize>>,)| {
            std::thread::sleep(std::time::Duration::from_micros(100));
            i
        };
        let map = client.map_with(look, 0..200u64, (&local,));
        let outcomes = map.outcomes().compute()?;
        assert_eq!(outcomes.len(), 200);
        for (i, outcome) in (0u64..).zip(outcomes) {
            match outcome {
                Ok(value) => assert_eq!(value, i),
                Err(error) => {
                    assert_eq!((error.index, error.rank), (Some(i), 1));
                    assert!(error.message.contains("no such file"), "{error}");
                }
            }
        }
        Ok(())
    })
    .expect("it runs");
}

/// A value whose clones panic.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Unique(u64);

impl Clone for Unique {
    fn clone(&self) -> Self {
        panic!("{} is unique", self.0)
    }
}

#[test]
fn panics_of_clones_are_failures_of_tasks() {
    run_on(2, 1, |client| {
        let map = client.map(Unique, 0..10u64);
        let (a, b) = (map.map(|x| x.0).count(), map.collect());
        let error = client.compute((&a, &b)).map(drop).expect_err("the elements are cloned");
        assert!(error.to_string().contains("is unique"), "{error}");
        let fold = client.map(|i| i, 0..10u64).fold(Unique(7), |_, x| Unique(x), |a, _| a);
        let error = fold.compute().map(drop).expect_err("the start is cloned");
        assert!(error.to_string().contains("7 is unique"), "{error}");
        assert_eq!(client.map(|i| i, 0..10u64).count().compute()?, 10, "the rank is well");
        Ok(())
    })
    .expect("it runs");
}

#[test]
fn a_merge_that_fails_is_reported_alike_in_every_world() {
    let mut messages = Vec::new();
    for (ranks, threads) in WORLDS {
        for batch in [1, 7, 64, u64::MAX] {
            let error = run_on(ranks, threads, |client| {
                let merge = |a: u64, b: u64| match a + b {
                    sum if sum > 500 => panic!("{sum} is too much"),
                    sum => sum,
                };
                client.map(|i| i, 0..100u64).batch(batch).reduce(merge).label("sum").compute()
            });
            let error = error.expect_err("some sum is too much");
            let task = error.task().expect("it is a task's");
            assert_eq!(task.label, "sum");
            messages.push(task.message.clone());
        }
    }
    assert!(messages[0].contains("while elements 32..48 were brought together"), "{}", messages[0]);
    assert!(messages.iter().all(|message| *message == messages[0]), "{messages:?}");
}

#[test]
fn what_a_map_cannot_do_is_an_error() {
    run_on(1, 1, |client| {
        let shared = client.map_with(|_: u64, (s,): &(Stream,)| s.clone().random(), 0..3, (client.stream(),));
        assert!(matches!(shared.compute(), Err(Error::Usage(_))));
        let retried = client.map(|i| i, 0..3u64).count().retries(2);
        assert!(matches!(retried.compute(), Err(Error::Usage(_))));
        let draw = |_: u64, mut rng: Stream| rng.random();
        let kept = client.map_random(draw, 0..5u64).persist()?;
        let others = kept.clone().key(&Key::new([3])?);
        assert_ne!(kept.compute()?, others.compute()?, "another key, other draws");
        Ok(())
    })
    .expect("it runs");
}

/// How often `ContextOfRank` was built, in all worlds of a test.
static BUILT: AtomicU32 = AtomicU32::new(0);

struct ContextOfRank(Mutex<u64>);

#[test]
fn a_local_context_is_built_once_per_rank() {
    for (ranks, threads) in WORLDS {
        BUILT.store(0, SeqCst);
        run_on(ranks, threads, |client| {
            let build = |(start,): (u64,)| {
                BUILT.fetch_add(1, SeqCst);
                ContextOfRank(Mutex::new(start))
            };
            let local = client.local(build, (100,))?;
            let add = |i: u64, (local,): &(Arc<ContextOfRank>,)| {
                *local.0.lock().expect("nobody panics") += i;
                std::thread::sleep(std::time::Duration::from_micros(200));
                i
            };
            let sum = client.map_with(add, 0..100u64, (&local,)).reduce(|a, b| a + b).compute()?;
            assert_eq!(sum, 4950);
            Ok(())
        })
        .expect("it runs");
        let built = BUILT.load(SeqCst);
        assert!((1..=ranks).contains(&built), "{built} on {ranks} ranks");
    }
}

#[test]
fn a_task_never_starts_on_top_of_another() {
    // Each task holds a lock of its thread's while it waits for pieces of its own; a task that started on
    // the same stack would find the lock taken.
    thread_local! {
        static BUSY: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }
    let task = |i: u64| {
        assert!(!BUSY.replace(true), "task {i} runs on top of another");
        let (a, b) = rayon::join(
            || std::thread::sleep(std::time::Duration::from_micros(300)),
            || std::thread::sleep(std::time::Duration::from_micros(500)),
        );
        let _ = (a, b);
        BUSY.set(false);
        i
    };
    let sum = run_on(1, 4, |client| client.map(task, 0..400u64).batch(1).reduce(|a, b| a + b).compute());
    assert_eq!(sum.expect("no task met another"), 79_800);
}

#[test]
fn idle_threads_lend_a_hand_to_a_task_that_uses_rayon() {
    use rayon::prelude::*;
    let task = |(): ()| {
        let threads: Vec<Option<usize>> = (0..200)
            .into_par_iter()
            .map(|_| {
                std::thread::sleep(std::time::Duration::from_micros(500));
                rayon::current_thread_index()
            })
            .collect();
        let mut threads: Vec<usize> = threads.into_iter().flatten().collect();
        threads.sort_unstable();
        threads.dedup();
        threads.len()
    };
    let helpers = run_on(1, 3, |client| {
        client
            .delayed(|(x,)| x, ((),))
            .compute()
            .and_then(|()| client.map(|_| (), 0..1u64).map(task).compute())
    });
    assert!(helpers.expect("it runs")[0] > 1, "nobody helped");
}

#[test]
fn a_panic_of_the_program_ends_every_rank() {
    let ended = std::panic::catch_unwind(|| {
        run_on(3, 1, |client| -> Result<()> {
            let _running =
                client.submit(|(ms,)| std::thread::sleep(std::time::Duration::from_millis(ms)), (50u64,));
            // A payload that is not text keeps the test's output clean.
            std::panic::resume_unwind(Box::new(7u32));
        })
    });
    let payload = ended.expect_err("the panic comes out of `run`");
    assert_eq!(payload.downcast_ref::<u32>(), Some(&7));
}

#[test]
fn a_task_cannot_begin_a_run() {
    for (ranks, threads) in WORLDS {
        run_on(ranks, threads, |client| {
            let nested = |_: u64| {
                let inner = crate::run(|client| client.map(|i| i, 0..3u64).compute());
                let message = inner.expect_err("a run within a run").to_string();
                (message.contains("called by a task"), crate::whereabouts().is_some())
            };
            assert_eq!(client.map(nested, 0..20u64).compute()?, [(true, true); 20]);
            Ok(())
        })
        .expect("it runs");
    }
}

#[test]
fn handles_of_another_run_are_refused() {
    let kept = run_on(1, 1, |client| Ok(client.delayed(|(x,)| x, (1u64,)))).expect("it runs");
    assert!(matches!(kept.compute(), Err(Error::Over)));
    run_on(1, 1, |client| {
        let task = client.delayed(|(x,)| x, (&kept,));
        assert!(matches!(task.compute(), Err(Error::Usage(_))));
        assert!(matches!(client.compute(&kept), Err(Error::Usage(_))));
        Ok(())
    })
    .expect("it runs");
}
