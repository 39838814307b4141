//! Bags of values.

use super::{
    counter::Frequencies,
    names::{Choice, Names},
    part::{Part, asked, owned},
    text::Place,
};
use crate::client::{Client, Delayed, Function, Map, Together};
use crate::error::Result;
use crate::task::Args;
use crate::wire::Value;
use std::{collections::BTreeMap, hash::Hash, ops::Range, sync::Arc};

/// An unordered collection of values that need not fit into memory, made of lines, records, a range or a
/// vector.
///
/// Functions are plain functions or closures that capture nothing; shared values come to those ending in
/// `_with`, as in [`Client::map_with`]. Results are lazy, and what is computed together reads the input once.
/// Where order matters it is that of the files and of the lines in them.
///
/// ```
/// use serried::prelude::*;
///
/// # fn main() -> serried::Result<()> {
/// serried::run(|client| {
///     let squares = client.bag_range(0..1000).map(|i| (i * i) as f64);
///     let large = squares.filter(|x| *x >= 998_001.0);
///     let (sum, mean, large) = client.compute((&squares.sum(), &squares.mean(), &large.collect()))?;
///     assert_eq!((sum, mean), (332_833_500.0, 332_833.5));
///     assert_eq!(large, [998_001.0]);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Bag<T> {
    pub(super) client: Client,
    /// More than one if bags were put together.
    pub(super) parts: Vec<Map<Part<T>>>,
    /// Input files that are missing and were passed over.
    pub(super) missing: u64,
    /// The first unit of the first part by itself, where a part costs a look at the whole input.
    pub(super) head: Option<Map<Part<T>>>,
    /// For each part where its units begin, if that takes decoding them.
    pub(super) positions: Vec<Option<Delayed<Vec<u64>>>>,
    /// What was left out of a bag whose values were taken from rank to rank to make this one. A part of such a bag
    /// costs as much as all of it.
    pub(super) skipped_before: Option<Delayed<u64>>,
}

/// Values of a piece of a range or a vector: small beside a cache, large beside what a piece costs.
const PIECE: u64 = 1 << 14;

impl Client {
    /// The integers of a range.
    #[track_caller]
    #[must_use]
    pub fn bag_range(&self, range: Range<u64>) -> Bag<u64> {
        let length = range.end.saturating_sub(range.start);
        let piece = |piece: u64, (start, end): &(u64, u64)| {
            let first = start + piece * PIECE;
            let place = Place { number: piece, ..Place::default() };
            // A number is its own name.
            Part::new(
                (first..(*end).min(first.saturating_add(PIECE))).collect(),
                Names::From(first),
                place,
                0,
            )
        };
        let parts = self.map_with(piece, 0..length.div_ceil(PIECE), (range.start, range.end));
        Bag::of(self, parts)
    }

    /// The values of a collection on rank 0, which travel to the ranks that work on them.
    #[track_caller]
    #[must_use]
    pub fn bag_of<T: Value + Clone>(&self, values: impl IntoIterator<Item = T>) -> Bag<T> {
        let mut pieces: Vec<Part<T>> = Vec::new();
        let mut values = values.into_iter();
        loop {
            let piece: Vec<T> = values.by_ref().take(PIECE as usize).collect();
            if piece.is_empty() {
                break;
            }
            let unit = pieces.len() as u64;
            let place = Place { number: unit, ..Place::default() };
            pieces.push(Part::new(piece, Names::From(unit * PIECE), place, 0));
        }
        let parts = self.map(|piece: Part<T>| piece, pieces).batch(1);
        Bag::of(self, parts)
    }
}

impl<T: Value + Clone> Bag<T> {
    /// The bag of one map of pieces.
    pub(super) fn of(client: &Client, parts: Map<Part<T>>) -> Self {
        Bag {
            client: client.clone(),
            parts: vec![parts],
            head: None,
            positions: vec![None],
            missing: 0,
            skipped_before: None,
        }
    }

    /// Another bag of what `stage` makes of each piece.
    #[track_caller]
    pub(super) fn stage<U, A>(&self, stage: fn(Part<T>, &A::Values) -> Part<U>, shared: A) -> Bag<U>
    where
        U: Value + Clone,
        A: Args<Values: Send + Sync + 'static> + Clone,
    {
        let asked = asked();
        self.stages(|_, parts| self.client.map_with(stage, parts, shared.clone()).label(&asked))
    }

