//! What programs compute in simulated worlds, compared with a serial evaluator.

use super::simulation::{Shape, Simulation, outcome, outcomes};
use crate::random::{Key, Seed, Stream};
use crate::{Delayed, Error, List, Map, TaskError};
use std::sync::Arc;

/// Worlds of all kinds; the weather differs in each.
fn shapes(count: u64) -> impl Iterator<Item = Shape> {
    (0..count).map(|weather| Shape {
        ranks: 1 + (weather % 6) as u32,
        threads: 1 + weather / 6 % 3,
        rank_zero_computes: weather % 5 != 3,
        weather,
    })
}

/// A task of a random graph: the tasks it reads, and its number.
type Recipe = Vec<(Vec<usize>, u64)>;

fn random_recipe(stream: &mut Stream, tasks: usize) -> Recipe {
    (0..tasks)
        .map(|task| {
            let inputs = if task == 0 { 0 } else { stream.integers(0, 4) as usize };
            let recent = task.saturating_sub(12) as i64;
            let inputs = (0..inputs).map(|_| stream.integers(recent, task as i64) as usize).collect();
            (inputs, stream.integers(0, 1000) as u64)
        })
        .collect()
}

/// Fails for one number in fifty.
fn mix(terms: Vec<Arc<u64>>, number: u64) -> Result<u64, String> {
    match number % 100 {
        17 => Err(format!("{number}")),
        71 => panic!("{number}"),
        _ => Ok(terms.iter().fold(number, |sum, term| sum.wrapping_mul(31).wrapping_add(**term))),
    }
}

/// What every task ends in: a value, or the label of the task that failed.
fn serial(recipe: &Recipe) -> Vec<Result<u64, String>> {
    let mut results: Vec<Result<u64, String>> = Vec::new();
    for (task, (inputs, number)) in recipe.iter().enumerate() {
        let terms: Result<Vec<Arc<u64>>, String> =
            inputs.iter().map(|&input| results[input].clone().map(Arc::new)).collect();
        let result = terms.and_then(|terms| match number % 100 {
            17 | 71 => Err(format!("task {task}")),
            _ => mix(terms, *number),
        });
        results.push(result);
    }
    results
}

fn build(simulation: &Simulation, recipe: &Recipe) -> Vec<Delayed<u64>> {
    let mut handles: Vec<Delayed<u64>> = Vec::new();
    for (task, (inputs, number)) in recipe.iter().enumerate() {
        let terms: List<u64> = inputs.iter().map(|&input| &handles[input]).collect();
        let call = |(terms, number)| mix(terms, number);
        let handle = simulation.client().try_delayed(call, (&terms, *number));
        handles.push(handle.label(&format!("task {task}")));
    }
    handles
}

fn failed_label(error: &Error) -> String {
    error.task().expect("a task's failure").label.clone()
}

#[test]
fn random_graphs_end_as_in_a_serial_evaluation() {
    let mut failures = 0;
    for shape in shapes(120) {
        let mut stream = Stream::new(&Seed::from(shape.weather), &[1]);
        let recipe = random_recipe(&mut stream, 1 + (shape.weather * 7 % 90) as usize);
        let expected = serial(&recipe);
        let mut simulation = Simulation::of(shape, 1);
        let handles = build(&simulation, &recipe);
        let wanted: Vec<usize> = (0..handles.len()).filter(|_| stream.integers(0, 3) == 0).collect();
        let targets: Vec<&Delayed<u64>> = wanted.iter().map(|&task| &handles[task]).collect();
        for (task, result) in wanted.iter().zip(outcomes(&mut simulation, &targets)) {
            failures += u32::from(result.is_err());
            let result = result.map_err(|error| failed_label(&error));
            assert_eq!(result, expected[*task], "task {task} in {shape:?}");
        }
        drop(handles);
        simulation.check_empty();
    }
    assert!(failures > 20, "failures are part of the test: {failures}");
}

