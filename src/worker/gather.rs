//! The home of a sink: what the ranks have gathered comes together here.

use super::pass::{Part, keep_needed};
use crate::graph::{RangeSet, SinkSpec};
use crate::task::{
    Failure, Outcome, Stored, TaskError, contain,
    pipeline::{Accumulator, Geometry, Sink},
};
use std::sync::Arc;

/// A sink's result in the making.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    accumulator: Option<Box<dyn Accumulator>>,
    /// What came and is not merged, since the pass was not built here: bytes, and who wants to be told that they have
    /// been taken in.
    early: Vec<(Vec<u8>, Option<u32>)>,
    /// Who is to be told that so many bytes have been taken in.
    pub(super) taken: Vec<(u32, u64)>,
    covered: RangeSet,
    total: Option<RangeSet>,
    failures: Vec<TaskError>,
}

impl Assembly {
    /// These elements were granted in all.
    pub(super) fn total(&mut self, granted: RangeSet) {
        self.total = Some(granted);
    }

    /// Takes what this rank itself has gathered.
    pub(super) fn take(&mut self, part: Part) {
        if self.knows(&part.covered) {
            return;
        }
        self.fail(part.failures);
        self.covered.extend(&part.covered);
        match (&mut self.accumulator, part.accumulator) {
            (Some(all), Some(accumulator)) => all.merge(accumulator),
            (none, accumulator) => *none = none.take().or(accumulator),
        }
    }

    /// Takes what another rank has gathered.
    pub(super) fn take_bytes(
        &mut self,
        bytes: Vec<u8>,
        covered: RangeSet,
        failures: Vec<TaskError>,
        sender: Option<u32>,
    ) {
        let repeated = self.knows(&covered);
        if !repeated {
            self.fail(failures);
        }
        self.covered.extend(&covered);
        if !repeated {
            self.early.push((bytes, sender));
        } else if let Some(sender) = sender {
            self.taken.push((sender, bytes.len() as u64));
        }
    }

    /// Takes the failures of a part that is not covered yet, but for those of elements that are.
    fn fail(&mut self, failures: Vec<TaskError>) {
        let is_new = |error: &TaskError| error.index.is_none_or(|index| !self.covered.has(index));
        let new: Vec<TaskError> = failures.into_iter().filter(is_new).collect();
        self.failures.extend(new);
    }

    /// Whether a part stands for nothing that is not here: an element was done twice, with the same result. Parts
    /// that stand for no element yet are pieces of what is to come.
    fn knows(&self, covered: &RangeSet) -> bool {
        !covered.is_empty() && self.covered.contains(covered)
    }

    /// Merges what has come and, if nothing is missing, ends. `error` makes an error of this rank.
    pub(super) fn try_finish(
        &mut self,
        spec: &SinkSpec,
        sink: &BuiltOperator,
        error: impl Fn(Failure) -> TaskError,
    ) -> Option<Outcome> {
        let early = std::mem::take(&mut self.early);
        let taken = early.iter().filter(|(bytes, _)| !bytes.is_empty());
        self.taken.extend(taken.filter_map(|(bytes, sender)| Some(((*sender)?, bytes.len() as u64))));
        let over = self.total.as_ref().is_some_and(|total| self.covered.contains(total));
        let (sink, geometry) = match sink {
            Ok(built) => built,
            Err(failed) => return over.then(|| Err(Arc::new(failed.clone()))),
        };
        let merged = contain(|| {
            let all = self.accumulator.get_or_insert_with(|| sink.accumulator(*geometry));
            early
                .iter()
                .filter(|(bytes, _)| !bytes.is_empty())
                .try_for_each(|(bytes, _)| all.merge_bytes(bytes))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Branch, Home};
    use crate::task::{GraphId, Place, Slot, pipeline::tests_support};
    use proptest::prelude::*;

    const LEAF: u64 = 4;

    fn spec() -> SinkSpec {
        SinkSpec {
            from: Branch::Source,
            build: tests_support::any_sink(),
            constants: Vec::new(),
            inputs: 0,
            home: Home::One { rank: 0, place: Place { graph: GraphId(0), slot: Slot(0) } },
            takes_failures: false,
            label: "sink".into(),
        }
    }

    /// What comes of parts that stand for these leaves, in this order; none if something is missing.
    fn gathered(sink: &Arc<dyn Sink>, leaves: u64, parts: &[RangeSet]) -> Option<Vec<u8>> {
        let length = leaves * LEAF;
        let geometry = Geometry { length, leaf: LEAF };
        let mut assembly = Assembly::default();
        assembly.total((0..length).into());
        let mut outcome = None;
        for ranges in parts {
            let elements = ranges.iter().map(|range| range.start * LEAF..range.end.min(leaves) * LEAF);
            let covered: RangeSet = elements.collect();
            let bytes = tests_support::gather(&**sink, geometry, covered.iter());
            assembly.take_bytes(bytes, covered, Vec::new(), None);
            let operator = Ok((Arc::clone(sink), geometry));
            outcome = assembly.try_finish(&spec(), &operator, |failure| panic!("{failure:?}"));
            if outcome.is_some() {
                break;
            }
        }
        let Stored::Made(value) = outcome?.expect("nothing fails") else { unreachable!("it was made here") };
        let mut bytes = Vec::new();
        value.encode(&mut bytes).expect("numbers");
        Some(bytes)
    }

    proptest! {
        /// Parts that are repeated, overlap, or come late and in any order end in the same bits; and what is missing
        /// is waited for.
        #[test]
        fn parts_may_be_repeated_overlap_and_come_in_any_order(
            leaves in 1u64..40,
            parts in prop::collection::vec(prop::collection::vec((0u64..40, 1u64..20), 1..3), 0..8),
            last in prop::collection::vec(0u64..40, 0..3).prop_shuffle(),
        ) {
            let some = |ranges: Vec<(u64, u64)>| -> RangeSet {
                ranges.into_iter().map(|(start, length)| start.min(leaves)..(start + length).min(leaves)).collect()
            };
            let mut parts: Vec<RangeSet> = parts.into_iter().map(some).collect();
            let there: RangeSet = parts.iter().flat_map(RangeSet::iter).collect();
            for sink in tests_support::sinks() {
                let whole = gathered(&sink, leaves, &[RangeSet::from(0..leaves)]);
                prop_assert!(whole.is_some());
                if there.count() < leaves {
                    prop_assert_eq!(gathered(&sink, leaves, &parts), None);
                }
            }
            let mut cuts: Vec<u64> = last.into_iter().map(|cut| cut.min(leaves)).chain([0, leaves]).collect();
            cuts.sort_unstable();
            parts.extend(cuts.windows(2).rev().map(|pair| RangeSet::from(pair[0]..pair[1])));
            for sink in tests_support::sinks() {
                prop_assert_eq!(gathered(&sink, leaves, &parts), gathered(&sink, leaves, &[RangeSet::from(0..leaves)]));
            }
        }
    }
}