    /// Another bag of what `of` makes of each part, by its number.
    pub(super) fn stages<U: Value + Clone>(&self, of: impl Fn(u32, &Map<Part<T>>) -> Map<Part<U>>) -> Bag<U> {
        Bag {
            client: self.client.clone(),
            parts: (0..).zip(&self.parts).map(|(number, parts)| of(number, parts)).collect(),
            head: self.head.as_ref().map(|head| of(0, head)),
            positions: self.positions.clone(),
            missing: self.missing,
            skipped_before: self.skipped_before.clone(),
        }
    }

    /// A value for each piece, and those of all pieces brought together. `start` is neutral.
    #[track_caller]
    pub(super) fn each_piece<A, S>(
        &self,
        stage: fn(Part<T>, &S::Values) -> A,
        shared: S,
        start: A,
        merge: fn(A, A) -> A,
    ) -> Delayed<A>
    where
        A: Value + Clone,
        S: Args<Values: Send + Sync + 'static> + Clone,
    {
        let asked = asked();
        let folded = |parts| {
            let values = self.client.map_with(stage, parts, shared.clone()).label(&asked);
            values.fold(start.clone(), merge, merge).label(&asked)
        };
        self.together(self.parts.iter().map(folded), merge)
    }

    /// The results of the bags that were put together, as one.
    pub(super) fn together<A: Value + Clone>(
        &self,
        mut results: impl Iterator<Item = Delayed<A>>,
        merge: fn(A, A) -> A,
    ) -> Delayed<A> {
        let first = results.next().expect("a bag has at least one map");
        results.fold(first, |a, b| {
            let both = |(merge, a, b): (fn(A, A) -> A, A, A)| merge(a, b);
            self.client.delayed(both, (Function::new(merge), a, b))
        })
    }

    /// Folds pieces with functions that see shared values.
    #[track_caller]
    pub(super) fn folded<A, S>(
        &self,
        start: A,
        fold: fn(A, Part<T>, &S::Values) -> A,
        merge: fn(A, A, &S::Values) -> A,
        shared: &dyn Fn() -> S,
    ) -> Delayed<A>
    where
        A: Value + Clone,
        S: Args<Values: Send + Sync + 'static>,
    {
        let asked = asked();
        let folded =
            |parts: &Map<Part<T>>| parts.fold_with(start.clone(), fold, merge, shared()).label(&asked);
        let mut results = self.parts.iter().map(folded);
        let first = results.next().expect("a bag has at least one map");
        type Both<A, W> = (fn(A, A, &W) -> A, A, A, W);
        results.fold(first, |a, b| {
            let both = |(merge, a, b, shared): Both<A, S::Values>| merge(a, b, &shared);
            self.client.delayed(both, (Function::new(merge), a, b, Together(shared())))
        })
    }

    /// Applies a function to every value.
    #[track_caller]
    #[must_use]
    pub fn map<U: Value + Clone>(&self, function: fn(T) -> U) -> Bag<U> {
        let stage = |part: Part<T>, (function,): &(fn(T) -> U,)| part.map(function);
        self.stage(stage, (Function::new(function),))
    }

    /// As [`map`](Self::map), with values that are common to all.
    #[track_caller]
    #[must_use]
    pub fn map_with<U, W, A>(&self, function: fn(T, &W) -> U, shared: A) -> Bag<U>
    where
        U: Value + Clone,
        W: Send + Sync + 'static,
        A: Args<Values = W> + Clone,
    {
        let stage = |part: Part<T>, (function, shared): &(fn(T, &W) -> U, W)| {
            part.map(|value| function(value, shared))
        };
        self.stage(stage, (Function::new(function), Together(shared)))
    }

    /// Keeps the values for which `keep` is true.
    #[track_caller]
    #[must_use]
    pub fn filter(&self, keep: fn(&T) -> bool) -> Bag<T> {
        let stage = |part: Part<T>, (keep,): &(fn(&T) -> bool,)| part.retain(|value, _| keep(value));
        self.stage(stage, (Function::new(keep),))
    }

    /// As [`filter`](Self::filter), with values that are common to all.
    #[track_caller]
    #[must_use]
    pub fn filter_with<W, A>(&self, keep: fn(&T, &W) -> bool, shared: A) -> Bag<T>
    where
        W: Send + Sync + 'static,
        A: Args<Values = W> + Clone,
    {
        let stage = |part: Part<T>, (keep, shared): &(fn(&T, &W) -> bool, W)| {
            part.retain(|value, _| keep(value, shared))
        };
        self.stage(stage, (Function::new(keep), Together(shared)))
    }