#[test]
fn persisted_values_are_read_where_they_are_and_forgotten() {
    for shape in shapes(60) {
        let mut simulation = Simulation::of(shape, 1);
        let base: Vec<_> = (0..10u64).map(|i| simulation.client().submit(|(i,)| i * i, (i,))).collect();
        let shared = simulation.client().broadcast(vec![10u64, 20]).expect("numbers");
        // Some readers are sent while the values are still being made.
        if shape.weather % 2 == 0 {
            simulation.settle();
        }
        let sums: Vec<Delayed<u64>> = base
            .iter()
            .zip(base.iter().skip(1))
            .map(|(a, b)| {
                let sum = |(a, b, shared): (Arc<u64>, u64, Arc<Vec<u64>>)| *a + b + shared[1];
                simulation.client().delayed(sum, (a, b.clone(), &shared))
            })
            .collect();
        let targets: Vec<_> = sums.iter().collect();
        for (i, sum) in (0u64..).zip(outcomes(&mut simulation, &targets)) {
            assert_eq!(sum.expect("it cannot fail"), i * i + (i + 1) * (i + 1) + 20);
        }
        drop((base, shared, sums));
        simulation.check_empty();
    }
}

/// The elements of the test maps: one in 89 fails, one in 101 panics.
fn element(i: u64, mut stream: Stream) -> Result<f64, String> {
    match i {
        _ if i % 89 == 88 => Err(format!("{i} fails")),
        _ if i % 101 == 100 => panic!("{i} panics"),
        _ => Ok(stream.standard_normal()),
    }
}

fn pairwise(values: &[f64]) -> f64 {
    match values {
        [] => 0.0,
        [one] => *one,
        _ => {
            let half = values.len().next_power_of_two() / 2;
            pairwise(&values[..half]) + pairwise(&values[half..])
        }
    }
}

#[test]
fn maps_end_as_in_a_serial_evaluation() {
    for shape in shapes(90) {
        // Below 65,536 elements leaves have one element, so the tree is a plain pairwise sum.
        let length = [0, 1, 2, 7, 60, 87, 88, 89, 200, 1000][shape.weather as usize % 10];
        let mut simulation = Simulation::of(shape, 5);
        let client = simulation.client();
        let key = Key::new([9]).expect("a small number");
        let map = client.try_map_random(element, 0..length).key(&key).label("element");
        let map = if shape.weather % 3 == 0 { map.batch(1 + shape.weather) } else { map };
        let positive = map.filter(|x| *x > 0.0);
        let handles = (map.reduce(|a, b| a + b), map.collect(), map.outcomes(), positive.count());
        let expected: Vec<Result<f64, u64>> = (0..length)
            .map(|i| match i % 89 == 88 || i % 101 == 100 {
                true => Err(i),
                false => Ok(Stream::new(&Seed::from(5u64), &[9, i as u32]).standard_normal()),
            })
            .collect();
        let first = expected.iter().find_map(|result| result.err());
        let good: Vec<f64> = expected.iter().filter_map(|result| result.ok()).collect();

        let sum = outcome(&mut simulation, &handles.0);
        match (first, length) {
            (_, 0) => assert!(sum.unwrap_err().to_string().contains("no element"), "{shape:?}"),
            (Some(first), _) => {
                let error = sum.unwrap_err();
                assert_eq!(error.task().and_then(|task| task.index), Some(first), "{shape:?}");
                assert_eq!(failed_label(&error), "element");
            }
            (None, _) => assert_eq!(sum.expect("good").to_bits(), pairwise(&good).to_bits()),
        }
        let all = outcome(&mut simulation, &handles.1);
        match first {
            Some(first) => assert_eq!(all.unwrap_err().task().and_then(|task| task.index), Some(first)),
            None => assert_eq!(all.expect("good"), good),
        }
        let each: Vec<Result<f64, TaskError>> =
            outcome(&mut simulation, &handles.2).expect("failures are part of the result");
        let told: Vec<Result<f64, u64>> =
            each.into_iter().map(|one| one.map_err(|error| error.index.expect("an element"))).collect();
        assert_eq!(told, expected, "{shape:?}");
        if first.is_none() {
            let count = outcome(&mut simulation, &handles.3).expect("good");
            assert_eq!(count, good.iter().filter(|x| **x > 0.0).count() as u64);
        }
        drop((map, positive, handles));
        simulation.check_empty();
    }
}

