//! What is printed. Scripts that read the reports of Task Bench read these as well: the names and the formats of the
//! numbers are the same.

use super::{flags::CommandLine, graph::TaskGraph, relation::Relation};
use std::fmt::{self, Write};

/// What is printed before the graphs are run.
pub(crate) fn configuration(line: &CommandLine, relations: &[Relation]) -> String {
    let mut text = String::from("Task Bench\n");
    for (graph, relation) in line.graphs.iter().zip(relations) {
        describe(&mut text, graph).expect("a string takes everything");
        if line.verbosity > 0 {
            list(&mut text, graph, relation, line.verbosity > 1).expect("a string takes everything");
        }
    }
    text
}

fn describe(text: &mut String, graph: &TaskGraph) -> fmt::Result {
    let kernel = &graph.kernel;
    writeln!(text, "  Task Graph {}:", graph.number + 1)?;
    writeln!(text, "    Time Steps: {}", graph.steps)?;
    writeln!(text, "    Max Width: {}", graph.width)?;
    writeln!(text, "    Dependence Type: {}", graph.pattern)?;
    writeln!(text, "    Radix: {}", graph.radix)?;
    writeln!(text, "    Period: {}", graph.period)?;
    writeln!(text, "    Fraction of Connected: {}", graph.fraction)?;
    writeln!(text, "    Kernel:")?;
    writeln!(text, "      Type: {}", kernel.kind)?;
    writeln!(text, "      Iterations: {}", kernel.iterations)?;
    writeln!(text, "      Samples: {}", kernel.samples)?;
    writeln!(text, "      Imbalance: {}", kernel.imbalance)?;
    writeln!(text, "    Output Bytes: {}", graph.output)?;
    writeln!(text, "    Scratch Bytes: {}", graph.scratch)
}

/// The tasks of each row, and what they have to do with the rows around theirs.
fn list(text: &mut String, graph: &TaskGraph, relation: &Relation, readers: bool) -> fmt::Result {
    for (t, row) in graph.rows() {
        writeln!(text, "    Row {t}: tasks {} to {}", row.start, row.end - 1)?;
        let before = graph.row_before(t);
        let next = if t + 1 < graph.steps { graph.row(t + 1) } else { 0..0 };
        for i in row {
            let (_, dependences) = relation.dependences(graph.set(t), i);
            let inputs = dependences.iter().map(|dependence| dependence.from).filter(|j| before.contains(j));
            write!(text, "      {i} reads {:?}", inputs.collect::<Vec<_>>())?;
            if readers {
                let all = if next.is_empty() { &[] } else { relation.readers(graph.set(t + 1), i) };
                let all: Vec<_> = all.iter().filter(|reader| next.contains(reader)).collect();
                write!(text, ", is read by {all:?}")?;
            }
            writeln!(text)?;
        }
    }
    Ok(())
}

/// What was counted in all graphs together.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) tasks: u64,
    pub(crate) dependences: u64,
    flops: u64,
    bytes: u64,
    /// Dependences within nodes and between nodes, and the bytes of the latter.
    local: u64,
    remote: u64,
    transfer: u64,
    nodes: u32,
}

impl Totals {
    pub(crate) fn of(line: &CommandLine, relations: &[Relation]) -> Self {
        let mut totals = Totals { nodes: line.nodes, ..Totals::default() };
        for (graph, relation) in line.graphs.iter().zip(relations) {
            totals.add(graph, relation);
        }
        totals
    }

    fn add(&mut self, graph: &TaskGraph, relation: &Relation) {
        self.tasks += graph.tasks();
        self.flops += graph.flops();
        self.bytes += graph.bytes();
        let node = |i: u32| u64::from(i) * u64::from(self.nodes) / u64::from(graph.width);
        for t in 0..graph.steps {
            for (j, i) in relation.edges(graph, t) {
                self.dependences += 1;
                if node(j) == node(i) {
                    self.local += 1;
                } else {
                    self.remote += 1;
                    self.transfer += graph.output as u64;
                }
            }
        }
    }