    /// Applies a function to every value and keeps what is not `None`.
    #[track_caller]
    #[must_use]
    pub fn filter_map<U: Value + Clone>(&self, function: fn(T) -> Option<U>) -> Bag<U> {
        let stage = |part: Part<T>, (function,): &(fn(T) -> Option<U>,)| part.filter_map(function);
        self.stage(stage, (Function::new(function),))
    }

    /// Makes any number of values of every value, in their order. With the identity it flattens a bag of
    /// vectors.
    #[track_caller]
    #[must_use]
    pub fn flat_map<U, I>(&self, function: fn(T) -> I) -> Bag<U>
    where
        U: Value + Clone,
        I: IntoIterator<Item = U> + 'static,
    {
        let stage = |part: Part<T>, (function,): &(fn(T) -> I,)| part.flat_map(function);
        self.stage(stage, (Function::new(function),))
    }

    /// Applies a function to the values of each piece, a stretch of a file. How many there are in a piece
    /// depends on the settings of the input and on the filters before, never on ranks or threads.
    #[track_caller]
    #[must_use]
    pub fn map_partitions<U: Value + Clone>(&self, function: fn(Vec<T>) -> Vec<U>) -> Bag<U> {
        type Whole<T, U> = (fn(Vec<T>) -> Vec<U>,);
        let stage = |part: Part<T>, (function,): &Whole<T, U>| part.replace(function);
        self.stage(stage, (Function::new(function),))
    }

