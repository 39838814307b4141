//! The dependences of a graph as tables, made once, and the check that they fit together.

use super::graph::TaskGraph;
use std::ops::Range;

/// The dependences of all sets of a graph.
#[derive(Debug)]
pub(crate) struct Relation {
    sets: Vec<Set>,
}

/// One set of dependences. Column `i` has the entries `ends[i - 1]..ends[i]` of a table.
#[derive(Debug, Default)]
struct Set {
    dependence_ends: Vec<u32>,
    dependences: Vec<Dependence>,
    reader_ends: Vec<u32>,
    readers: Vec<u32>,
}

/// That a task reads column `from` of the row before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dependence {
    pub(crate) from: u32,
    /// The column below the reader's that also reads it.
    pub(crate) reader_below: Option<u32>,
}

impl Dependence {
    /// Whether, in the row `row`, no column below the reader's reads the same output.
    #[inline]
    pub(crate) fn is_first_reader(self, row: &Range<u32>) -> bool {
        self.reader_below.is_none_or(|below| below < row.start)
    }
}

impl Relation {
    pub(crate) fn of(graph: &TaskGraph) -> Self {
        Relation { sets: (0..graph.sets()).map(|set| Set::of(graph, set)).collect() }
    }

    /// The dependences of column `i`, and the place of the first one among those of its set.
    #[inline]
    pub(crate) fn dependences(&self, set: u32, i: u32) -> (usize, &[Dependence]) {
        let set = &self.sets[set as usize];
        let range = entries(&set.dependence_ends, i);
        (range.start, &set.dependences[range])
    }

    /// The columns that read column `j`.
    #[inline]
    pub(crate) fn readers(&self, set: u32, j: u32) -> &[u32] {
        let set = &self.sets[set as usize];
        &set.readers[entries(&set.reader_ends, j)]
    }

    /// Whether the output of task (t, j) is read by a task that exists.
    pub(crate) fn is_read(&self, graph: &TaskGraph, t: u32, j: u32) -> bool {
        if t + 1 == graph.steps {
            return false;
        }
        let next = graph.row(t + 1);
        self.readers(graph.set(t + 1), j).iter().any(|i| next.contains(i))
    }

    /// The pairs (j, i) in which task (t, i) reads task (t - 1, j).
    pub(crate) fn edges(&self, graph: &TaskGraph, t: u32) -> impl Iterator<Item = (u32, u32)> {
        let (before, set) = (graph.row_before(t), graph.set(t));
        graph.row(t).flat_map(move |i| {
            let before = before.clone();
            let (_, list) = self.dependences(set, i);
            list.iter().filter(move |dependence| before.contains(&dependence.from)).map(move |d| (d.from, i))
        })
    }

    /// Checks what every program of this kind relies on: rows lie within the width, no task reads another twice, and
    /// readers are the mirror image of dependences.
    pub(crate) fn check(&self, graph: &TaskGraph) -> Result<(), String> {
        if let Some((t, row)) = graph.rows().find(|(_, row)| row.is_empty() || row.end > graph.width) {
            return Err(format!("row {t} is {row:?} of {} columns", graph.width));
        }
        for set in 0..graph.sets() {
            let mut forwards = Vec::new();
            let mut backwards = Vec::new();
            for column in 0..graph.width {
                forwards.extend(self.dependences(set, column).1.iter().map(|d| (d.from, column)));
                backwards.extend(self.readers(set, column).iter().map(|&reader| (column, reader)));
            }
            forwards.sort_unstable();
            backwards.sort_unstable();
            if let Some(twice) = forwards.windows(2).find(|pair| pair[0] == pair[1]) {
                let (from, column) = twice[0];
                return Err(format!("in set {set} column {column} reads column {from} twice"));
            }
            if forwards != backwards {
                return Err(format!("in set {set} the readers do not mirror the dependences"));
            }
        }
        Ok(())
    }
}

impl Set {
    fn of(graph: &TaskGraph, set: u32) -> Self {
        let mut table = Set::default();
        let mut reader_below = vec![None; graph.width as usize];
        for column in 0..graph.width {
            for from in graph.dependences(set, column) {
                let reader_below = reader_below[from as usize].replace(column);
                table.dependences.push(Dependence { from, reader_below });
            }
            table.dependence_ends.push(table.dependences.len() as u32);
            table.readers.extend(graph.readers(set, column));
            table.reader_ends.push(table.readers.len() as u32);
        }
        table
    }
}

#[inline]
fn entries(ends: &[u32], column: u32) -> Range<usize> {
    let start = if column == 0 { 0 } else { ends[column as usize - 1] };
    start as usize..ends[column as usize] as usize
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::*;

    /// Graphs of every pattern, in many sizes and with many parameters.
    fn graphs() -> Vec<TaskGraph> {
        let mut graphs = Vec::new();
        for (_, pattern) in Pattern::ALL {
            let narrowest = match pattern {
                Pattern::PeriodicStencil => 3,
                Pattern::Fft => 2,
                _ => 1,
            };
            for (width, steps) in [(1, 1), (1, 7), (2, 3), (3, 4), (5, 9), (8, 8), (17, 40)] {
                for radix in 0..=7 {
                    let mut graph = TaskGraph::of(pattern, steps, width.max(narrowest));
                    graph.radix = radix;
                    if pattern == Pattern::Spread {
                        graph.radix = radix.clamp(1, graph.width);
                        graph.period = graph.width.div_ceil(graph.radix);
                    }
                    graphs.push(graph);
                }
            }
        }
        graphs
    }

    #[test]
    fn readers_mirror_dependences_in_every_set() {
        for graph in graphs() {
            Relation::of(&graph).check(&graph).unwrap_or_else(|problem| panic!("{graph:?}: {problem}"));
        }
    }

    #[test]
    fn a_duplicate_is_noticed() {
        let graph = TaskGraph::of(Pattern::PeriodicStencil, 4, 2);
        let problem =
            Relation::of(&graph).check(&graph).expect_err("column 0 is both neighbours of column 1");
        assert!(problem.contains("twice"), "{problem}");
    }

    /// So the tallies that first readers take along meet every task once.
    #[test]
    fn every_output_that_is_read_has_one_first_reader() {
        for graph in graphs() {
            let relation = Relation::of(&graph);
            for (t, row) in graph.rows() {
                let mut firsts = vec![0; graph.width as usize];
                if t + 1 < graph.steps {
                    let next = graph.row(t + 1);
                    for i in next.clone() {
                        let (_, list) = relation.dependences(graph.set(t + 1), i);
                        for dependence in list.iter().filter(|dependence| row.contains(&dependence.from)) {
                            firsts[dependence.from as usize] += u32::from(dependence.is_first_reader(&next));
                        }
                    }
                }
                for j in row {
                    let expected = u32::from(relation.is_read(&graph, t, j));
                    assert_eq!(firsts[j as usize], expected, "task ({t}, {j}) of {graph:?}");
                }
            }
        }
    }

    #[test]
    fn edges_are_those_between_tasks_that_exist() {
        let graph = TaskGraph::of(Pattern::Dom, 5, 3);
        let relation = Relation::of(&graph);
        let edges = |t| relation.edges(&graph, t).collect::<Vec<_>>();
        assert_eq!(edges(0), []);
        assert_eq!(edges(1), [(0, 0), (0, 1)]);
        assert_eq!(edges(3), [(0, 1), (1, 1), (1, 2), (2, 2)]);
        assert_eq!(edges(4), [(1, 2), (2, 2)]);
    }
}
