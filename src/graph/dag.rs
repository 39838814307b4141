//! A directed acyclic graph in compressed rows.

/// Nodes `0..tasks` are tasks in an order in which inputs come before their readers; the nodes behind them
/// are values that exist already, each on a rank of its own.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Dag {
    ends: Vec<u32>,
    inputs: Vec<u32>,
}

impl Dag {
    /// Room for as many tasks and edges.
    pub(crate) fn with_capacity(tasks: usize, edges: usize) -> Self {
        Dag { ends: Vec::with_capacity(tasks), inputs: Vec::with_capacity(edges) }
    }

    /// Adds a task that reads `inputs`, in the order of its arguments.
    pub(crate) fn push(&mut self, inputs: impl IntoIterator<Item = u32>) -> u32 {
        let task = self.ends.len() as u32;
        self.inputs.extend(inputs);
        self.ends.push(u32::try_from(self.inputs.len()).expect("fewer than 2^32 edges"));
        task
    }

    /// The number of tasks.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The nodes that `task` reads.
    pub(crate) fn inputs(&self, task: usize) -> &[u32] {
        let start = if task == 0 { 0 } else { self.ends[task - 1] as usize };
        &self.inputs[start..self.ends[task] as usize]
    }
}

impl<I: IntoIterator<Item = u32>> FromIterator<I> for Dag {
    fn from_iter<T: IntoIterator<Item = I>>(tasks: T) -> Self {
        let mut dag = Dag::default();
        for inputs in tasks {
            dag.push(inputs);
        }
        dag
    }
}
