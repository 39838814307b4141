//! Infinities, NaN and numbers at the ends of their range: no operation may swallow one that NumPy shows.

use crate::cases::{Case, cases, close, property, same};
use crate::numpy::{numpy, try_numpy};
use ndarray::{ArrayD, IxDyn, arr1};
use proptest::prelude::*;
use serried::array::{Array, Axes, Bins};
use serried::prelude::*;
use serried::{Block, Error};

/// Numbers of which some are not, and few are ordinary.
fn special() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        6 => prop::sample::select(vec![1.0, 2.0, -3.0, 0.5, 0.0]),
        3 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
        2 => prop::sample::select(vec![1e200, -1e200, 1e-200, 1e308, -1.7e308, f64::MIN_POSITIVE, -0.0]),
    ]
}

/// Whether the results are those of NumPy, as far as sums in another order can be.
fn compare(ours: serried::Result<ArrayD<f64>>, expression: &str, block: &Block) {
    match (ours, try_numpy(expression, &[("a", block)])) {
        (_, None) => {}
        (Ok(ours), Some(Ok(theirs))) => {
            close(&ours, &theirs.into_array(), 1e-12, &format!("{expression} of {block:?}"));
        }
        // What has no answer is refused here, and is NaN with a warning there.
        (Err(Error::Array(error)), Some(Ok(theirs))) => {
            let empty = block.shape().contains(&0) || error.to_string().contains("ddof");
            let theirs = theirs.into_array::<f64>();
            assert!(empty && theirs.iter().all(|x| !x.is_finite()), "{expression}: {error}, {theirs}");
        }
        (Err(error), Some(Ok(_))) => panic!("{expression} of {block:?}: {error}"),
        (ours, Some(Err(error))) => assert!(ours.is_err(), "{expression}: {error}"),
    }
}

#[test]
fn variances_of_what_has_none() {
    let run = |client: &Client| -> serried::Result<()> {
        for (values, variance) in [
            (vec![1.0, f64::NAN, 3.0], f64::NAN),
            (vec![f64::INFINITY, 1.0, 2.0], f64::NAN),
            (vec![1.0, 2.0, f64::NEG_INFINITY], f64::NAN),
            (vec![f64::INFINITY; 3], f64::NAN),
            (vec![1e200, -1e200, 0.0], f64::INFINITY),
            (vec![1.7e308, -1.7e308, 1.0], f64::INFINITY),
            (vec![7.0; 3], 0.0),
            (vec![1e308; 3], 0.0),
        ] {
            let is = |found: f64, expected: f64, what: &str| {
                let equal = found == expected || (found.is_nan() && expected.is_nan());
                assert!(equal, "{what} of {values:?}: {found}, not {expected}");
            };
            // The same column again and again, for what is done to rows and to columns of a chunk.
            let columns = ArrayD::from_shape_fn(IxDyn(&[3, 40]), |at| values[at[0]]);
            for chunk in 1..=3 {
                let x = Array::from_ndarray(client, &arr1(&values), chunk);
                let y = Array::from_ndarray(client, &columns, [chunk, 17]);
                is(x.var().compute()?, variance, "var");
                is(x.var_ddof(1).compute()?, variance, "var_ddof");
                is(x.std().compute()?, variance, "std");
                is(x.std_ddof(2).compute()?, variance, "std_ddof");
                for (name, of_columns) in [
                    ("var_axis", y.var_axis(0)),
                    ("std_axis_ddof", y.std_axis_ddof(0, 1)),
                    ("var_axis of the transpose", y.t().var_axis(1)),
                    ("std_axis", y.std_axis([0])),
                ] {
                    of_columns.compute()?.iter().for_each(|&found| is(found, variance, name));
                }
                if !values.iter().any(|value| value.is_nan()) {
                    is(x.nanvar().compute()?, variance, "nanvar");
                    is(x.nanstd_ddof(1).compute()?, variance, "nanstd_ddof");
                    y.nanstd_axis(0).compute()?.iter().for_each(|&found| is(found, variance, "nanstd_axis"));
                }
            }
        }
        Ok(())
    };
    Builder::new().scheduler(Scheduler::Threads).workers(2).run(run).expect("the run ends well");
}

