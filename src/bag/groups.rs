//! Values by key.

use super::{
    bag::Bag,
    part::{Part, owned},
};
use crate::client::{Delayed, Function};
use crate::wire::Value;
use std::collections::BTreeMap;

/// How values of one key are brought together: the key, what an accumulator begins as, and the two functions.
type Rules<T, K, A> = (fn(&T) -> K, A, fn(A, T) -> A, fn(A, A) -> A);

impl<T: Value + Clone> Bag<T> {
    /// For each key an accumulator: the values of a unit of the input that have the key are folded into one that
    /// begins as `start`, and those of several units are merged, in a fixed order. Only accumulators travel, and
    /// memory holds one for each key.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let numbers = client.bag_range(0..1000);
    ///     let sums = numbers.fold_by(|i| i % 3, 0, |sum, i| sum + i, |a, b| a + b).compute()?;
    ///     assert_eq!(sums[&0], 166_833);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn fold_by<K, A>(
        &self,
        key: fn(&T) -> K,
        start: A,
        fold: fn(A, T) -> A,
        merge: fn(A, A) -> A,
    ) -> Delayed<BTreeMap<K, A>>
    where
        K: Value + Clone + Ord,
        A: Value + Clone,
    {
        let add = |mut groups: BTreeMap<K, A>, part: Part<T>, (key, start, fold, _): &Rules<T, K, A>| {
            for value in owned(part.values) {
                let key = key(&value);
                let group = groups.remove(&key).unwrap_or_else(|| start.clone());
                groups.insert(key, fold(group, value));
            }
            groups
        };
        let join = |mut a: BTreeMap<K, A>, b: BTreeMap<K, A>, (_, _, _, merge): &Rules<T, K, A>| {
            for (key, group) in b {
                let group = match a.remove(&key) {
                    None => group,
                    Some(before) => merge(before, group),
                };
                a.insert(key, group);
            }
            a
        };
        let rules = || (Function::new(key), start.clone(), Function::new(fold), Function::new(merge));
        self.folded(BTreeMap::new(), add, join, &rules)
    }
}
