//! Slices that are once on every node: in simulated worlds of several nodes, and on ranks that are threads.

use super::local::{run_on, run_on_nodes};
use super::simulation::{Shape, Simulation, outcomes};
use crate::random::{Seed, Stream};
use crate::task::Memories;
use crate::{Delayed, Error, Shared, SharedSlice, delayed};

fn total(x: &[u64]) -> u64 {
    x.iter().enumerate().fold(0, |sum, (i, x)| sum.wrapping_mul(31).wrapping_add(i as u64 ^ x))
}

/// Worlds of one to nine ranks on one to five nodes, in any order; some ranks cannot map memory of others.
fn worlds(count: u64) -> impl Iterator<Item = (Shape, Vec<u32>, Vec<usize>, Stream)> {
    (0..count).map(|weather| {
        let mut stream = Stream::new(&Seed::from(weather), &[2]);
        let ranks = stream.integers(1, 10) as u32;
        let nodes = stream.integers(1, 6);
        let node_of = (0..ranks).map(|_| stream.integers(0, nodes) as u32).collect();
        let closed = (0..ranks as usize).filter(|_| stream.integers(0, 4) == 0).collect();
        let shape = Shape { ranks, threads: 1 + weather % 3, rank_zero_computes: weather % 5 != 3, weather };
        (shape, node_of, closed, stream)
    })
}

fn memories(closed: &[usize]) -> impl Fn(usize) -> Memories {
    |rank| if closed.contains(&rank) { Memories::closed() } else { Memories::default() }
}

#[test]
fn every_task_sees_the_same_elements_and_nothing_is_left() {
    for (shape, node_of, closed, mut stream) in worlds(300) {
        let world = format!("{shape:?}, nodes {node_of:?}, closed {closed:?}");
        let mut simulation = Simulation::on_nodes(shape, 1, node_of, memories(&closed));
        let lengths: Vec<usize> = (0..3).map(|_| stream.integers(0, 100) as usize).collect();
        let values = |slice: usize| (0..lengths[slice] as u64).map(move |i| i * i + slice as u64);
        let client = simulation.client();
        let by_copy: Vec<u64> = values(0).collect();
        let mut slices = vec![
            client.share(&by_copy).expect("there is room"),
            client.share(values(1).collect::<Vec<u64>>()).expect("there is room"),
            client
                .share_with(lengths[2], |slice| slice.iter_mut().zip(values(2)).for_each(|(x, y)| *x = y))
                .expect("there is room"),
        ];
        // Readers are sent before the elements have arrived, while they do, or long after.
        if stream.integers(0, 3) == 0 {
            simulation.settle();
        }
        let client = simulation.client();
        let expected: Vec<u64> = (0..3).map(|slice| total(&values(slice).collect::<Vec<_>>())).collect();
        for (slice, expected) in slices.iter().zip(&expected) {
            assert_eq!(total(slice), *expected, "rank 0 reads it, too");
        }
        let tasks: Vec<Delayed<u64>> = (0..30).map(|i| delayed!(client, total(&slices[i % 3]))).collect();
        let add = |i: u64, (a, b): &(Shared<u64>, Shared<u64>)| (total(a) ^ total(b)).wrapping_add(i);
        let sums = client.map_with(add, 0..40u64, (&slices[0], &slices[1])).reduce(|a, b| a.wrapping_add(b));
        // The last handles of some are dropped before anybody has read.
        let unread = client.share(&by_copy).expect("there is room");
        drop(unread);
        if stream.integers(0, 2) == 0 {
            slices.clear();
        }
        let targets: Vec<&Delayed<u64>> = tasks.iter().chain([&sums]).collect();
        let results: Vec<u64> = outcomes(&mut simulation, &targets)
            .into_iter()
            .map(|result| result.unwrap_or_else(|error| panic!("{error} in {world}")))
            .collect();
        for (i, result) in results[..30].iter().enumerate() {
            assert_eq!(*result, expected[i % 3], "task {i} in {world}");
        }
        let both = expected[0] ^ expected[1];
        assert_eq!(
            results[30],
            (0..40).fold(0u64, |sum, i| sum.wrapping_add(both.wrapping_add(i))),
            "{world}"
        );
        drop((tasks, sums, slices));
        simulation.check_empty();
    }
}

