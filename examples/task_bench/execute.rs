//! What is the same in every task whoever runs it: the check of its inputs, the kernel, the output.

use super::{
    graph::TaskGraph,
    relation::{Dependence, Relation},
};

/// Bytes of the pair (t, i) that outputs consist of.
pub(crate) const PAIR: usize = 16;

/// All words of the scratch, before the first task and after the last.
pub(crate) const UNTOUCHED: u64 = 0x5c4a_7c8b;

/// The name of task (t, i), with which its output is filled.
#[inline]
pub(crate) fn pair(t: u32, i: u32) -> [u8; PAIR] {
    let words = [i64::from(t), i64::from(i)];
    bytemuck::cast(words)
}

/// Whether the bytes are whole pairs of task (t, i), and perhaps the beginning of another.
#[inline]
pub(crate) fn consists_of(bytes: &[u8], pair: [u8; PAIR]) -> bool {
    let pair = u128::from_ne_bytes(pair);
    let (pairs, _) = bytes.as_chunks::<PAIR>();
    match pairs {
        [one] => u128::from_ne_bytes(*one) == pair,
        // Without a branch per pair this goes at the speed of memory.
        many => many.iter().fold(0, |wrong, other| wrong | (u128::from_ne_bytes(*other) ^ pair)) == 0,
    }
}

/// What is wrong with a task's surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    graph: u32,
    t: u32,
    i: u32,
    wrong: Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    NoSuchTask,
    Missing { from: u32 },
    Length { from: u32, length: usize, expected: usize },
    Content { from: u32 },
    TooMany,
    Scratch,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Fault { graph, t, i, wrong } = self;
        write!(f, "task ({t}, {i}) of graph {graph} ")?;
        match wrong {
            Wrong::NoSuchTask => write!(f, "should not exist"),
            Wrong::Missing { from } => write!(f, "has no input from column {from}"),
            Wrong::Length { from, length, expected } => {
                write!(f, "has an input of {length} bytes from column {from}, not of {expected}")
            }
            Wrong::Content { from } => write!(f, "has an input that is not the output of column {from}"),
            Wrong::TooMany => write!(f, "has more inputs than dependences"),
            Wrong::Scratch => write!(f, "finds its scratch overwritten"),
        }
    }
}

/// One task of a graph, about to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) graph: &'a TaskGraph,
    pub(crate) relation: &'a Relation,
    pub(crate) t: u32,
    pub(crate) i: u32,
}

impl Task<'_> {
    /// Checks that the task exists and that its inputs are the outputs it depends on. `input` gives the bytes of a
    /// dependence; it is also told the place of the dependence among those of the set.
    #[inline]
    pub(crate) fn check<'b>(
        &self,
        mut input: impl FnMut(usize, Dependence) -> Option<&'b [u8]>,
    ) -> Result<(), Fault> {
        let Task { graph, relation, t, i } = *self;
        if t >= graph.steps || !graph.row(t).contains(&i) {
            return Err(self.fault(Wrong::NoSuchTask));
        }
        let before = graph.row_before(t);
        if before.is_empty() {
            return Ok(());
        }
        let (first, dependences) = relation.dependences(graph.set(t), i);
        for (place, &dependence) in (first..).zip(dependences) {
            let from = dependence.from;
            if !before.contains(&from) {
                continue;
            }
            let bytes = input(place, dependence).ok_or_else(|| self.fault(Wrong::Missing { from }))?;
            if bytes.len() != graph.output {
                let (length, expected) = (bytes.len(), graph.output);
                return Err(self.fault(Wrong::Length { from, length, expected }));
            }
            if !consists_of(bytes, pair(t - 1, from)) {
                return Err(self.fault(Wrong::Content { from }));
            }
        }
        Ok(())
    }

    /// Runs the kernel.
    #[inline]
    pub(crate) fn work(&self, scratch: &mut [u64]) -> Result<(), Fault> {
        if scratch.first().is_some_and(|&word| word != UNTOUCHED) {
            return Err(self.fault(Wrong::Scratch));
        }
        self.graph.kernel.run(self.graph.number, self.t, self.i, scratch);
        Ok(())
    }

    #[cold]
    pub(crate) fn fault(&self, wrong: Wrong) -> Fault {
        Fault { graph: self.graph.number, t: self.t, i: self.i, wrong }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::*;

    /// Runs task (2, 1) of a stencil with these outputs of columns 0, 1 and 2.
    fn checked(outputs: [Option<&[u8]>; 3]) -> Result<(), String> {
        let graph = TaskGraph { output: 40, ..TaskGraph::of(Pattern::Stencil, 4, 4) };
        let relation = Relation::of(&graph);
        let task = Task { graph: &graph, relation: &relation, t: 2, i: 1 };
        task.check(|place, dependence| {
            assert_eq!(place, 2 + dependence.from as usize, "column 0 has the two places before");
            outputs[dependence.from as usize]
        })
        .map_err(|fault| fault.to_string())
    }

    fn output(t: u32, i: u32) -> Vec<u8> {
        let mut bytes = pair(t, i).repeat(3);
        bytes.truncate(40);
        bytes
    }

    #[test]
    fn what_a_task_reads_is_checked() {
        let [left, own, right] = [0, 1, 2].map(|i| output(1, i));
        assert_eq!(checked([Some(&left), Some(&own), Some(&right)]), Ok(()));
        let wrong = [
            (checked([Some(&left), None, Some(&right)]), "no input from column 1"),
            (checked([Some(&left), Some(&own[..32]), Some(&right)]), "32 bytes from column 1, not of 40"),
            (checked([Some(&left), Some(&own), Some(&left)]), "not the output of column 2"),
            (checked([Some(&output(0, 0)), Some(&own), Some(&right)]), "not the output of column 0"),
        ];
        for (checked, expected) in wrong {
            let problem = checked.expect_err(expected);
            assert!(problem.starts_with("task (2, 1) of graph 0") && problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn every_pair_is_looked_at() {
        for at in 0..32 {
            let mut bytes = output(7, 3);
            bytes[at] ^= 1;
            assert!(!consists_of(&bytes, pair(7, 3)), "byte {at}");
        }
        assert!(consists_of(&output(7, 3), pair(7, 3)));
    }

    #[test]
    fn a_task_outside_the_graph_is_noticed() {
        let graph = TaskGraph::of(Pattern::Tree, 4, 4);
        let relation = Relation::of(&graph);
        for (t, i) in [(4, 0), (0, 1), (3, 4)] {
            let task = Task { graph: &graph, relation: &relation, t, i };
            let fault = task.check(|_, _| Some(&[])).expect_err("no such task");
            assert_eq!(fault, task.fault(Wrong::NoSuchTask));
        }
    }

    #[test]
    fn overwritten_scratch_is_noticed() {
        let graph = TaskGraph::of(Pattern::Trivial, 1, 1);
        let relation = Relation::of(&graph);
        let task = Task { graph: &graph, relation: &relation, t: 0, i: 0 };
        assert_eq!(task.work(&mut [UNTOUCHED, 0]), Ok(()));
        assert_eq!(task.work(&mut [0, UNTOUCHED]), Err(task.fault(Wrong::Scratch)));
    }
}
