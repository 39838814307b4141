//! The answer does not depend on how it was run, and it is NumPy's.

use crate::launcher::{Start, mpiexec, run};
use serde_json::Value;
use std::process::Command;

/// Every way to run a program: how it is started, the flags, the ranks and the threads that this makes.
fn ways() -> Vec<(Start, Vec<String>, u64, u64)> {
    let flags = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut ways = vec![(Start::Plain, flags("--scheduler synchronous"), 1, 1)];
    for threads in 1..=4 {
        let flags = flags(&format!("--scheduler threads --workers {threads}"));
        ways.push((Start::Plain, flags, 1, threads));
    }
    if mpiexec().is_some() {
        for ranks in [2, 3] {
            let flags = flags(&format!("--scheduler processes --workers {ranks} --threads 1"));
            ways.push((Start::Plain, flags, ranks, ranks));
        }
        for ranks in 1..=4 {
            ways.push((Start::Ranks(ranks as usize), flags("--threads 1"), ranks, ranks));
        }
        ways.push((Start::Ranks(2), flags("--threads 2"), 2, 4));
    }
    ways
}

/// Runs a program in every way and returns the result that all agree on.
pub(crate) fn the_same_everywhere(name: &str, arguments: &str) -> Value {
    let mut reference: Option<Value> = None;
    for (start, flags, ranks, threads) in ways() {
        let mut all: Vec<&str> = arguments.split_whitespace().collect();
        all.extend(["--seed", "20", "--json"]);
        all.extend(flags.iter().map(String::as_str));
        let json = run(start, name, &all, &[]).json();
        let way = format!("{name} {arguments} {start:?} {flags:?}: {json}");
        assert_eq!(json["ranks"], ranks, "{way}");
        assert_eq!(json["threads"], threads, "{way}");
        assert_eq!(json["example"], name, "{way}");
        assert_eq!(json["seed"], 20, "{way}");
        let first = reference.get_or_insert_with(|| json.clone());
        assert_eq!(json["digest"], first["digest"], "{way}");
        assert_eq!(json["result"], first["result"], "{way}");
    }
    reference.expect("there is a way")["result"].clone()
}

#[test]
fn hello() {
    the_same_everywhere("hello", "");
}

#[test]
fn graph() {
    the_same_everywhere("graph", "--n 500");
}

#[test]
fn pi() {
    let pi = the_same_everywhere("pi", "--darts 300000 --tasks 37");
    assert!((pi.as_f64().expect("a number") - std::f64::consts::PI).abs() < 0.05, "{pi}");
}

/// Every task is run once, on the outputs that it depends on: the program checks that itself.
#[test]
fn task_bench() {
    let stencil = the_same_everywhere("task_bench", "-type stencil_1d -steps 20 -width 7 -output 100");
    assert_eq!(stencil["dependences"], 19 * (3 * 7 - 2));
    for graphs in [
        "-type trivial -steps 30 -width 3 -and -type tree -steps 6 -width 12 -and -type dom -steps 12 -width 5 \
         -and -type fft -steps 10 -width 6 -kernel load_imbalance -imbalance 1 -iter 50",
        "-type spread -radix 2 -period 2 -steps 9 -width 6 -kernel memory_bound -scratch 4096 -iter 5 -output 5000 \
         -and -type random_nearest -radix 5 -steps 9 -width 6 -and -type all_to_all -steps 4 -width 9 --runs 2",
    ] {
        the_same_everywhere("task_bench", graphs);
    }
}

/// Every shape compares its value with what it has to be.
#[test]
fn graph_shapes() {
    the_same_everywhere("graph_shapes", "--n 9 --millis 0.5 --bytes 5000 --rounds 2 --replay 2");
    the_same_everywhere("graph_shapes", "--shape merge,tree,chain --n 3001");
}

/// The same array for every chunk shape, and to the last bit the same means if they are exact.
#[test]
fn array_mean() {
    let of = |more: &str| the_same_everywhere("array_mean", &format!("--rows 700 --cols 900 {more}"));
    let exact = of("--chunk 300,200 --exact");
    assert_eq!(exact, of("--chunk 64,900 --exact"));
    assert_eq!(exact["len"], 700);
    let rounded = of("--chunk 300,200");
    let difference = rounded["mean"].as_f64().expect("a number") - exact["mean"].as_f64().expect("a number");
    assert!(difference.abs() < 1e-15, "{rounded} {exact}");
    of("--chunk 300,200 --op std --axis 0");
}

/// Every operation compares its checksum with what it has to be about.
#[test]
fn array_suite() {
    for operation in ["addT", "std", "sumsq", "slice", "rechunk", "create --lazy", "matmul", "qr"] {
        the_same_everywhere("array_suite", &format!("--n 600 --chunk 170 --op {operation}"));
    }
}

