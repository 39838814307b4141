//! Shuffles: elements go to buckets, and buckets to ranks.

use super::{
    super::{client::Core, delayed::Delayed, source::Source},
    Map, MapNode, Origin, SinkKind,
};
use crate::error::{Error, Result};
use crate::task::{
    Arg, FnRef, InputsRef, Record, Sealed, TaskFailure,
    pipeline::{Held, RangeEntry, Share, Shuffle, Spread},
};
use crate::wire::{self, Value};
use std::{panic::Location, sync::Arc};

/// With up to so many elements a leaf of a reduction is one bucket, so that no leaf is on two ranks.
const MOST_BUCKETS: u64 = 1 << 16;

impl<E: Value + Clone> Map<E> {
    /// Takes values to the ranks that have their buckets, for maps over the buckets. Each element is any number
    /// of pairs `(bucket, value)`: an array, an option, a vector.
    ///
    /// Every rank has some of the buckets; in each of them the values are in the order of the source, so that
    /// what is made of a bucket does not depend on ranks and threads. Values travel once, from the rank that
    /// made them to the one that has the bucket, while the map goes on. What a rank holds of them in memory is
    /// bounded ([`Builder::spill_above`](crate::Builder::spill_above)): more than that goes to a file on its
    /// node.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let by_last_digit = client.map(|i| [(i % 10, i)], 0..1000u64).shuffle(10);
    ///     let first = client.try_map_with(
    ///         |digit, (values,)| Ok::<_, serried::ShareError>(values.read(digit)?[0]),
    ///         by_last_digit.buckets(),
    ///         (&by_last_digit,),
    ///     );
    ///     assert_eq!(first.compute()?, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// There may be up to 65,536 buckets. An element whose bucket is not below `buckets` has failed.
    #[track_caller]
    #[must_use]
    pub fn shuffle<T: Value>(&self, buckets: u64) -> Shuffled<T>
    where
        E: IntoIterator<Item = (u64, T)>,
    {
        let core = &self.node.core;
        let spread = Spread { buckets, ranks: core.world.workers.as_slice().into() };
        let label = super::Label::Place(Location::caller()).text();
        let kind = self.node.check().and_then(|()| {
            if !(1..=MOST_BUCKETS).contains(&buckets) {
                let problem = format!("a shuffle has 1 to {MOST_BUCKETS} buckets, not {buckets}");
                return Err(Error::Usage(problem));
            }
            let build = FnRef::new::<fn(E), Shuffle<E>>(|_| ())?;
            let mut constants = wire::encode_to_vec(&spread)?;
            wire::encode(&core.world.spill, &mut constants)?;
            Ok(SinkKind {
                build,
                constants,
                label,
                takes_failures: false,
                keeps: None,
                spread: Some(spread.clone()),
            })
        });
        Shuffled { shares: vec![self.sink_node(kind)], spread }
    }
}

/// Values in buckets that the ranks have, from [`Map::shuffle`].
///
/// Maps over [`buckets`](Self::buckets) that are given `&shuffled` see a [`Share`]. Several shuffles with the
/// same number of buckets may be read together, since the same rank has the same buckets of each.
#[derive(Debug)]
pub struct Shuffled<T> {
    shares: Vec<Delayed<Held<T>>>,
    spread: Spread,
}

impl<T> Clone for Shuffled<T> {
    fn clone(&self) -> Self {
        Shuffled { shares: self.shares.clone(), spread: self.spread.clone() }
    }
}

impl<T> Shuffled<T> {
    /// What a map that reads the buckets goes over: their numbers, each on the rank that has the bucket.
    #[must_use]
    pub fn buckets(&self) -> Buckets {
        Buckets { spread: self.spread.clone() }
    }

    /// In each bucket the values of this one, then those of the other.
    ///
    /// # Errors
    /// [`Error::Usage`] if they do not have the same number of buckets, or are of different runs.
    pub fn concat(&self, other: &Shuffled<T>) -> Result<Shuffled<T>> {
        if self.spread != other.spread {
            let (mine, others) = (self.spread.buckets, other.spread.buckets);
            let problem = format!("shuffles with {mine} and {others} buckets cannot be read as one");
            return Err(Error::Usage(problem));
        }
        let shares = self.shares.iter().chain(&other.shares).cloned().collect();
        Ok(Shuffled { shares, spread: self.spread.clone() })
    }

    /// Names the shuffle in errors and reports.
    #[must_use]
    pub fn label(self, label: &str) -> Self {
        let shares = self.shares.into_iter().map(|share| share.label(label)).collect();
        Shuffled { shares, ..self }
    }
}

impl<T> Sealed for &Shuffled<T> {}

impl<T: Value> Arg for &Shuffled<T> {
    type Value = Share<T>;
    fn pack(&self, record: &mut Record) {
        record.constant(&u32::try_from(self.shares.len()).unwrap_or(u32::MAX));
        self.shares.iter().for_each(|share| share.node.pack(record));
    }
    fn unpack(inputs: &mut InputsRef<'_, '_>) -> Result<Share<T>, TaskFailure> {
        let count: u32 = inputs.0.constant()?;
        let shares = (0..count).map(|_| <&Delayed<Held<T>>>::unpack(inputs));
        Ok(Share(shares.collect::<Result<_, _>>()?))
    }
    fn show(inputs: &mut InputsRef<'_, '_>) -> Result<String, TaskFailure> {
        inputs.0.constant::<u32>()?;
        Ok("_".into())
    }
}

/// The numbers of the buckets of a shuffle.
#[derive(Debug, Clone)]
pub struct Buckets {
    spread: Spread,
}

impl Sealed for Buckets {}

#[allow(private_interfaces)]
impl Source for Buckets {
    type Item = u64;
    fn into_node(self, core: &Arc<Core>) -> Arc<MapNode> {
        let spread = self.spread;
        let length = spread.buckets;
        let origin = FnRef::new::<fn(u64), RangeEntry<u64>>(|_| ())
            .map_err(Error::from)
            .and_then(|entry| Ok((entry, wire::encode_to_vec(&0u64)?)));
        Arc::new(match origin {
            Ok((entry, constants)) => {
                MapNode::new(core, length, Origin::Range { entry, constants, spread: Some(spread) })
            }
            Err(problem) => MapNode::broken(core, problem),
        })
    }
}
