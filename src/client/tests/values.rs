//! Values and arguments as they come out at the other end.

use super::local::{WORLDS, run_on};
use crate::Delayed;
use crate::error::Result;
use crate::random::{Key, Stream};
use std::sync::Arc;

#[test]
fn a_failed_task_of_many_says_which_it_is() {
    for (ranks, threads) in WORLDS {
        run_on(ranks, threads, |client| {
            let half = |(x, scale, mut rng, table): (u32, Option<f64>, Stream, Arc<Vec<u8>>)| {
                assert!(x != 7, "seven is odd, and {}", rng.random() > 2.0);
                f64::from(x) * scale.unwrap_or(0.5) * f64::from(table[0])
            };
            let table = client.delayed(|()| vec![2u8], ());
            let tasks: Vec<Delayed<f64>> = (0..20u32)
                .map(|x| {
                    let stream = client.stream_at(&Key::new([x.into(), 3])?);
                    Ok(client.delayed(half, (x, Some(0.25), stream, &table)).label("half").retries(1))
                })
                .collect::<Result<_>>()?;
            let error = client.compute(&tasks).expect_err("one of them fails");
            let task = error.task().expect("it is a task's");
            assert_eq!(task.arguments.as_deref(), Some("(7, Some(0.25), stream [7, 3], _)"));
            let said = error.to_string();
            assert!(
                said.starts_with("task `half` with arguments (7, Some(0.25), stream [7, 3], _) panicked on")
            );
            let outcomes = client.compute_each(&tasks)?;
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1);
            let lonely = client.try_delayed(|()| Err::<u8, _>("no"), ()).compute();
            assert!(!lonely.expect_err("it fails").to_string().contains("arguments"));
            Ok(())
        })
        .expect("it runs");
    }
}

#[test]
fn values_that_leave_fields_out_are_the_same_on_every_rank() {
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Sparse {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        a: Option<u8>,
        b: u64,
        #[serde(flatten)]
        more: std::collections::BTreeMap<String, Option<u8>>,
    }
    fn sparse(b: u64) -> Sparse {
        let more = [("x".to_owned(), None), ("y".to_owned(), Some(b as u8))];
        Sparse { a: b.is_multiple_of(2).then_some(1), b, more: more.into() }
    }
    let expected: Vec<Sparse> = (0..50).map(sparse).collect();
    for (ranks, threads) in WORLDS {
        run_on(ranks, threads, |client| {
            let map = client.map(sparse, 0..50u64);
            assert_eq!(map.compute()?, expected);
            assert_eq!(map.reduce(|a, b| if a.b > b.b { a } else { b }).compute()?, expected[49]);
            let tasks: Vec<Delayed<Sparse>> = expected
                .iter()
                .map(|value| client.delayed(|(value,): (Sparse,)| value, (value.clone(),)))
                .collect();
            assert_eq!(client.compute(&tasks)?, expected);
            assert_eq!(client.map(|x| x, expected.clone()).compute()?, expected);
            assert_eq!(client.broadcast(expected.clone())?.compute()?, expected);
            Ok(())
        })
        .expect("it runs");
    }
}