    /// The values of this bag, then those of the other one.
    #[track_caller]
    #[must_use]
    pub fn concat(&self, other: &Bag<T>) -> Bag<T> {
        let parts = self.parts.iter().chain(&other.parts).cloned().collect();
        let skipped_before = match (&self.skipped_before, &other.skipped_before) {
            (Some(a), Some(b)) => {
                Some(self.client.delayed(|(a, b): (u64, u64)| a + b, (a.clone(), b.clone())))
            }
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        let positions = self.positions.iter().chain(&other.positions).cloned().collect();
        Bag {
            client: self.client.clone(),
            parts,
            head: self.head.clone(),
            positions,
            missing: self.missing + other.missing,
            skipped_before,
        }
    }

    /// Each value with what a small table has for its key; values whose key the table lacks are left out.
    ///
    /// ```
    /// use serried::prelude::*;
    /// use std::collections::BTreeMap;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let names = client.broadcast(BTreeMap::from([(1, "one".to_owned()), (3, "three".to_owned())]))?;
    ///     let named = client.bag_range(0..5).join(|i| *i, &names).map(|(_, name)| name);
    ///     assert_eq!(named.collect().compute()?, ["one", "three"]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn join<K, V>(&self, key: fn(&T) -> K, table: &Delayed<BTreeMap<K, V>>) -> Bag<(T, V)>
    where
        K: Value + Ord,
        V: Value + Clone,
    {
        type Shared<T, K, V> = (fn(&T) -> K, Arc<BTreeMap<K, V>>);
        let stage = |part: Part<T>, (key, table): &Shared<T, K, V>| {
            let found = |value: T| table.get(&key(&value)).cloned().map(|found| (value, found));
            part.filter_map(found)
        };
        self.stage(stage, (Function::new(key), table))
    }

    /// Each value with each one of a small collection.
    #[track_caller]
    #[must_use]
    pub fn product<U: Value + Clone>(&self, other: &Delayed<Vec<U>>) -> Bag<(T, U)> {
        let stage = |part: Part<T>, (other,): &(Arc<Vec<U>>,)| {
            part.flat_map(|value| other.iter().map(move |with| (value.clone(), with.clone())))
        };
        self.stage(stage, (other,))
    }

    /// A random choice of the values: each is in it with the probability `fraction`, by the seed and by where it
    /// comes from.
    ///
    /// A value comes from a line or record at some place of a file, from a position in a vector, or is an integer
    /// of a range; and it may be one of several that were made of that. The choice depends on nothing else: it is
    /// the same for any number of ranks and threads, and for any block size, unless the values were made by
    /// [`map_partitions`](Self::map_partitions). Bags that are put together draw by themselves. A sample of a
    /// sample needs another seed; with the same one it takes everything.
    ///
    /// Of files of which no format tells how long their parts are when they are decoded (bzip2, `bgzip`, zstd of
    /// several frames) a sample takes decoding once more.
    ///
    /// # Panics
    /// If `fraction` is not a number from 0 to 1.
    #[track_caller]
    #[must_use]
    pub fn sample(&self, fraction: f64, seed: u64) -> Bag<T> {
        let choice = Choice::new(fraction, seed);
        let stage = |part: Part<T>, (choice, number, positions): &(Choice, u32, Arc<Vec<u64>>)| {
            let origin = part.origin(*number, positions);
            part.retain(|_, name| choice.takes(origin, name))
        };
        let asked = asked();
        self.stages(|number, parts| {
            let positions = self.positions_of(number);
            self.client.map_with(stage, parts, (choice, number, &positions)).label(&asked)
        })
    }

    /// Where the units of a part begin, for those for which their places do not say so.
    pub(super) fn positions_of(&self, part: u32) -> Delayed<Vec<u64>> {
        match &self.positions[part as usize] {
            Some(positions) => positions.clone(),
            None => self.client.delayed(|(): ()| Vec::new(), ()),
        }
    }

    /// The number of values.
    #[track_caller]
    #[must_use]
    pub fn count(&self) -> Delayed<u64> {
        self.each_piece(|part, ()| part.values.len() as u64, (), 0, |a, b| a + b)
    }

    /// How many lines, records or files of the input were left out because something was wrong with them.
    #[track_caller]
    #[must_use]
    pub fn skipped(&self) -> Delayed<u64> {
        let sum = |(skipped, others): (u64, u64)| skipped + others;
        let skipped = self.each_piece(|part, ()| part.skipped, (), 0, |a, b| a + b);
        let skipped = self.client.delayed(sum, (skipped, self.missing));
        match &self.skipped_before {
            Some(before) => self.client.delayed(sum, (skipped, before.clone())),
            None => skipped,
        }
    }

    /// Folds the values of each unit of the input into an accumulator that begins as `start`, then merges
    /// accumulators in a fixed order. `start` has to be neutral: merging it changes nothing.
    #[track_caller]
    #[must_use]
    pub fn fold<A: Value + Clone>(&self, start: A, fold: fn(A, T) -> A, merge: fn(A, A) -> A) -> Delayed<A> {
        type Functions<T, A> = (fn(A, T) -> A, fn(A, A) -> A);
        let add = |so_far, part: Part<T>, (fold, _): &Functions<T, A>| {
            owned(part.values).into_iter().fold(so_far, fold)
        };
        let join = |a, b, (_, merge): &Functions<T, A>| merge(a, b);
        self.folded(start, add, join, &|| (Function::new(fold), Function::new(merge)))
    }

    /// Merges all values into one, in a fixed order; `None` if there are none.
    #[track_caller]
    #[must_use]
    pub fn reduce(&self, merge: fn(T, T) -> T) -> Delayed<Option<T>> {
        type Merge<T> = (fn(T, T) -> T,);
        let add = |so_far: Option<T>, part: Part<T>, (merge,): &Merge<T>| {
            so_far.into_iter().chain(owned(part.values)).reduce(merge)
        };
        let join = |a: Option<T>, b: Option<T>, (merge,): &Merge<T>| a.into_iter().chain(b).reduce(merge);
        self.folded(None, add, join, &|| (Function::new(merge),))
    }

    /// Whether the function is true for at least one value.
    #[track_caller]
    #[must_use]
    pub fn any(&self, function: fn(&T) -> bool) -> Delayed<bool> {
        let stage = |part: Part<T>, (function,): &(fn(&T) -> bool,)| part.values.iter().any(function);
        self.each_piece(stage, (Function::new(function),), false, |a, b| a || b)
    }

    /// Whether the function is true for every value.
    #[track_caller]
    #[must_use]
    pub fn all(&self, function: fn(&T) -> bool) -> Delayed<bool> {
        let stage = |part: Part<T>, (function,): &(fn(&T) -> bool,)| part.values.iter().all(function);
        self.each_piece(stage, (Function::new(function),), true, |a, b| a && b)
    }

    /// All values, in order.
    #[track_caller]
    #[must_use]
    pub fn collect(&self) -> Delayed<Vec<T>> {
        let asked = asked();
        let of = |parts: &Map<Part<T>>| {
            // Names and places need not travel.
            let values = self.client.map(|part: Part<T>| owned(part.values), parts).label(&asked);
            let flat = |(parts,): (Vec<Vec<T>>,)| parts.into_iter().flatten().collect::<Vec<T>>();
            self.client.delayed(flat, (values.collect().label(&asked),)).label(&asked)
        };
        let append = |mut a: Vec<T>, b: Vec<T>| {
            a.extend(b);
            a
        };
        self.together(self.parts.iter().map(of), append)
    }

    /// The first `n` values, in order. Together with other results it costs next to nothing; by itself it goes
    /// through the whole input, and [`take`](Self::take) does not.
    #[track_caller]
    #[must_use]
    pub fn first(&self, n: usize) -> Delayed<Vec<T>> {
        let stage = |part: Part<T>, (n,): &(u64,)| {
            let wanted = part.values.len().min(usize::try_from(*n).unwrap_or(usize::MAX));
            First { most: *n, values: part.values[..wanted].to_vec() }
        };
        let most = n as u64;
        let first = self.each_piece(stage, (most,), First { most, values: Vec::new() }, First::then);
        self.client.delayed(|(first,): (First<T>,)| first.values, (first,))
    }

    /// The first `n` values, at once, reading little more of the input than has to be read for them; all of it if
    /// values were grouped, sorted or paired before.
    ///
    /// # Errors
    /// What goes wrong in what is read.
    pub fn take(&self, n: usize) -> Result<Vec<T>> {
        let mut taken = Vec::new();
        if let Some(head) = &self.head {
            taken = Bag { parts: vec![head.clone()], ..self.clone() }.first(n).compute()?;
            if taken.len() >= n {
                return Ok(taken);
            }
            taken.clear();
        }
        for parts in &self.parts {
            let mut units = if self.skipped_before.is_some() { parts.source_len() } else { 1 };
            loop {
                let head = Bag { parts: vec![parts.head(units)], ..self.clone() };
                let found = head.first(n - taken.len()).compute()?;
                if found.len() >= n - taken.len() || units >= parts.source_len() {
                    taken.extend(found);
                    break;
                }
                units = units.saturating_mul(8);
            }
            if taken.len() >= n {
                break;
            }
        }
        Ok(taken)
    }
}

impl<T: Value + Clone + Ord> Bag<T> {
    /// The least value; `None` if there is none.
    #[track_caller]
    #[must_use]
    pub fn min(&self) -> Delayed<Option<T>> {
        self.reduce(T::min)
    }

