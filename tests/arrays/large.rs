//! What is too large is refused, before there is no memory left.

use serried::array::{Array, ArrayProblem, Bins, Chunks, Element};
use serried::prelude::*;
use serried::{Error, Result};

fn problem<T: Element>(array: &Array<T>) -> ArrayProblem {
    match array.check() {
        Err(Error::Array(error)) => error.problem.clone(),
        other => panic!("{other:?}"),
    }
}

fn run(code: impl Fn(&Client) -> Result<()> + Send + Sync) {
    Builder::new().scheduler(Scheduler::Threads).workers(2).seed(1u64).run(code).expect("the run ends well");
}

#[test]
fn more_chunks_than_there_can_be_tasks() {
    run(|client| {
        let many = |array: &Array<f64>| {
            let problem = problem(array);
            assert!(matches!(problem, ArrayProblem::TooManyChunks { .. }), "{problem}");
            assert!(problem.to_string().contains("give larger chunks"), "{problem}");
        };
        many(&Array::zeros(client, [1 << 40], [1]));
        many(&Array::ones(client, [1 << 20, 1 << 20], [1, 1]));
        many(&Array::arange(client, 0.0, 1e15, 1.0, 1));
        many(&Array::linspace(client, 0.0, 1.0, 1 << 50, 1000));
        many(&Array::random(client, [1 << 50], 1000));
        many(&Array::normal(client, 0.0, 1.0, [1 << 40], Chunks::Bytes(8)));
        many(&Array::from_fn(client, |_| 1.0, [1 << 40], 1));
        many(&Array::zeros(client, [1 << 58], Chunks::Auto));
        let long = Array::<f64>::zeros(client, [1 << 40], Chunks::Auto);
        many(&long.rechunk(1000));
        let row = Array::<f64>::zeros(client, [1 << 12], 1);
        many(&row.outer(&row));
        many(&(&row + row.insert_axis(1)));
        many(&(row.insert_axis(0) + row.insert_axis(1)));
        many(&Array::concatenate(client, 0, &vec![Array::<f64>::zeros(client, [1 << 20], 1); 5]));
        many(&row.insert_axis(1).matmul(&row.insert_axis(0)));
        // Each is small enough, and cut elsewhere.
        let (flat, tall) = (
            Array::<f64>::zeros(client, [1 << 20, 1 << 20], [1, 1 << 20]),
            Array::from_ndarray(client, &ndarray::Array2::<f64>::zeros((1, 8)), [1, 1]),
        );
        let tall = tall.slice([0.into()]).broadcast_to([1 << 20, 8]);
        assert_eq!(tall.blocks().len(), 8);
        assert!((flat.slice([(..).into(), (..8).into()]) + tall).check().is_err());
        // One more step than is done in one pass, on top of too much.
        let mut deep = row.clone();
        for _ in 0..64 {
            deep = &deep + 1.0;
        }
        many(&(&deep + deep.insert_axis(1)));
        Ok(())
    });
}

#[test]
fn more_elements_than_can_be_counted() {
    run(|client| {
        let large = |array: &Array<f64>| {
            let problem = problem(array);
            assert!(matches!(problem, ArrayProblem::TooLarge { .. }), "{problem}");
        };
        large(&Array::arange(client, 0.0, 1e300, 1.0, Chunks::Auto));
        large(&Array::arange(client, 0.0, 1e300, 1.0, 1));
        large(&Array::linspace(client, 0.0, 1.0, usize::MAX, Chunks::Auto));
        large(&Array::fftfreq(client, usize::MAX, 1.0, 1000));
        large(&Array::zeros(client, [1 << 32, 1 << 32], [1 << 32, 1 << 32]));
        large(&Array::zeros(client, [0, 1 << 40, 1 << 40], Chunks::Auto));
        let x = Array::<f64>::zeros(client, [1 << 20], [1 << 20]);
        large(&x.broadcast_to([1 << 50, 1 << 20]));
        large(&x.pad([(1 << 62, 1 << 62)], 0.0));
        large(&x.pad([(usize::MAX, usize::MAX)], 0.0));
        large(&x.outer(&x).outer(&x.outer(&x)));
        let wide = Array::<f64>::zeros(client, [1 << 40, 1, 1, 1], [1 << 40, 1, 1, 1]);
        let tall = Array::<f64>::zeros(client, [1, 1 << 40, 1, 1], [1, 1 << 40, 1, 1]);
        large(&wide.matmul(&tall));
        large(&(&wide + &tall));
        Ok(())
    });
}

#[test]
fn more_tasks_than_there_can_be() {
    run(|client| {
        let many = |array: &Array<f64>| {
            let problem = problem(array);
            assert!(matches!(problem, ArrayProblem::TooManyTasks { .. }), "{problem}");
            assert!(problem.to_string().contains("rechunk"), "{problem}");
        };
        let fine = Array::<f64>::ones(client, [2000, 2000], [1, 1]);
        many(&fine.matmul(&fine));
        many(&fine.tensordot(&fine, [0], [1]));
        many(&fine.cholesky());
        many(&fine.solve_positive_definite(&fine));
        many(&fine.qr().1);
        many(&Array::random(client, [10_000], 1).sort());
        fine.rechunk([500, 500]).matmul(&fine.rechunk([500, 500])).check()?;
        Ok(())
    });
}

#[test]
fn more_memory_than_there_is() {
    run(|client| {
        let x = Array::<f64>::zeros(client, [1 << 48], [1 << 48]);
        let refused = |error: Error| {
            assert!(error.to_string().contains("no memory for 2251799813685248 bytes"), "{error}");
        };
        refused(x.compute().expect_err("a petabyte"));
        refused(
            Array::<f64>::zeros(client, [1 << 48], Chunks::Bytes(1 << 34)).compute().expect_err("a petabyte"),
        );
        // A chunk that somebody reads.
        refused(client.compute(&x.sort()).expect_err("a petabyte"));
        refused(client.compute(&(&x + 1.0).cumsum_axis(0)).expect_err("a petabyte"));
        let side =
            Array::from_ndarray(client, &ndarray::Array1::<f64>::ones(8), 8).broadcast_to([1 << 45, 8]);
        refused(client.compute(&side.sort_axis(1)).expect_err("a petabyte"));
        let column = Array::<f64>::ones(client, [1 << 24, 1], [1 << 24, 1]);
        refused(client.compute(&column.matmul(&column.t())).expect_err("a petabyte"));
        // What needs no memory is computed.
        assert_eq!(Array::<f64>::ones(client, [1 << 20], [1 << 20]).sum().compute()?, 1048576.0);
        let bins = Bins::uniform(1 << 60, 0.0, 1.0);
        let problem = problem(&Array::random(client, [10], 10).histogram(&bins)).to_string();
        assert!(problem.contains("at most 16777216 bins"), "{problem}");
        Ok(())
    });
}