#[test]
fn no_digits_of_a_variance_cancel() {
    use serried::sum::ExactMoments;
    // What is added, where outliers are, and how large they are.
    let strategy = (0..6usize, any::<[prop::sample::Index; 2]>(), 1..3000usize, 1..3000usize, 1..40usize);
    property(100, strategy, |client, (kind, outliers, count, chunk, columns)| {
        let (shift, size) =
            [(0.0, 1e8), (1e8, 1.0), (1e12, 1e10), (0.0, 1e15), (-3e5, -1e9), (0.0, 0.0)][kind];
        let noise = |at: usize| ((at * 7919 + 13) % 1009) as f64 / 1009.0 - 0.5;
        let mut values: Vec<f64> = (0..count).map(|at| shift + noise(at)).collect();
        for place in outliers {
            values[place.index(count)] += size;
        }
        // The first element of all, and of a chunk, are the places where it hurts.
        values[0] += size;
        values[count / chunk.min(count) * chunk.min(count) % count] += size;
        let exact = ExactMoments::of(&values).variance(0);
        let x = Array::from_ndarray(client, &arr1(&values), chunk);
        let table = ArrayD::from_shape_fn(IxDyn(&[count, columns]), |at| values[at[0]]);
        let y = Array::from_ndarray(client, &table, [chunk, 16]);
        let near = |found: f64, what: &str| {
            let error = (found - exact).abs() / exact.max(f64::MIN_POSITIVE);
            assert!(error <= 2e-14, "{what}: {found}, not {exact}: {error:e}");
        };
        near(x.var().compute().expect("it runs"), "var");
        near(x.nanvar().compute().expect("it runs"), "nanvar");
        near(x.std().compute().expect("it runs").powi(2), "std");
        y.var_axis(0).compute().expect("it runs").iter().for_each(|&found| near(found, "var_axis"));
        y.nanvar_axis(0).compute().expect("it runs").iter().for_each(|&found| near(found, "nanvar_axis"));
    });
}

#[test]
fn sums_of_f32_are_rounded_once() {
    let run = |client: &Client| -> serried::Result<()> {
        // Just above the middle of two neighbours.
        let values = arr1(&[1.0f32, 0.5f32.powi(24), 0.5f32.powi(60)]);
        for chunk in 1..=3 {
            let x = Array::from_ndarray(client, &values, chunk);
            assert_eq!(x.exact_sum().compute()?, 1.0 + f32::EPSILON);
            assert_eq!((&x * -1.0).exact_sum_axis(0).compute()?[[]], -1.0 - f32::EPSILON);
        }
        Ok(())
    };
    Builder::new().scheduler(Scheduler::Threads).workers(2).run(run).expect("the run ends well");
}

#[test]
fn reductions_are_those_of_numpy() {
    let strategy = (cases(1..4, special()), any::<[bool; 4]>(), 0..3u64);
    property(120, strategy, |client, (a, choice, ddof)| {
        // Where numbers overflow, the order in which they are added matters, in NumPy too.
        let cut = |x: f64| if x.abs() > 1e300 && x.is_finite() { x / 1e10 } else { x };
        let a = Case { data: a.data.mapv(cut), ..a };
        let axes: Vec<usize> = (0..a.data.ndim()).filter(|&axis| choice[axis]).collect();
        let text: String = axes.iter().map(|axis| format!("{axis},")).collect();
        let along = || Axes::from(axes.as_slice());
        let (x, block) = (a.array(client), Block::from(a.data.clone()));
        for (expression, ours) in [
            (format!("a.var(({text}), ddof={ddof})"), x.var_axis_ddof(along(), ddof)),
            (format!("a.std(({text}))"), x.std_axis(along())),
            (format!("np.nanvar(a, ({text}), ddof={ddof})"), x.nanvar_axis_ddof(along(), ddof)),
            (format!("np.nanstd(a, ({text}))"), x.nanstd_axis(along())),
            (format!("a.min(({text})) + 0.0"), x.min_axis(along()) + 0.0),
            (format!("a.max(({text})) + 0.0"), x.max_axis(along()) + 0.0),
            (format!("np.nanmin(a, ({text})) + 0.0"), x.nanmin_axis(along()) + 0.0),
            (format!("np.nanmax(a, ({text})) + 0.0"), x.nanmax_axis(along()) + 0.0),
            (format!("np.count_nonzero(a, ({text})).astype(float)"), x.count_nonzero_axis(along()).cast()),
        ] {
            if !a.data.is_empty() || !axes.is_empty() {
                compare(ours.compute(), &expression, &block);
            }
        }
        // Beside an infinity NumPy has NaN for a quantile that is there.
        let finite = Case { data: a.data.mapv(|x| if x.is_infinite() { 5.0 } else { x }), ..a.clone() };
        let (y, finite) = (finite.array(client), Block::from(finite.data.clone()));
        // A sum of numbers of which one is much larger than the others depends on their order.
        let alike = Case {
            data: a.data.mapv(|x| if x.abs() > 1e100 && x.is_finite() { 4.0 } else { x }),
            ..a.clone()
        };
        let (z, alike) = (alike.array(client), Block::from(alike.data.clone()));
        for (expression, ours) in [
            (format!("a.sum(({text}))"), z.sum_axis(along())),
            (format!("a.mean(({text}))"), z.mean_axis(along())),
            (format!("np.nansum(a, ({text}))"), z.nansum_axis(along())),
            (format!("np.nanmean(a, ({text}))"), z.nanmean_axis(along())),
        ] {
            compare(ours.compute(), &expression, &alike);
        }
        for axis in 0..a.data.ndim() {
            compare(z.cumsum_axis(axis).compute(), &format!("np.cumsum(a, {axis})"), &alike);
        }
        for axis in 0..a.data.ndim() {
            let expression = format!("np.quantile(a, 0.3, axis={axis})");
            compare(y.quantile_axis(0.3, axis).compute(), &expression, &finite);
            for (expression, ours) in [
                (format!("a.argmin({axis}).astype(float)"), x.argmin_axis(axis).cast()),
                (format!("a.argmax({axis}).astype(float)"), x.argmax_axis(axis).cast()),
                (format!("np.sort(a, {axis})"), x.sort_axis(axis)),
                (format!("np.median(a, {axis})"), x.median_axis(axis)),
                (
                    format!(
                        "np.flip(np.sort(a, {axis}), {axis}).take(range(min(2, a.shape[{axis}])), {axis})"
                    ),
                    x.largest_axis(2, axis),
                ),
                (
                    format!("np.sort(a, {axis}).take(range(min(2, a.shape[{axis}])), {axis})"),
                    x.smallest_axis(2, axis),
                ),
            ] {
                compare(ours.compute(), &expression, &block);
            }
        }
    });
}