    /// The greatest value; `None` if there is none.
    #[track_caller]
    #[must_use]
    pub fn max(&self) -> Delayed<Option<T>> {
        self.reduce(T::max)
    }

    /// The `n` greatest values, the greatest first.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let remainders = client.bag_range(0..100).map(|i| i * 37 % 101);
    ///     assert_eq!(remainders.top(3).compute()?, [100, 99, 98]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn top(&self, n: usize) -> Delayed<Vec<T>> {
        let stage = |part: Part<T>, (n,): &(u64,)| Top::new(*n, owned(part.values));
        let start = Top { most: n as u64, values: Vec::new() };
        let top = self.each_piece(stage, (n as u64,), start, Top::merge);
        self.client.delayed(|(top,): (Top<T>,)| top.values, (top,))
    }
}

impl<T: Value + Clone + Hash + Ord> Bag<T> {
    /// How often each value occurs.
    #[track_caller]
    #[must_use]
    pub fn frequencies(&self) -> Delayed<Frequencies<T>> {
        let asked = asked();
        let count = |parts: &Map<Part<T>>| {
            let counts = parts.fold(
                Frequencies::default(),
                |mut counts, part: Part<T>| {
                    owned(part.values).into_iter().for_each(|value| counts.add(value));
                    counts
                },
                Frequencies::merge,
            );
            counts.label(&asked)
        };
        self.together(self.parts.iter().map(count), Frequencies::merge)
    }
}

/// Values at the beginning.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(bound(serialize = "T: serde::Serialize", deserialize = "T: serde::de::DeserializeOwned"))]
pub(super) struct First<T> {
    pub(super) most: u64,
    pub(super) values: Vec<T>,
}

impl<T> First<T> {
    pub(super) fn then(mut self, next: First<T>) -> First<T> {
        let wanted = usize::try_from(self.most).unwrap_or(usize::MAX) - self.values.len();
        self.values.extend(next.values.into_iter().take(wanted));
        self
    }
}

/// The greatest values, the greatest first.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(bound(serialize = "T: serde::Serialize", deserialize = "T: serde::de::DeserializeOwned"))]
struct Top<T> {
    most: u64,
    values: Vec<T>,
}

impl<T: Ord> Top<T> {
    fn new(most: u64, mut values: Vec<T>) -> Self {
        let keep = usize::try_from(most).unwrap_or(usize::MAX);
        if keep > 0 && keep < values.len() {
            values.select_nth_unstable_by(keep - 1, |a, b| b.cmp(a));
        }
        values.truncate(keep);
        values.sort_by(|a, b| b.cmp(a));
        Top { most, values }
    }

    fn merge(mut self, other: Self) -> Self {
        self.values.extend(other.values);
        Top::new(self.most, self.values)
    }
}
