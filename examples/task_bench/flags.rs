//! The command line of Task Bench: single-dash words, several graphs one after the other.

use super::{
    graph::TaskGraph,
    kernel::{Kernel, Kind},
    pattern::Pattern,
};
use std::{fmt::Display, str::FromStr};

pub(crate) const USAGE: &str = "\
Task Bench: a grid of tasks, each of which reads outputs of the row before.

Flags of a graph [default]:
  -steps N       rows [4]
  -width N       columns [4]
  -type NAME     which tasks a task reads: trivial, no_comm, stencil_1d, stencil_1d_periodic, dom, tree, fft,
                 all_to_all, nearest, spread, random_nearest [trivial]
  -radix N       tasks that a task reads, for nearest, spread, random_nearest [3]
  -period N      sets of dependences that take turns, for spread, random_nearest [3]
  -fraction F    probability of a dependence, for random_nearest [0.25]
  -kernel NAME   what a task does: empty, busy_wait, compute_bound, compute_bound2, memory_bound, load_imbalance [empty]
  -iter N        iterations of the kernel [0]
  -output N      bytes of a task's output, at least 16 [16]
  -scratch N     bytes of memory that belong to a column, a multiple of 8, for memory_bound [0]
  -sample N      pieces that the scratch is divided into [16]
  -imbalance F   width of the range of durations over their mean, 0 to 2, for load_imbalance [0]
  -and           another graph follows, with flags of its own

Flags of the run:
  -nodes N       say how much of the data would cross between N nodes
  -field N       taken for the sake of other implementations, and not used
  -skip-graph-validation
                 do not check the graph before the start
  -v, -vv        print the tasks of each row and what they read, with -vv also who reads them
  -h, --help     print this
";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct CommandLine {
    pub(crate) graphs: Vec<TaskGraph>,
    /// 0 if nothing is to be said about nodes.
    pub(crate) nodes: u32,
    pub(crate) verbosity: u32,
    pub(crate) check: bool,
    /// Words with two dashes and their values, for whoever runs the graphs.
    pub(crate) rest: Vec<String>,
}

/// Why there is nothing to run.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    /// The user asks for help.
    Help,
    /// The user has made a mistake.
    Mistake(String),
}

impl CommandLine {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, Refusal> {
        let mut line =
            CommandLine { graphs: Vec::new(), nodes: 0, verbosity: 0, check: true, rest: Vec::new() };
        let mut parameters = Parameters::default();
        let mut arguments = arguments.into_iter().peekable();
        while let Some(word) = arguments.next() {
            let mut value = || arguments.next();
            match word.as_str() {
                "-h" | "-help" | "--help" => return Err(Refusal::Help),
                "-and" => line.add(std::mem::take(&mut parameters))?,
                "-nodes" => line.nodes = number(&word, value())?,
                "-field" => _ = number::<u64>(&word, value())?,
                "-skip-graph-validation" => line.check = false,
                "-v" => line.verbosity = 1,
                "-vv" => line.verbosity = 2,
                double if double.starts_with("--") => {
                    line.rest.push(word);
                    line.rest.extend(arguments.next_if(|next| !next.starts_with('-')));
                }
                flag => parameters.set(flag, value)?,
            }
        }
        line.add(parameters)?;
        Ok(line)
    }

    fn add(&mut self, parameters: Parameters) -> Result<(), Refusal> {
        self.graphs.push(parameters.graph(self.graphs.len() as u32)?);
        Ok(())
    }
}

/// The parameters of a graph as they are being read.
#[derive(Debug)]
struct Parameters {
    graph: TaskGraph,
    period: Option<u32>,
}

impl Default for Parameters {
    fn default() -> Self {
        let graph = TaskGraph {
            number: 0,
            steps: 4,
            width: 4,
            pattern: Pattern::Trivial,
            radix: 3,
            period: 0,
            fraction: 0.25,
            kernel: Kernel { kind: Kind::Empty, iterations: 0, samples: 16, imbalance: 0.0 },
            output: 16,
            scratch: 0,
        };
        Parameters { graph, period: None }
    }
}

impl Parameters {
    fn set(&mut self, flag: &str, value: impl FnOnce() -> Option<String>) -> Result<(), Refusal> {
        let graph = &mut self.graph;
        match flag {
            "-steps" => graph.steps = number(flag, value())?,
            "-width" => graph.width = number(flag, value())?,
            "-type" => graph.pattern = named(flag, value(), &Pattern::ALL)?,
            "-radix" => graph.radix = number(flag, value())?,
            "-period" => self.period = Some(number(flag, value())?),
            "-fraction" => graph.fraction = number(flag, value())?,
            "-kernel" => graph.kernel.kind = named(flag, value(), &Kind::ALL)?,
            "-iter" => graph.kernel.iterations = number(flag, value())?,
            "-output" => graph.output = number(flag, value())?,
            "-scratch" => graph.scratch = number(flag, value())?,
            "-sample" => graph.kernel.samples = number(flag, value())?,
            "-imbalance" => graph.kernel.imbalance = number(flag, value())?,
            _ => return mistake(format!("there is no flag `{flag}`")),
        }
        Ok(())
    }

