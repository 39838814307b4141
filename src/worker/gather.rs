//! The home of a sink: what the ranks have gathered comes together here.

use super::pass::{Part, keep_needed};
use crate::graph::SinkSpec;
use crate::task::{
    Failure, Outcome, Stored, TaskError, contain,
    pipeline::{Accumulator, Geometry, Sink},
};
use std::sync::Arc;

/// A sink's result in the making.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    accumulator: Option<Box<dyn Accumulator>>,
    /// What came and is not merged, since the pass was not built here: bytes, elements that they stand for, and
    /// who wants to be told that they have been taken in.
    early: Vec<(Vec<u8>, u64, Option<u32>)>,
    /// Who is to be told that so many bytes have been taken in.
    pub(super) taken: Vec<(u32, u64)>,
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
    pub(super) fn take(&mut self, part: Part) {
        self.covered += part.covered;
        self.failures.extend(part.failures);
        match (&mut self.accumulator, part.accumulator) {
            (Some(all), Some(accumulator)) => all.merge(accumulator),
            (none, accumulator) => *none = none.take().or(accumulator),
        }
    }

    /// Takes what another rank has gathered.
    pub(super) fn take_bytes(
        &mut self,
        bytes: Vec<u8>,
        covered: u64,
        failures: Vec<TaskError>,
        sender: Option<u32>,
    ) {
        self.failures.extend(failures);
        self.early.push((bytes, covered, sender));
    }

    /// Merges what has come and, if nothing is missing, ends. `error` makes an error of this rank.
    pub(super) fn try_finish(
        &mut self,
        spec: &SinkSpec,
        sink: &BuiltOperator,
        error: impl Fn(Failure) -> TaskError,
    ) -> Option<Outcome> {
        let early = std::mem::take(&mut self.early);
        self.covered += early.iter().map(|(_, covered, _)| covered).sum::<u64>();
        let taken = early.iter().filter(|(bytes, ..)| !bytes.is_empty());
        self.taken.extend(taken.filter_map(|(bytes, _, sender)| Some(((*sender)?, bytes.len() as u64))));
        let over = self.total == Some(self.covered);
        let (sink, geometry) = match sink {
            Ok(built) => built,
            Err(failed) => return over.then(|| Err(Arc::new(failed.clone()))),
        };
        let merged = contain(|| {
            let all = self.accumulator.get_or_insert_with(|| sink.accumulator(*geometry));
            early
                .iter()
                .filter(|(bytes, ..)| !bytes.is_empty())
                .try_for_each(|(bytes, ..)| all.merge_bytes(bytes))
        });
        if let Ok(Err(failure)) | Err(failure) = merged {
            self.failures.push(error(failure));
        }
        if !over {
            return None;
        }
        keep_needed(&mut self.failures, spec.takes_failures);
        let mut failures = std::mem::take(&mut self.failures);
        // A failure that belongs to no element cannot be part of a result.
        let fatal = failures.iter().position(|error| !spec.takes_failures || error.index.is_none());
        if let Some(fatal) = fatal {
            return Some(Err(Arc::new(failures.swap_remove(fatal))));
        }
        let accumulator = self.accumulator.take()?;
        let result = contain(|| accumulator.finish(failures)).and_then(|result| result);
        Some(result.map(Stored::Made).map_err(|failure| Arc::new(error(failure))))
    }
}

/// A sink and the shape of what it gathers, or why there is none.
pub(super) type BuiltOperator = Result<(Arc<dyn Sink>, Geometry), TaskError>;
