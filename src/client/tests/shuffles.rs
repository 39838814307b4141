//! Shuffles in simulated worlds, compared with what a serial program would do.

use super::{
    simulated::shapes,
    simulation::{Shape, Simulation, outcome},
};
use crate::{Share, ShareError};

/// The values that end in each bucket, in their order.
fn buckets_of(values: impl Iterator<Item = (u64, String)>, buckets: u64) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new(); buckets as usize];
    values.for_each(|(bucket, value)| all[bucket as usize].push(value));
    all
}

#[test]
fn shuffled_values_are_in_the_order_of_the_source() {
    type Shares = (Share<String>, Share<String>);
    for shape in shapes(60) {
        let mut simulation = Simulation::of(shape, 5);
        let client = simulation.client();
        let buckets = 1 + shape.weather % 9;
        let length = shape.weather * 31 % 700;
        let keyed =
            client.map_with(|i, (buckets,)| [(i * i % buckets, i.to_string())], 0..length, (buckets,));
        let many = client.map_with(
            |i, (buckets,)| Some((i * 7 % buckets, format!("{i}!"))),
            client.flat_map(|i| (0..i % 4).map(move |k| i + 1000 * k), 0..length).filter(|i| i % 5 != 2),
            (buckets,),
        );
        let (once, often) = (keyed.shuffle(buckets), many.shuffle(buckets));
        let read = |bucket: u64, (once, often): &Shares| {
            Ok::<_, ShareError>((once.read(bucket)?, often.read(bucket)?))
        };
        let together = client.try_map_with(read, once.buckets(), (&once, &often));
        // Another sink over the same map, and one over what was read.
        let (count, lists) = (keyed.count(), together.collect());
        let numbers = together.map(|(once, often)| once.len() + often.len()).reduce(|a, b| a + b);
        let expected = buckets_of((0..length).map(|i| (i * i % buckets, i.to_string())), buckets);
        let made = (0..length).flat_map(|i| (0..i % 4).map(move |k| i + 1000 * k)).filter(|i| i % 5 != 2);
        let expected_many = buckets_of(made.map(|i| (i * 7 % buckets, format!("{i}!"))), buckets);
        let total = expected.iter().chain(&expected_many).map(Vec::len).sum::<usize>();
        assert_eq!(outcome(&mut simulation, &count).expect("good"), length);
        assert_eq!(outcome(&mut simulation, &numbers).expect("good"), total, "{shape:?}");
        let expected: Vec<_> = expected.into_iter().zip(expected_many).collect();
        assert_eq!(outcome(&mut simulation, &lists).expect("good"), expected, "{shape:?}");
        drop((keyed, many, once, often, together, count, lists, numbers));
        simulation.check_empty();
    }
}

#[test]
fn one_element_may_be_more_than_a_rank_gathers() {
    for shape in shapes(6) {
        let mut simulation = Simulation::of(shape, 5);
        let client = simulation.client();
        let pairs = client
            .flat_map(|i| (0..300u64).map(move |k| [(k % 3, vec![k as u8 ^ i as u8; 100_000])]), 0..2u64);
        let shuffled = pairs.shuffle(3);
        let read = |bucket, (share,): &(Share<Vec<u8>>,)| {
            let values = share.read(bucket)?;
            assert!(values.iter().all(|value| value.len() == 100_000));
            Ok::<_, ShareError>(values.iter().map(|value| value[99_999]).collect::<Vec<u8>>())
        };
        let lists = client.try_map_with(read, shuffled.buckets(), (&shuffled,)).collect();
        let values = |i: u8| (0..300u64).map(move |k| (k % 3, k as u8 ^ i));
        let mut expected = vec![Vec::new(); 3];
        values(0).chain(values(1)).for_each(|(bucket, value)| expected[bucket as usize].push(value));
        assert_eq!(outcome(&mut simulation, &lists).expect("good"), expected, "{shape:?}");
        drop((pairs, shuffled, lists));
        simulation.check_empty();
    }
}

#[test]
fn what_fails_before_a_shuffle_fails_what_reads_it() {
    for shape in shapes(24) {
        let mut simulation = Simulation::of(shape, 5);
        let client = simulation.client();
        let keyed = client.try_map(
            |i| match i {
                130 | 170 => Err(format!("no {i}")),
                i => Ok([(i % 8, i)]),
            },
            0..300u64,
        );
        let shuffled = keyed.shuffle(if shape.weather % 2 == 0 { 8 } else { 7 });
        let lists =
            client.try_map_with(|bucket, (share,)| share.read(bucket), shuffled.buckets(), (&shuffled,));
        let error = outcome(&mut simulation, &lists.collect()).expect_err("an element fails");
        let task = error.task().expect("a task's failure");
        match shape.weather % 2 {
            0 => assert_eq!((task.index, task.message.as_str()), (Some(130), "no 130")),
            _ => assert_eq!((task.index, task.message.as_str()), (Some(7), "bucket 7 of 7")),
        }
        drop((keyed, shuffled, lists, error));
        simulation.check_empty();
    }
}