#[test]
fn everything_over_one_source_is_one_sweep() {
    for shape in shapes(30) {
        let mut simulation = Simulation::of(shape, 5);
        let client = simulation.client();
        let squares = client.map(|i| i * i, 0..300u64);
        let (sum, even) = (squares.reduce(|a, b| a + b), squares.filter(|x| x % 2 == 0));
        let (count, list) = (even.count(), even.map(|x| x / 2).collect());
        // The mean is a value that a second sweep over the same source reads.
        let above =
            client.map_with(|x, (sum,)| u64::from(x * 300 > **sum), &squares, (&sum,)).reduce(|a, b| a + b);
        let report = client.delayed(
            |(sum, count, list, above): (u64, u64, Vec<u64>, u64)| {
                (sum, count, list.iter().sum::<u64>(), above)
            },
            (sum, count, list, above),
        );
        let (sum, count, halves, above) = outcome(&mut simulation, &report).expect("good");
        assert_eq!((sum, count), (8_955_050, 150));
        assert_eq!(halves, (0..300u64).map(|i| i * i).filter(|x| x % 2 == 0).map(|x| x / 2).sum::<u64>());
        assert_eq!(above, (0..300u64).filter(|i| i * i * 300 > sum).count() as u64);
        drop((squares, even, report));
        simulation.check_empty();
    }
}

#[test]
fn vectors_are_dealt_out_and_shared_values_may_fail() {
    for shape in shapes(40) {
        let mut simulation = Simulation::of(shape, 5);
        let client = simulation.client();
        let words: Vec<String> = (0..137).map(|i| format!("word {i}")).collect();
        let lengths = client.map_with(|word: String, (k,)| word.len() * k, words.clone(), (3usize,));
        let lengths = lengths.collect();
        assert_eq!(
            outcome(&mut simulation, &lengths).expect("good"),
            words.iter().map(|word| word.len() * 3).collect::<Vec<_>>()
        );
        let client = simulation.client();
        let bad = client.try_delayed(|(k,): (u64,)| if k > 0 { Err("bad") } else { Ok(k) }, (1,));
        let bad = bad.label("bad");
        let map = client.map_with(|i, (k,)| i + **k, 0..1000u64, (&bad,)).reduce(|a, b| a + b);
        let error = outcome(&mut simulation, &map).expect_err("a shared value failed");
        assert_eq!(failed_label(&error), "bad");
        drop((lengths, bad, map));
        simulation.check_empty();
    }
}

#[test]
fn a_cancelled_task_fails_what_depends_on_it_and_leaves_nothing() {
    use crate::scheduler::Event;
    let mut prevented = 0;
    for shape in shapes(60) {
        let mut simulation = Simulation::of(shape, 5);
        let client = simulation.client();
        let first = client.submit(|(x,)| x + 1, (1u64,));
        let second = client.submit(|(x,)| x + 1, (first.clone(),));
        let third = client.delayed(|(x, y)| x + y, (first.clone(), second.clone()));
        let node = second.node_id();
        let (rank, place) = client.core.placed(node).expect("it was submitted");
        if shape.weather % 3 == 0 {
            simulation.settle();
        }
        simulation.client().core.send(Event::Cancel { rank, place, ticket: (place.graph, 0) });
        let result = outcome(&mut simulation, &third);
        let cancelled =
            simulation.mailbox.look(|letters| letters.cancelled.values().any(|prevented| *prevented));
        match result {
            Ok(sum) => assert!(!cancelled && sum == 5),
            Err(error) => {
                assert!(cancelled);
                prevented += 1;
                let cause = error.task().map(|task| task.cause.clone());
                assert_eq!(cause, Some(crate::Cause::Cancelled));
            }
        }
        drop((first, second, third));
        simulation.check_empty();
    }
    assert!(prevented > 5 && prevented < 60, "{prevented} of 60");
}