#[test]
fn a_value_that_is_broadcast_is_the_same_on_every_rank_whatever_its_length() {
    for (shape, node_of, closed, mut stream) in worlds(150) {
        let world = format!("{shape:?}, nodes {node_of:?}, closed {closed:?}");
        let mut simulation = Simulation::on_nodes(shape, 1, node_of, memories(&closed));
        // Above a hundred bytes they go along the tree of nodes.
        let text = "é, as is sent ".repeat(stream.integers(0, 40) as usize);
        let client = simulation.client();
        let mut value = Some(client.broadcast((text.clone(), 7u64)).expect("there is room"));
        let unread = client.broadcast(vec![1u8; 300]).expect("there is room");
        drop(unread);
        if stream.integers(0, 3) == 0 {
            simulation.settle();
        }
        let client = simulation.client();
        let shared = |(value,): (std::sync::Arc<(String, u64)>,)| (value.0.len() as u64) ^ value.1;
        let own = |((text, number),): ((String, u64),)| (text.len() as u64) ^ number;
        let handle = value.as_ref().expect("it is held");
        let mut tasks: Vec<Delayed<u64>> = (0..20).map(|_| client.delayed(shared, (handle,))).collect();
        tasks.push(client.delayed(own, (handle.clone(),)));
        if stream.integers(0, 2) == 0 {
            value = None;
        }
        for result in outcomes(&mut simulation, &tasks.iter().collect::<Vec<_>>()) {
            let result = result.unwrap_or_else(|error| panic!("{error} in {world}"));
            assert_eq!(result, text.len() as u64 ^ 7, "{world}");
        }
        drop((tasks, value));
        simulation.check_empty();
    }
}

#[test]
fn a_slice_that_nobody_reads_is_given_back_everywhere() {
    for (shape, node_of, closed, _) in worlds(60) {
        let mut simulation = Simulation::on_nodes(shape, 1, node_of, memories(&closed));
        let slice = simulation.client().share(vec![7u8; 500]).expect("there is room");
        let clone = slice.clone();
        drop(slice);
        assert_eq!(clone.as_slice(), [7; 500]);
        if shape.weather % 2 == 0 {
            simulation.settle();
        }
        drop(clone);
        simulation.check_empty();
    }
}

#[test]
fn a_node_without_room_fails_its_tasks_and_those_of_the_nodes_behind_it() {
    let (mut failed, mut good) = (0, 0);
    for (shape, node_of, _, mut stream) in worlds(200) {
        let world = format!("{shape:?}, nodes {node_of:?}");
        // Rank 0 has room: the client would be told otherwise. Some cannot map and have no room for a copy.
        let small: Vec<(bool, bool)> = (0..shape.ranks)
            .map(|rank| (rank > 0 && stream.integers(0, 4) == 0, stream.integers(0, 3) == 0))
            .collect();
        let memories = |rank: usize| match small[rank] {
            (true, true) => Memories::small(100).and_closed(),
            (true, false) => Memories::small(100),
            (false, true) => Memories::closed(),
            (false, false) => Memories::default(),
        };
        let mut simulation = Simulation::on_nodes(shape, 1, node_of, memories);
        let client = simulation.client();
        let values: Vec<u64> = (0..50).collect();
        let slice = client.share(&values).expect("there is room");
        let tasks: Vec<Delayed<u64>> = (0..20).map(|_| delayed!(client, total(&slice))).collect();
        drop(slice);
        let targets: Vec<&Delayed<u64>> = tasks.iter().collect();
        for result in outcomes(&mut simulation, &targets) {
            match result {
                Ok(sum) => {
                    assert_eq!(sum, total(&values), "{world}");
                    good += 1;
                }
                Err(error) => {
                    let task = error.task().expect("a failure of the task");
                    assert!(small[task.rank].0, "{error} in {world}");
                    assert!(error.to_string().contains("0 MB are all that this host has"), "{error}");
                    failed += 1;
                }
            }
        }
        drop(tasks);
        simulation.check_empty();
    }
    assert!(failed > 100 && good > 1000, "{failed} and {good}");
}

#[test]
fn ranks_of_a_node_read_one_memory() {
    // Each sends where its slice is; a mapping of its own has another address, but the pages are the same.
    let addresses = |node_of: &[u32]| {
        run_on_nodes(node_of, 1, |client| {
            let slice = client.share(vec![1u8; 1 << 20])?;
            let look = |_: u64, (slice,): &(Shared<u8>,)| {
                std::thread::sleep(std::time::Duration::from_micros(300));
                let file = file_at(slice.as_ptr() as usize);
                (crate::whereabouts().map(|here| here.rank), file)
            };
            client.map_with(look, 0..200u64, (&slice,)).batch(1).compute()
        })
        .expect("it runs")
    };
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let files = |node_of: &[u32]| {
        let mut files: Vec<String> = addresses(node_of).into_iter().map(|(_, file)| file).collect();
        files.sort();
        files.dedup();
        files
    };
    assert_eq!(files(&[0, 0, 0, 0]).len(), 1);
    let two = files(&[0, 1, 0, 1]);
    assert_eq!(two.len(), 2, "{two:?}");
    assert!(two.iter().all(|file| file.starts_with("/memfd:serried-")), "{two:?}");
    assert_eq!(files(&[0]), [""], "one process has no use for a file");
}