#[test]
fn a_share_is_read_where_it_is_and_nowhere_else() {
    let shape = Shape { ranks: 3, threads: 1, rank_zero_computes: true, weather: 1 };
    let mut simulation = Simulation::of(shape, 5);
    let client = simulation.client();
    let shuffled = client.map(|i| vec![(i % 2, i)], 0..10u64).shuffle(2);
    let astray = client.map_with(|i, (_,): &(Share<u64>,)| i, 0..2u64, (&shuffled,)).count();
    let by_task = client.delayed(|(_,): (Share<u64>,)| 0u64, (&shuffled,));
    let others = client.map(|i| vec![(i % 3, i)], 0..10u64).shuffle(3);
    let other = client.map_with(|i, (_,): &(Share<u64>,)| i, others.buckets(), (&shuffled,)).count();
    assert!(shuffled.concat(&others).is_err());
    drop(others);
    for target in [astray, by_task, other] {
        let error = outcome(&mut simulation, &target).expect_err("a share stays");
        assert!(error.to_string().contains("Shuffled::buckets"), "{error}");
    }
    for buckets in [0, 65_537] {
        let client = simulation.client();
        let many = client.map(|i| Some((i, i)), 0..10u64).shuffle(buckets);
        let count = client.map_with(|i, (_,): &(Share<u64>,)| i, many.buckets(), (&many,)).count();
        let error = outcome(&mut simulation, &count).expect_err("a number of buckets that cannot be");
        assert!(error.to_string().contains("1 to 65536 buckets"), "{error}");
    }
    drop(shuffled);
    simulation.check_empty();
}

#[test]
fn the_head_of_what_belongs_to_ranks_is_read() {
    for shape in shapes(24) {
        let mut simulation = Simulation::of(shape, 5);
        let client = simulation.client();
        let map = client.map(|i| i * 3, 0..1000u64);
        let (persisted, done) = map.begin_persist().expect("it can be kept");
        outcome(&mut simulation, &done).expect("nothing fails");
        persisted.keep();
        let client = simulation.client();
        let shuffled = client.map(|i| [(i % 40, i)], &map).shuffle(40);
        let read = |bucket: u64, (share,): &(Share<u64>,)| share.read(bucket).map(|values| values.len());
        let sizes = client.try_map_with(read, shuffled.buckets(), (&shuffled,));
        let (head, few) = (map.head(3).collect(), sizes.head(7).collect());
        assert_eq!(outcome(&mut simulation, &head).expect("good"), [0, 3, 6], "{shape:?}");
        assert_eq!(outcome(&mut simulation, &few).expect("good"), [25; 7], "{shape:?}");
        drop((map, persisted, done, shuffled, sizes, head, few));
        simulation.check_empty();
    }
}

#[test]
fn a_prepared_graph_shuffles_in_each_run() {
    use crate::runtime::Want;
    for shape in shapes(30) {
        let mut simulation = Simulation::of(shape, 7);
        let client = simulation.client();
        let offset = client.parameter::<u64>();
        let pairs = client.map_with(|i, (offset,)| [(i % 5, i + **offset)], 0..200u64, (&offset,));
        let shuffled = pairs.shuffle(5);
        let sums = client.try_map_with(
            |bucket, (share,)| Ok::<_, ShareError>(share.read(bucket)?.into_iter().sum::<u64>()),
            shuffled.buckets(),
            (&shuffled,),
        );
        let digest = sums.fold(0u64, |so_far, sum| so_far * 31 + sum, |a, b| a * 17 + b);
        let prepared = client.prepare((&offset,), (&digest,)).expect("nothing is wrong with it");
        drop((offset, pairs, shuffled, sums, digest));
        let runs: Vec<_> =
            (0..3u64).map(|run| prepared.start((run,), Want::Result).expect("a run")).collect();
        simulation.settle();
        let found: Vec<u64> = runs
            .iter()
            .map(|graph| {
                let results =
                    simulation.completions.look(|state| state.take_results(*graph)).expect("at rest");
                let mut results = results.into_iter().map(crate::client::targets::take::<u64>);
                results.next().expect("a digest").expect("good")
            })
            .collect();
        let expected = |offset: u64| {
            let sums = |bucket| (0..200u64).filter(|i| i % 5 == bucket).map(|i| i + offset).sum::<u64>();
            // The tree over five leaves: ((0 1) (2 3)) 4.
            let merge = |a, b| a * 17 + b;
            merge(merge(merge(sums(0), sums(1)), merge(sums(2), sums(3))), sums(4))
        };
        assert_eq!(found, [expected(0), expected(1), expected(2)], "{shape:?}");
        drop(prepared);
        simulation.check_empty();
    }
}