#[test]
fn a_persisted_map_is_swept_where_it_stays() {
    for shape in shapes(40) {
        let mut simulation = Simulation::of(shape, 5);
        let client = simulation.client();
        let map: Map<u64> = client.map(|i| i * 7 % 11, 0..500u64).filter(|x| *x != 3).batch(50);
        let (persisted, done) = map.begin_persist().expect("it can be kept");
        outcome(&mut simulation, &done).expect("nothing fails");
        persisted.keep();
        let before = simulation.messages;
        let (sum, list) =
            (map.map(|x| x).batch(50).reduce(|a, b| a + b), map.map(|x| x + 1).batch(50).collect());
        let expected: Vec<u64> = (0..500u64).map(|i| i * 7 % 11).filter(|x| *x != 3).collect();
        assert_eq!(outcome(&mut simulation, &sum).expect("good"), expected.iter().sum::<u64>());
        assert!(simulation.messages - before < 60 * u64::from(shape.ranks), "no second computation");
        let plus_one: Vec<u64> = expected.iter().map(|x| x + 1).collect();
        assert_eq!(outcome(&mut simulation, &list).expect("good"), plus_one);
        drop((map, persisted, done, sum, list));
        simulation.check_empty();
    }
}

#[test]
fn values_that_are_kept_twice_are_forgotten_once_and_kept_maps_are_read_to_the_end() {
    for shape in shapes(40) {
        let mut simulation = Simulation::of(shape, 5);
        let client = simulation.client();
        let x = client.delayed(|(x,)| x + 1, (1u64,));
        let (one, two) = (x.clone().submit(), x.clone().submit());
        let shared = client.broadcast(7u64).expect("a number");
        let again = shared.clone().submit();
        let sum = client.delayed(|(a, b, c)| a + b + c, (one.clone(), two.clone(), again.clone()));
        assert_eq!(outcome(&mut simulation, &sum).expect("good"), 11);
        drop((x, one, two, shared, again, sum));
        simulation.check_empty();

        let client = simulation.client();
        let map = client.map(|i| i + 1, 0..300u64);
        let (persisted, done) = map.begin_persist().expect("it can be kept");
        outcome(&mut simulation, &done).expect("nothing fails");
        persisted.keep();
        // The last handle on the map goes with the submission.
        let sum = map.reduce(|a, b| a + b);
        drop((map, persisted, done));
        let sum = sum.submit();
        simulation.settle();
        let value = simulation.client().delayed(|(sum,)| sum, (sum.clone(),));
        assert_eq!(outcome(&mut simulation, &value).expect("good"), 45_150);
        drop((sum, value));
        simulation.check_empty();
    }
}

#[test]
fn a_long_chain_is_neither_walked_nor_dropped_by_recursion() {
    let shape = Shape { ranks: 2, threads: 1, rank_zero_computes: true, weather: 1 };
    let mut simulation = Simulation::of(shape, 5);
    let mut last = simulation.client().delayed(|(x,)| x, (0u64,));
    for _ in 0..100_000 {
        last = simulation.client().delayed(|(x,): (u64,)| x + 1, (last,));
    }
    drop(last);
    simulation.check_empty();
    let mut last = simulation.client().delayed(|(x,)| x, (0u64,));
    for _ in 0..3_000 {
        last = simulation.client().delayed(|(x,): (u64,)| x + 1, (last,));
    }
    assert_eq!(outcome(&mut simulation, &last).expect("good"), 3_000);
    drop(last);
    simulation.check_empty();
}