#[test]
fn failures_that_are_caught() {
    for mode in ["panic", "error", "retry"] {
        the_same_everywhere("failures", &format!("--mode {mode}"));
    }
}

#[test]
fn calc_mean() {
    let flat = the_same_everywhere("calc_mean", "--tasks 10 --n 5003");
    compare_with_numpy(&flat, "[((i,), 0, 1) for i in range(10)]", 5003);
    let nested = the_same_everywhere("calc_mean", "--nested --replicates 5 --n 3001");
    let grid =
        "[((g, r), m, s) for g, (m, s) in enumerate([(0, 1), (0, 2), (1, 1), (1, 2)]) for r in range(5)]";
    compare_with_numpy(&nested, grid, 3001);
}

#[test]
fn broadcast() {
    let sum = |way| the_same_everywhere("broadcast", &format!("--n 20011 --p 7 --way {way}"));
    let shared = sum("shared");
    assert_eq!(shared, sum("broadcast"));
    assert_eq!(shared, sum("argument"));
}

/// Means and standard deviations equal NumPy's to 1e-12.
fn compare_with_numpy(result: &Value, keys: &str, n: u64) {
    let program = format!(
        "import json, numpy as np\n\
         def one(key, mean, sd):\n    \
             sequence = np.random.SeedSequence(20, spawn_key=key)\n    \
             draws = np.random.Generator(np.random.PCG64DXSM(sequence)).normal(mean, sd, {n})\n    \
             return [float(draws.mean()), float(draws.std())]\n\
         print(json.dumps([one(*key) for key in {keys}]))"
    );
    let Some(expected) = python(&program) else {
        return;
    };
    let expected: Value = serde_json::from_str(&expected).expect("JSON");
    let numbers = |value: &Value| -> Vec<f64> {
        let pairs = value.as_array().expect("pairs").iter();
        pairs
            .flat_map(|pair| pair.as_array().expect("a pair"))
            .map(|x| x.as_f64().expect("a number"))
            .collect()
    };
    let (ours, theirs) = (numbers(result), numbers(&expected));
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        assert!((ours - theirs).abs() < 1e-12, "{ours} here, {theirs} in NumPy");
    }
}

/// What a Python with NumPy prints, if the tests were given one.
fn python(program: &str) -> Option<String> {
    let Ok(python) = std::env::var("SERRIED_TEST_PYTHON") else {
        println!("skipped: SERRIED_TEST_PYTHON names no interpreter that has NumPy");
        return None;
    };
    let output = Command::new(python).args(["-c", program]).output().expect("python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn stream_prints_what_numpy_draws() {
    let seeds = [
        "0",
        "42",
        "340282366920938463463374607431768211455",
        "1606938044258990275541962092341162602522202993782792835301376",
    ];
    let keys = [("", "()"), ("0", "(0,)"), ("3,7", "(3, 7)"), ("4294967295,1,2,3", "(4294967295, 1, 2, 3)")];
    let draws = [
        ("u64", "bits.random_raw(7)"),
        ("random", "g.random(7)"),
        ("normal", "g.standard_normal(7)"),
        ("exponential", "g.standard_exponential(7)"),
        ("integers", "g.integers(-5, 1000, 7)"),
    ];
    let mut checks = String::from("import numpy as np\n");
    let mut ours = String::new();
    for seed in seeds {
        for (key, tuple) in keys {
            for (draw, call) in draws {
                let arguments = [
                    "--seed",
                    seed,
                    "--spawn-key",
                    key,
                    "--draw",
                    draw,
                    "--count",
                    "4",
                    "--skip",
                    "3",
                    "--low",
                    "-5",
                    "--high",
                    "1000",
                    "--scheduler",
                    "synchronous",
                ];
                let ended = run(Start::Plain, "stream", &arguments, &[]);
                assert_eq!(ended.code, Some(0), "{ended:?}");
                ours += &ended.stdout;
                checks += &format!(
                    "bits = np.random.PCG64DXSM(np.random.SeedSequence({seed}, spawn_key={tuple}))\n\
                     g = np.random.Generator(bits)\n\
                     for x in {call}[3:]: print(repr(x.item()))\n"
                );
            }
        }
    }
    let Some(theirs) = python(&checks) else {
        return;
    };
    assert_eq!(ours.lines().count(), 4 * seeds.len() * keys.len() * draws.len());
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        // Both print the shortest text that stands for the number; they write exponents differently.
        let same = ours == theirs || ours.parse::<f64>().ok() == theirs.parse::<f64>().ok();
        assert!(same, "{ours} here, {theirs} in NumPy");
    }
}