#[test]
fn what_goes_by_order_is_that_of_numpy() {
    let strategy = (proptest::collection::vec(special(), 0..30), 1..9usize, 0.0..=1.0f64);
    property(150, strategy, |client, (values, chunk, q)| {
        let data = ArrayD::from_shape_vec(IxDyn(&[values.len()]), values.clone()).expect("a vector");
        let (x, block) = (Array::from_ndarray(client, &data, chunk), Block::from(data));
        let bins = Bins::uniform(4, -3.0, 2.0);
        let infinite = Bins::new([f64::NEG_INFINITY, 0.0, 1.0, 1e200, f64::INFINITY]);
        for (expression, ours) in [
            ("np.sort(a)".to_owned(), x.sort()),
            ("np.sort(a)[::-1][:3]".to_owned(), x.largest(3)),
            ("np.sort(a)[:3]".to_owned(), x.smallest(3)),
            ("np.median(a)".to_owned(), x.median().to_array()),
            ("np.histogram(a, 4, (-3, 2))[0].astype(float)".to_owned(), x.histogram(&bins).cast()),
            (
                "np.histogram(a, [-np.inf, 0, 1, 1e200, np.inf])[0].astype(float)".to_owned(),
                x.histogram(&infinite).cast(),
            ),
            (
                "np.digitize(a, [-np.inf, 0, 1, np.inf]).astype(float)".to_owned(),
                x.digitize(&[f64::NEG_INFINITY, 0.0, 1.0, f64::INFINITY]).cast(),
            ),
        ] {
            compare(ours.compute(), &expression, &block);
        }
        let data = ArrayD::from_shape_vec(IxDyn(&[values.len()]), values).expect("a vector");
        let data = data.mapv(|x| if x.is_infinite() { 5.0 } else { x });
        let (y, finite) = (Array::from_ndarray(client, &data, chunk), Block::from(data));
        compare(y.quantile(q).to_array().compute(), &format!("np.quantile(a, {q:?})"), &finite);
        let several = y.quantiles(&[0.0, q, 1.0]).compute();
        compare(several, &format!("np.quantile(a, [0, {q:?}, 1])"), &finite);
        let unique = client.compute(&x.unique()).expect("it runs");
        let (found, counts): (Vec<f64>, Vec<f64>) = unique.into_iter().map(|(x, n)| (x, n as f64)).unzip();
        compare(Ok(arr1(&found).into_dyn()), "np.unique(a)", &block);
        compare(Ok(arr1(&counts).into_dyn()), "np.unique(a, return_counts=True)[1].astype(float)", &block);
    });
}