#[test]
fn a_prepared_graph_runs_again_and_again() {
    use crate::client::plan::Want;
    for shape in shapes(60) {
        let mut stream = Stream::new(&Seed::from(shape.weather), &[2]);
        let mut recipe = random_recipe(&mut stream, 1 + (shape.weather * 5 % 60) as usize);
        let mut simulation = Simulation::of(shape, 7);
        let client = simulation.client();
        let offset = client.parameter::<u64>();
        let given = client.broadcast(5u64).expect("a number");
        let mut handles: Vec<Delayed<u64>> = Vec::new();
        for (inputs, number) in &recipe {
            let terms: List<u64> = inputs.iter().map(|&input| &handles[input]).collect();
            let call = |(terms, number, offset): (_, u64, Arc<u64>)| mix(terms, number + 100 * *offset);
            handles.push(client.try_delayed(call, (&terms, *number, &offset)));
        }
        let draw = |(mut rng, five): (Stream, Arc<u64>)| rng.integers(0, 1 << 40) as u64 + *five;
        let drawn = client.delayed(draw, (client.stream(), &given));
        let draws = client.map_random(|_, mut rng| rng.integers(0, 1 << 40) as u64, 0..40u64);
        let summed = client.map_with(|x, (offset,)| x + **offset, &draws, (&offset,));
        let (maximum, sum) = (draws.reduce(u64::max), summed.reduce(|a, b| a.wrapping_add(b)));
        let targets = (&handles, &drawn, &maximum, &sum);
        let prepared = client.prepare((&offset,), targets).expect("nothing is wrong with it");
        let common = client.prepare((&offset,), targets).expect("nothing is wrong with it");
        let common = common.common_random_numbers();
        drop((handles, drawn, draws, summed, maximum, sum, offset, given));
        // Several runs are under way at a time.
        let runs: Vec<_> =
            (0..4u64).map(|run| prepared.start((run,), Want::Result).expect("a run")).collect();
        let again: Vec<_> = (0..2u64).map(|run| common.start((run,), Want::Result).expect("a run")).collect();
        simulation.settle();
        let take = |graph| {
            let results = simulation.mailbox.look(|letters| letters.take_results(graph)).expect("at rest");
            results.into_iter().map(crate::client::targets::take::<u64>).collect::<Vec<_>>()
        };
        let mut others = Vec::new();
        for (run, graph) in (0u64..).zip(&runs) {
            let mut results = take(*graph);
            let random: Vec<u64> =
                results.split_off(recipe.len()).into_iter().map(|result| result.expect("a draw")).collect();
            recipe.iter_mut().for_each(|(_, number)| *number += 100 * run);
            for (result, expected) in results.into_iter().zip(serial(&recipe)) {
                assert_eq!(result.ok(), expected.ok(), "run {run} in {shape:?}");
            }
            recipe.iter_mut().for_each(|(_, number)| *number -= 100 * run);
            let key = |key: &[u32]| match run {
                0 => key.to_vec(),
                _ => [&[u32::MAX, u32::MAX, run as u32], key].concat(),
            };
            let of = |words: &[u32]| Stream::new(&Seed::from(7u64), &key(words)).integers(0, 1 << 40) as u64;
            let of_map: Vec<u64> = (0..40).map(|i| of(&[u32::MAX, 1, i, 0])).collect();
            let expected = [
                of(&[u32::MAX, 0, 0, 0]) + 5,
                *of_map.iter().max().expect("40"),
                of_map.iter().fold(0u64, |sum, x| sum.wrapping_add(x + run)),
            ];
            assert_eq!(random, expected, "run {run} in {shape:?}");
            others.push(random);
        }
        let again: Vec<Vec<u64>> = again
            .into_iter()
            .map(|graph| {
                take(graph).into_iter().skip(recipe.len()).map(|result| result.expect("a draw")).collect()
            })
            .collect();
        assert_eq!(again[0], others[0]);
        assert_eq!(again[1][..2], others[0][..2], "common random numbers");
        drop((prepared, common));
        simulation.check_empty();
    }
}

#[test]
fn values_stay_on_the_ranks_between_the_runs_of_a_prepared_graph() {
    for shape in shapes(40) {
        let mut simulation = Simulation::of(shape, 7);
        let client = simulation.client();
        let cells: Vec<Delayed<u64>> = (0..9).map(|_| client.parameter()).collect();
        let add = |(a, b): (Arc<u64>, Arc<u64>)| a.wrapping_add(*b);
        let next: Vec<Delayed<u64>> =
            (0..9).map(|i| client.delayed(add, (&cells[i], &cells[(i + 1) % 9]))).collect();
        let step = client.prepare((&cells,), &next).expect("nothing is wrong with it");
        drop((cells, next));
        let mut expected: Vec<u64> = (0..9).collect();
        let mut state = step.begin_persist((expected.clone(),)).expect("a run");
        for round in 0..6 {
            if round % 3 == shape.weather % 3 {
                simulation.settle();
            }
            state = step.begin_persist((&state,)).expect("a run");
        }
        for _ in 0..7 {
            expected = (0..9).map(|i| expected[i].wrapping_add(expected[(i + 1) % 9])).collect();
        }
        let targets: Vec<&Delayed<u64>> = state.iter().collect();
        let found: Vec<u64> =
            outcomes(&mut simulation, &targets).into_iter().map(|value| value.expect("a sum")).collect();
        assert_eq!(found, expected, "{shape:?}");
        let wrong = step.start((vec![1, 2, 3],), crate::client::plan::Want::Keep);
        assert!(wrong.unwrap_err().to_string().contains("a list of 9 values, but 3"));
        drop((step, state));
        simulation.check_empty();
    }
}