/// The file that is mapped at an address, if there is one.
fn file_at(address: usize) -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("/proc");
    let line = maps.lines().find(|line| {
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let parse = |text| usize::from_str_radix(text, 16).expect("an address");
        range.is_some_and(|(start, end)| (parse(start)..parse(end)).contains(&address))
    });
    line.and_then(|line| line.split_whitespace().nth(5)).unwrap_or_default().to_owned()
}

#[test]
fn the_same_bits_on_every_world_of_nodes() {
    let study = |client: &crate::Client| {
        let x = client.share_with(10_007, |x: &mut [f64]| {
            (0..).zip(x).for_each(|(i, x)| *x = (f64::from(i) * 0.618).fract());
        })?;
        let mean = |i: u64, (x,): &(Shared<f64>,)| x.iter().sum::<f64>() / x.len() as f64 + i as f64;
        let sum = client.map_with(mean, 0..20u64, (&x,)).reduce(|a, b| a + b);
        let last: Vec<Delayed<Option<f64>>> =
            (0..9).map(|_| client.delayed(|(x,): (Shared<f64>,)| x.last().copied(), (&x,))).collect();
        drop(x);
        let (sum, last) = client.compute((&sum, &last))?;
        Ok((sum.to_bits(), last.into_iter().flatten().map(f64::to_bits).collect::<Vec<_>>()))
    };
    let reference = run_on(1, 0, study).expect("it runs");
    assert_eq!(reference.1.len(), 9);
    for node_of in [&[0][..], &[0, 0], &[0, 1], &[0, 0, 1, 1, 2], &[0, 1, 2, 0, 1, 2, 3]] {
        for threads in [1, 2] {
            assert_eq!(run_on_nodes(node_of, threads, study).expect("it runs"), reference, "{node_of:?}");
        }
    }
}

#[test]
fn memory_is_given_back_with_the_last_handle() {
    if cfg!(not(target_os = "linux")) {
        return;
    }
    run_on_nodes(&[0, 0, 1, 1], 1, |client| {
        let mine = |slice: &SharedSlice<u8>| file_at(slice.as_ptr() as usize);
        let mapped = |file: &str| std::fs::read_to_string("/proc/self/maps").expect("/proc").contains(file);
        let slice = client.share(&[3u8; 4096])?;
        let file = mine(&slice);
        let task = client.submit(|(slice,): (Shared<u8>,)| slice.len(), (&slice,));
        drop(slice);
        assert_eq!(task.result()?, 4096);
        drop(task);
        for _ in 0..1000 {
            if !mapped(&file) {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("{file} is still mapped");
    })
    .expect("it runs");
}

#[test]
fn what_does_not_fit_is_an_error() {
    for node_of in [&[0][..], &[0, 0], &[0, 1]] {
        run_on_nodes(node_of, 1, |client| {
            let never = |_: &mut [u64]| unreachable!("there is no memory to fill");
            let error = client.share_with(usize::MAX / 4, never).expect_err("it overflows");
            assert!(matches!(error, Error::Memory(_)) && error.to_string().contains("elements of 8 bytes"));
            if cfg!(target_os = "linux") {
                let error = client.share_with(1 << 50, never).expect_err("no host has as much");
                assert!(error.to_string().contains("this host has"), "{error}");
            }
            assert!(client.share(Vec::<u64>::new())?.is_empty());
            Ok(())
        })
        .expect("it runs");
    }
}

#[test]
fn a_slice_of_another_run_is_refused() {
    let kept = run_on(2, 1, |client| client.share(vec![1u8, 2])).expect("it runs");
    assert_eq!(*kept, [1, 2], "it can be read when the run is over");
    run_on(1, 1, |client| {
        let task = client.delayed(|(x,): (Shared<u8>,)| x.len(), (&kept,));
        assert!(matches!(task.compute(), Err(Error::Usage(_))));
        Ok(())
    })
    .expect("it runs");
}
