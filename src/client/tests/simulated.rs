//! What programs compute in simulated worlds, compared with a serial evaluator.

use super::simulation::{Shape, Simulation, outcome, outcomes};
use crate::random::{Key, Seed, Stream};
use crate::{Delayed, Error, List, Map, TaskError};
use std::sync::Arc;

/// Worlds of all kinds; the weather differs in each.
pub(super) fn shapes(count: u64) -> impl Iterator<Item = Shape> {
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
        simulation.client().core.send(Event::Cancel { rank, place, request: 0 });
        let result = outcome(&mut simulation, &third);
        let cancelled =
            simulation.completions.look(|state| state.cancelled.values().any(|prevented| *prevented));
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
    use crate::runtime::Want;
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
            let results = simulation.completions.look(|state| state.take_results(graph)).expect("at rest");
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
        let wrong = step.start((vec![1, 2, 3],), crate::runtime::Want::Keep);
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

#[test]
fn what_is_given_up_under_way_leaves_nothing_and_hurts_nobody() {
    for shape in shapes(150) {
        let mut simulation = Simulation::of(shape, 5);
        let mut stream = Stream::new(&Seed::from(shape.weather), &[3]);
        let client = simulation.client();
        let chain = |length: u64| {
            let first = client.delayed(|(x,)| x + 1, (length,));
            (0..length).fold(first, |before, _| client.delayed(|(x,)| x + 1, (before,)))
        };
        let map = client.map(|i| i * 7 % 11, 0..400u64).batch(8);
        let wide = client.delayed(|(a, b)| a + b, (chain(20), chain(15)));
        let read = chain(10).submit();
        // This graph reads a value of one that is given up, and is wanted.
        let wanted = client.submit(|(x,)| x * 2, (read.clone(),));
        let dropped = (wide.submit(), map.reduce(|a, b| a + b).submit(), map.collect().submit());
        for _ in 0..stream.integers(0, 120) {
            simulation.step();
        }
        drop((read, dropped, map));
        for _ in 0..stream.integers(0, 60) {
            simulation.step();
        }
        simulation.settle();
        let node = wanted.node_id();
        assert!(simulation.client().core.placed(node).is_some());
        let again = simulation.client().delayed(|(x,)| x + 1, (wanted,));
        assert_eq!(outcome(&mut simulation, &again).expect("it was wanted"), 43, "{shape:?}");
        drop(again);
        simulation.check_empty();
    }
}
