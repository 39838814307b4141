//! The home of a sink: what the ranks have gathered comes together here.

use super::{
    pass::{Part, TaskErrorMaker, keep_needed},
    program::BuiltProgram,
};
use crate::task::{Outcome, Stored, TaskError, pipeline::Accumulator};
use std::sync::Arc;

/// A sink's result in the making.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    accumulator: Option<Box<dyn Accumulator>>,
    /// What came before the pass was built here.
    early: Vec<(Vec<u8>, u64)>,
    covered: u64,
    total: Option<u64>,
    failures: Vec<TaskError>,
}

impl Assembly {
    /// This many elements were granted in all.
    pub(super) fn total(&mut self, granted: u64) {
        self.total = Some(granted);
    }

    /// Takes what this rank itself has gathered.
    pub(super) fn take(&mut self, part: Part, label: &str, error: &TaskErrorMaker<'_>) {
        self.covered += part.covered;
        self.failures.extend(part.failures);
        let Some(accumulator) = part.accumulator else {
            return;
        };
        match &mut self.accumulator {
            None => self.accumulator = Some(accumulator),
            Some(all) => {
                if let Err(failure) = all.merge(accumulator) {
                    self.failures.push(error(failure, label));
                }
            }
        }
    }

    /// Takes what another rank has gathered.
    pub(super) fn take_bytes(&mut self, bytes: Vec<u8>, covered: u64, failures: Vec<TaskError>) {
        self.failures.extend(failures);
        self.early.push((bytes, covered));
    }

    /// Merges what has come and, if nothing is missing, ends.
    pub(super) fn try_finish(
        &mut self,
        sink: usize,
        label: &str,
        program: &BuiltProgram,
        error: &TaskErrorMaker<'_>,
    ) -> Option<Outcome> {
        let program = match program {
            Ok(program) => program,
            Err(failed) => {
                self.covered += self.early.drain(..).map(|(_, covered)| covered).sum::<u64>();
                return (self.total == Some(self.covered)).then(|| Err(Arc::new(failed.clone())));
            }
        };
        let kind = &program.sinks[sink];
        let accumulator = self.accumulator.get_or_insert_with(|| kind.accumulator(program.geometry));
        for (bytes, covered) in self.early.drain(..) {
            self.covered += covered;
            if bytes.is_empty() {
                continue;
            }
            if let Err(failure) = accumulator.merge_bytes(&bytes) {
                self.failures.push(error(failure, label));
            }
        }
        if self.total != Some(self.covered) {
            return None;
        }
        keep_needed(&mut self.failures, kind.takes_failures());
        let mut failures = std::mem::take(&mut self.failures);
        if !kind.takes_failures()
            && let Some(failed) = failures.pop()
        {
            return Some(Err(Arc::new(failed)));
        }
        let accumulator = self.accumulator.take()?;
        let result = crate::task::contain(|| accumulator.finish(failures)).and_then(|r| r);
        Some(result.map(Stored::Made).map_err(|failure| Arc::new(error(failure, label))))
    }
}
