//! Futures of which there are clones.

use super::local::run_on;
use crate::Future;

#[test]
fn a_future_that_is_given_twice_is_yielded_twice() {
    run_on(2, 1, |client| {
        for pattern in [&[0, 0, 1][..], &[0, 1, 2, 3, 2, 4, 5], &[0, 0, 0], &[0, 1, 0, 1, 1]] {
            let slowly = |(i,): (usize,)| {
                std::thread::sleep(std::time::Duration::from_millis(3));
                i
            };
            let different: Vec<Future<usize>> = (0..6).map(|i| client.submit(slowly, (i,))).collect();
            let given: Vec<Future<usize>> = pattern.iter().map(|&i| different[i].clone()).collect();
            let mut yielded = Vec::new();
            for (position, future) in client.as_completed(given.clone()) {
                assert_eq!(future.result()?, pattern[position]);
                yielded.push(position);
            }
            yielded.sort_unstable();
            assert!(yielded.into_iter().eq(0..pattern.len()), "of {pattern:?}");
            // Once more, now that all are done.
            assert_eq!(client.as_completed(given.clone()).count(), pattern.len());
            assert_eq!(client.as_completed(given).ordered().count(), pattern.len());
        }
        Ok(())
    })
    .expect("it runs");
}

#[test]
fn every_thread_that_cancels_gets_an_answer() {
    run_on(2, 1, |client| {
        for _ in 0..50 {
            let first = client.submit(|(i,)| i + 1, (1u64,));
            let second = client.submit(|(i,)| i + 1, (first,));
            let cancelled: Vec<bool> = std::thread::scope(|scope| {
                let cancels: Vec<_> = (0..4).map(|_| scope.spawn(|| second.clone().cancel())).collect();
                cancels.into_iter().map(|thread| thread.join().expect("an answer")).collect()
            });
            // It is prevented once; whoever asks later is told that it has ended.
            assert_eq!(second.result().is_err(), cancelled.contains(&true), "{cancelled:?}");
            assert!(!second.cancel());
        }
        Ok(())
    })
    .expect("it runs");
}