    /// The graph, if its parameters fit together.
    fn graph(self, number: u32) -> Result<TaskGraph, Refusal> {
        let mut graph = TaskGraph { number, ..self.graph };
        let pattern = graph.pattern;
        graph.period = self.period.unwrap_or(if pattern.has_period() { 3 } else { 0 });
        let TaskGraph { steps, width, radix, period, fraction, kernel, output, scratch, .. } = graph;
        let narrowest = match pattern {
            Pattern::PeriodicStencil => 3,
            Pattern::Fft => 2,
            _ => 1,
        };
        let rules = [
            (steps > 0, "-steps is at least 1".to_owned()),
            (width >= narrowest, format!("-width is at least {narrowest} for {pattern}")),
            (
                pattern.has_period() || period == 0,
                format!("-period is not for {pattern}, whose sets are given"),
            ),
            (!pattern.has_period() || period > 0, format!("-period is at least 1 for {pattern}")),
            (
                pattern != Pattern::Spread || radix <= width,
                "-radix is at most the width for spread".to_owned(),
            ),
            (
                pattern != Pattern::Spread || period <= width.div_ceil(radix.max(1)),
                "-period is at most the width over the radix, rounded up, for spread".to_owned(),
            ),
            ((0.0..=1.0).contains(&fraction), "-fraction is a probability, from 0 to 1".to_owned()),
            ((0.0..=2.0).contains(&kernel.imbalance), "-imbalance is from 0 to 2".to_owned()),
            (output >= 16, "-output is at least 16, since a task writes its name into it".to_owned()),
            (scratch.is_multiple_of(8), "-scratch is a multiple of 8".to_owned()),
            (
                !kernel.uses_scratch() || scratch > 0 && kernel.samples > 0,
                format!(
                    "-kernel {} works on the scratch: give it some with -scratch, and -sample at least 1",
                    kernel.kind
                ),
            ),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            None => Ok(graph),
            Some((_, rule)) => mistake(rule),
        }
    }
}

fn mistake<T>(problem: String) -> Result<T, Refusal> {
    Err(Refusal::Mistake(problem))
}

fn number<T: FromStr<Err: Display>>(flag: &str, value: Option<String>) -> Result<T, Refusal> {
    let Some(text) = value else {
        return mistake(format!("{flag} needs a number behind it"));
    };
    text.parse().or_else(|error| mistake(format!("{flag} {text}: {error}")))
}

fn named<T: Copy>(flag: &str, value: Option<String>, all: &[(&str, T)]) -> Result<T, Refusal> {
    let names = || all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let Some(text) = value else {
        return mistake(format!("{flag} needs a name behind it: {}", names()));
    };
    match all.iter().find(|(name, _)| *name == text) {
        Some((_, one)) => Ok(*one),
        None => mistake(format!("{flag} {text}: there are {}", names())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<CommandLine, Refusal> {
        CommandLine::parse(line.split_whitespace().map(str::to_owned))
    }

    fn problem(line: &str) -> String {
        match parse(line) {
            Err(Refusal::Mistake(problem)) => problem,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn every_graph_begins_with_the_defaults() {
        let line =
            parse("-steps 9 -type nearest -radix 5 -and -kernel compute_bound -iter 7 -v").expect("right");
        let [first, second] = &line.graphs[..] else { panic!("two graphs") };
        assert_eq!((first.steps, first.pattern, first.radix, first.number), (9, Pattern::Nearest, 5, 0));
        assert_eq!((second.steps, second.pattern, second.radix, second.number), (4, Pattern::Trivial, 3, 1));
        assert_eq!((second.kernel.kind, second.kernel.iterations), (Kind::ComputeBound, 7));
        assert_eq!(line.verbosity, 1);
        assert!(line.check);
    }

    #[test]
    fn the_period_depends_on_the_pattern() {
        let period = |line| parse(line).expect("right").graphs[0].period;
        assert_eq!(period("-type stencil_1d"), 0);
        assert_eq!(period("-type spread -width 9"), 3);
        assert_eq!(period("-type spread -width 9 -period 2"), 2);
    }

    #[test]
    fn two_dashes_are_for_somebody_else() {
        let line = parse("--json -steps 3 --threads 2 --runs=5 -width 2").expect("right");
        assert_eq!(line.rest, ["--json", "--threads", "2", "--runs=5"]);
        assert_eq!((line.graphs[0].steps, line.graphs[0].width), (3, 2));
    }

    #[test]
    fn mistakes_are_told() {
        assert_eq!(problem("-stops 4"), "there is no flag `-stops`");
        assert_eq!(problem("stencil_1d"), "there is no flag `stencil_1d`");
        assert_eq!(problem("-steps"), "-steps needs a number behind it");
        assert!(problem("-steps four").starts_with("-steps four: invalid digit"));
        assert!(problem("-type ring").contains("-type ring: there are trivial, no_comm, stencil_1d"));
        for wrong in [
            "-steps 0",
            "-width 0",
            "-type stencil_1d_periodic -width 2",
            "-type fft -width 1",
            "-type tree -period 2",
            "-type spread -width 4 -radix 3 -period 3",
            "-type spread -period 0",
            "-fraction 1.5",
            "-imbalance -1",
            "-output 8",
            "-scratch 12",
            "-kernel memory_bound",
        ] {
            assert!(problem(wrong).starts_with('-'), "{wrong}");
        }
        assert_eq!(parse("-width 3 -h").unwrap_err(), Refusal::Help);
    }
}