#[test]
fn ranks_without_work_are_lent_tasks_and_the_results_are_the_same() {
    let mut lent = 0;
    for shape in shapes(40).filter(|shape| shape.ranks > 1) {
        let mut simulation = Simulation::of(shape, 7);
        simulation.model.slow_rank = Some(0);
        let client = simulation.client();
        let factor = client.local(|(x,)| x, (3u64,)).expect("a number");
        let base: Vec<Delayed<u64>> = (0..10).map(|i| client.delayed(|(i,)| i, (i,))).collect();
        let work =
            |(x, factor, mut rng): (Arc<u64>, Arc<u64>, Stream)| *x * *factor + rng.integers(0, 1000) as u64;
        let tasks: Vec<Delayed<u64>> =
            (0..150).map(|i| client.delayed(work, (&base[i % 10], &factor, client.stream()))).collect();
        let sum = client.delayed(|(terms,): (Vec<u64>,)| terms, (tasks.iter().collect::<List<u64>>(),));
        let found = outcome(&mut simulation, &sum).expect("nothing fails");
        let expected: Vec<u64> = (0..150u64)
            .map(|i| {
                let mut rng = Stream::new(&Seed::from(7u64), &[u32::MAX, i as u32, 0, 0]);
                i % 10 * 3 + rng.integers(0, 1000) as u64
            })
            .collect();
        assert_eq!(found, expected, "{shape:?}");
        lent += simulation.loans;
        drop((base, tasks, sum, factor));
        simulation.check_empty();
    }
    assert!(lent > 20, "tasks are lent: {lent}");
}

/// The values that end in each bucket, in their order.
fn buckets_of(values: impl Iterator<Item = (u64, String)>, buckets: u64) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new(); buckets as usize];
    values.for_each(|(bucket, value)| all[bucket as usize].push(value));
    all
}

#[test]
fn shuffled_values_are_in_the_order_of_the_source() {
    type Shares = (crate::Share<String>, crate::Share<String>);
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
            Ok::<_, crate::ShareError>((once.read(bucket)?, often.read(bucket)?))
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
        let read = |bucket, (share,): &(crate::Share<Vec<u8>>,)| {
            let values = share.read(bucket)?;
            assert!(values.iter().all(|value| value.len() == 100_000));
            Ok::<_, crate::ShareError>(values.iter().map(|value| value[99_999]).collect::<Vec<u8>>())
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
    let astray = client.map_with(|i, (_,): &(crate::Share<u64>,)| i, 0..2u64, (&shuffled,)).count();
    let by_task = client.delayed(|(_,): (crate::Share<u64>,)| 0u64, (&shuffled,));
    let others = client.map(|i| vec![(i % 3, i)], 0..10u64).shuffle(3);
    let other = client.map_with(|i, (_,): &(crate::Share<u64>,)| i, others.buckets(), (&shuffled,)).count();
    assert!(shuffled.concat(&others).is_err());
    drop(others);
    for target in [astray, by_task, other] {
        let error = outcome(&mut simulation, &target).expect_err("a share stays");
        assert!(error.to_string().contains("Shuffled::buckets"), "{error}");
    }
    for buckets in [0, 65_537] {
        let client = simulation.client();
        let many = client.map(|i| Some((i, i)), 0..10u64).shuffle(buckets);
        let count = client.map_with(|i, (_,): &(crate::Share<u64>,)| i, many.buckets(), (&many,)).count();
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
        let read =
            |bucket: u64, (share,): &(crate::Share<u64>,)| share.read(bucket).map(|values| values.len());
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
    use crate::client::plan::Want;
    for shape in shapes(30) {
        let mut simulation = Simulation::of(shape, 7);
        let client = simulation.client();
        let offset = client.parameter::<u64>();
        let pairs = client.map_with(|i, (offset,)| [(i % 5, i + **offset)], 0..200u64, (&offset,));
        let shuffled = pairs.shuffle(5);
        let sums = client.try_map_with(
            |bucket, (share,)| Ok::<_, crate::ShareError>(share.read(bucket)?.into_iter().sum::<u64>()),
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
                    simulation.mailbox.look(|letters| letters.take_results(*graph)).expect("at rest");
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