#[test]
fn quantiles_beside_infinities() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let run = |client: &Client| -> serried::Result<()> {
        for (values, q, quantile) in [
            (vec![inf], 0.3, inf),
            (vec![1.0, 2.0, inf], 0.5, 2.0),
            (vec![1.0, 2.0, inf], 0.6, inf),
            (vec![1.0, 2.0, inf], 0.9, inf),
            (vec![inf, inf], 0.3, inf),
            (vec![-inf, 1.0, 2.0], 0.0, -inf),
            (vec![-inf, 1.0, 2.0], 0.4, -inf),
            (vec![-inf, inf], 0.5, nan),
            (vec![-1.6e308, 1.6e308], 0.5, 0.0),
            (vec![1.0, nan, inf], 0.0, nan),
        ] {
            let x = Array::from_ndarray(client, &arr1(&values), 2);
            for found in [x.quantile(q).compute()?, x.quantile_axis(q, 0).compute()?[[]]] {
                let equal = found == quantile || found.is_nan() && quantile.is_nan();
                assert!(equal, "{values:?}, {q}: {found}");
            }
        }
        Ok(())
    };
    Builder::new().scheduler(Scheduler::Threads).workers(2).run(run).expect("the run ends well");
}

#[test]
fn functions_of_each_element_show_what_is_not_finite() {
    let strategy = (cases(1..3, special()), special(), special());
    property(100, strategy, |client, (a, low, high)| {
        let x = a.array(client);
        let block = Block::from(a.data.clone());
        let bounds = [Block::from_vec(&[], vec![low]), Block::from_vec(&[], vec![high])];
        for (expression, ours) in [
            ("np.clip(a, l, h) + 0.0", x.clip(low, high) + 0.0),
            ("np.minimum(a, l) + 0.0", x.minimum(low) + 0.0),
            ("np.maximum(h, a) + 0.0", x.maximum(high) + 0.0),
            ("np.sign(a) + 0.0", x.sign() + 0.0),
            ("np.round(a)", x.round()),
            ("np.abs(a)", x.abs()),
            ("np.sqrt(a)", x.sqrt()),
            ("np.square(a)", x.square()),
            ("a / h", &x / high),
            ("np.where(a < l, a, h)", x.less(low).select(&x, high)),
        ] {
            let arrays = [("a", &block), ("l", &bounds[0]), ("h", &bounds[1])];
            if let Some(theirs) = numpy::<f64>(expression, &arrays) {
                same(&ours.compute().expect("it runs"), &theirs, expression);
            }
        }
    });
}

#[test]
fn linear_algebra_shows_what_is_not_finite() {
    let run = |client: &Client| -> serried::Result<()> {
        for flaw in [f64::NAN, f64::INFINITY] {
            for place in 0..9 {
                let mut data = ndarray::Array2::<f64>::eye(3) * 4.0 + 1.0;
                data[[place / 3, place % 3]] = flaw;
                let block = Block::from(data.clone().into_dyn());
                let a = Array::from_ndarray(client, &data, [2, 2]);
                let b = Array::<f64>::ones(client, [3], 2);
                // Rounding decides where NaN spread; but a result that is all finite is wrong.
                let shown = |result: serried::Result<ArrayD<f64>>, what: &str| {
                    let finite = result.is_ok_and(|x| x.iter().all(|x| x.is_finite()));
                    assert!(!finite, "{what} of {data}");
                };
                for factor in [a.qr().0, a.qr().1] {
                    let error = factor.compute().expect_err("a flaw").to_string();
                    assert!(error.contains("not finite"), "{error}");
                }
                if flaw.is_nan() {
                    shown(a.solve(&b).compute(), "solve");
                    shown(a.lstsq(&b).compute(), "lstsq");
                    shown(a.svd().1.compute(), "svd");
                    shown(a.matmul(&a).compute(), "matmul");
                    if place % 3 <= place / 3 {
                        shown(a.cholesky().compute(), "cholesky");
                        shown(a.solve_positive_definite(&b).compute(), "solve_positive_definite");
                        let lower = serried::array::Triangle::Lower;
                        shown(a.solve_triangular(lower, &b).compute(), "solve_triangular");
                    }
                } else {
                    shown(a.svd().1.compute(), "svd");
                    compare(a.matmul(&b).compute(), "a @ np.ones(3)", &block);
                }
            }
        }
        Ok(())
    };
    Builder::new().scheduler(Scheduler::Threads).workers(2).run(run).expect("the run ends well");
}