    /// What is printed when all has been run, in so many seconds.
    pub(crate) fn report(&self, elapsed: f64) -> String {
        let mut text = String::new();
        self.write(&mut text, elapsed).expect("a string takes everything");
        text
    }

    fn write(&self, text: &mut String, elapsed: f64) -> fmt::Result {
        writeln!(text, "Total Tasks {}", self.tasks)?;
        writeln!(text, "Total Dependencies {}", self.dependences)?;
        if self.nodes > 0 {
            writeln!(text, "  Local Dependencies {} (estimated)", self.local)?;
            writeln!(text, "  Nonlocal Dependencies {} (estimated)", self.remote)?;
        }
        writeln!(text, "Total FLOPs {}", self.flops)?;
        writeln!(text, "Total Bytes {}", self.bytes)?;
        writeln!(text, "Elapsed Time {} seconds", Scientific(elapsed))?;
        writeln!(text, "FLOP/s {}", Scientific(self.flops as f64 / elapsed))?;
        writeln!(text, "B/s {}", Scientific(self.bytes as f64 / elapsed))?;
        if self.nodes > 0 {
            writeln!(text, "Transfer (estimated) {}", Scientific(self.transfer as f64 / elapsed))?;
        }
        Ok(())
    }
}

/// A number as `printf("%e")` writes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scientific(pub(crate) f64);

impl fmt::Display for Scientific {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.6e}", self.0);
        match text.split_once('e') {
            Some((mantissa, exponent)) => {
                let (sign, digits) = match exponent.strip_prefix('-') {
                    Some(digits) => ('-', digits),
                    None => ('+', exponent),
                };
                write!(f, "{mantissa}e{sign}{digits:0>2}")
            }
            None => f.write_str(&text),
        }
    }
}

/// The middle one of some measurements.
pub(crate) fn median(seconds: &[f64]) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::*;

    #[test]
    fn numbers_are_written_as_in_c() {
        let written =
            [0.001_234_56, 0.0, 1e-100, 59.0e9, 1.5, 9.999_999_9].map(|x| Scientific(x).to_string());
        let expected =
            ["1.234560e-03", "0.000000e+00", "1.000000e-100", "5.900000e+10", "1.500000e+00", "1.000000e+01"];
        assert_eq!(written, expected);
    }

    #[test]
    fn totals_of_two_graphs() {
        let words = "-type stencil_1d -steps 3 -width 4 -kernel compute_bound -iter 2 -nodes 2 -and -width 5";
        let line = CommandLine::parse(words.split(' ').map(str::to_owned)).expect("right");
        assert_eq!(line.graphs[0].pattern, Pattern::Stencil);
        let relations: Vec<_> = line.graphs.iter().map(Relation::of).collect();
        let report = Totals::of(&line, &relations).report(2.0);
        let expected = "\
            Total Tasks 32\nTotal Dependencies 20\n  \
            Local Dependencies 16 (estimated)\n  Nonlocal Dependencies 4 (estimated)\n\
            Total FLOPs 3840\nTotal Bytes 0\n\
            Elapsed Time 2.000000e+00 seconds\nFLOP/s 1.920000e+03\nB/s 0.000000e+00\n\
            Transfer (estimated) 3.200000e+01\n";
        assert_eq!(report, expected);
    }

    #[test]
    fn rows_are_listed_on_request() {
        let line = CommandLine::parse("-type tree -steps 2 -width 2 -vv".split(' ').map(str::to_owned));
        let line = line.expect("right");
        let text = configuration(&line, &[Relation::of(&line.graphs[0])]);
        assert!(text.contains("Time Steps: 2\n") && text.contains("Output Bytes: 16\n"), "{text}");
        let rows = "Row 0: tasks 0 to 0\n      0 reads [], is read by [0, 1]\n    Row 1: tasks 0 to 1\n      0 reads [0], is read by []\n";
        assert!(text.contains(rows), "{text}");
    }
}
