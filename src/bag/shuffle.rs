//! What takes values from rank to rank: groups, different values, sorting, pairs.

use super::{
    bag::Bag,
    names::Names,
    part::{Part, asked, owned},
    text::Place,
};
use crate::client::{Buckets, Delayed, Function, List, Shuffled};
use crate::task::{Args, Share, ShareError};
use crate::wire::Value;
use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// A bucket has to fit into the memory of a thread, and there have to be enough of them for all threads.
const BUCKETS: u64 = 1024;
/// Values that are looked at to choose the borders between the buckets of a sorted bag.
const SAMPLE: usize = 1 << 14;

/// A hash of keys. The same key has the same one on every rank and in every build.
#[derive(Default)]
struct KeyHash {
    /// The bytes of a key, of which the library hashes all at once faster than one after the other.
    bytes: Vec<u8>,
}

impl KeyHash {
    /// The bucket of a key.
    fn bucket<K: Hash>(&mut self, key: &K) -> u64 {
        self.bytes.clear();
        key.hash(self);
        self.finish() % BUCKETS
    }
}

impl Hasher for KeyHash {
    fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&self.bytes)
    }
}

/// Values, each behind the number of its bucket.
type Keyed<T> = Vec<(u64, T)>;

/// What was made of a bucket, as a piece of a bag.
fn piece<T>(bucket: u64, values: Vec<T>) -> Part<T> {
    Part::new(values, Names::From(bucket << 32), Place { number: bucket, ..Place::default() }, 0)
}

impl<T: Value + Clone> Bag<T> {
    /// Takes the values to the buckets that `keyed` says, with shared values for each map by its number.
    fn shuffled<U, A>(
        &self,
        label: &str,
        keyed: fn(Part<T>, &A::Values) -> Keyed<U>,
        shared: impl Fn(u64) -> A,
    ) -> Shuffled<U>
    where
        U: Value + Clone,
        A: Args<Values: Send + Sync + 'static>,
    {
        let of = |(number, parts)| {
            let keyed = self.client.map_with(keyed, parts, shared(number)).label(label);
            keyed.shuffle(BUCKETS).label(label)
        };
        let maps = (0u64..).zip(&self.parts).map(of);
        let join = |a: Shuffled<U>, b| a.concat(&b).expect("all have the same buckets");
        maps.reduce(join).expect("a bag has at least one map")
    }

    /// The bag of what is made of each bucket.
    fn of_buckets<U, A>(
        &self,
        label: &str,
        make: fn(u64, &A::Values) -> Result<Part<U>, ShareError>,
        buckets: Buckets,
        shared: A,
    ) -> Bag<U>
    where
        U: Value + Clone,
        A: Args<Values: Send + Sync + 'static>,
    {
        let parts = self.client.try_map_with(make, buckets, shared).batch(1).label(label);
        Bag { skipped_before: Some(self.skipped()), ..Bag::of(&self.client, parts) }
    }

    /// The values of each key, in their order.
    ///
    /// Values travel to the rank that has their key, so that no rank needs to hold all of them; what does not
    /// fit into memory goes to a disk of the node ([`Builder::spill_above`](crate::Builder::spill_above)). The
    /// values of one key, and about a thousandth of all, have to fit into the memory of a thread. Groups come in
    /// an order that is the same for every run, ranks and threads, but has no meaning.
    ///
    /// Where groups are to become sums or counts, [`fold_by`](Self::fold_by) moves much less.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let groups = client.bag_range(0..1000).group_by(|i| i % 7);
    ///     let largest = groups.map(|(key, values)| (values.len(), key)).max();
    ///     assert_eq!(largest.compute()?, Some((143, 5)));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn group_by<K>(&self, key: fn(&T) -> K) -> Bag<(K, Vec<T>)>
    where
        K: Value + Clone + Hash + Ord,
    {
        type Key<T, K> = (fn(&T) -> K,);
        let keyed = |part: Part<T>, (key,): &Key<T, K>| -> Keyed<T> {
            let mut hash = KeyHash::default();
            owned(part.values).into_iter().map(|value| (hash.bucket(&key(&value)), value)).collect()
        };
        let grouped = |bucket: u64, (share, key): &(Share<T>, fn(&T) -> K)| {
            let mut groups: HashMap<K, Vec<T>> = HashMap::new();
            for value in share.read(bucket)? {
                groups.entry(key(&value)).or_default().push(value);
            }
            let mut groups: Vec<(K, Vec<T>)> = groups.into_iter().collect();
            groups.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
            Ok::<_, ShareError>(piece(bucket, groups))
        };
        let shuffled = self.shuffled(&asked(), keyed, |_| (Function::new(key),));
        self.of_buckets(&asked(), grouped, shuffled.buckets(), (&shuffled, Function::new(key)))
    }

    /// All values, sorted by a key; values with equal keys stay in their order.
    ///
    /// A sample of the keys, which costs a pass over the input, says where values travel to; each of about a
    /// thousand ranges of keys, and all values of one key, have to fit into the memory of a thread.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let sorted = client.bag_range(0..1000).sort_by_key(|i| i * 37 % 1000);
    ///     assert_eq!(sorted.take(3)?, [0, 973, 946]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn sort_by_key<K: Value + Clone + Ord>(&self, key: fn(&T) -> K) -> Bag<T> {
        let borders = self.borders(key);
        type Shared<T, K> = (fn(&T) -> K, Arc<Vec<K>>);
        let keyed = |part: Part<T>, (key, borders): &Shared<T, K>| -> Keyed<T> {
            let bucket = |value: &T| {
                let key = key(value);
                borders.partition_point(|border| *border <= key) as u64
            };
            owned(part.values).into_iter().map(|value| (bucket(&value), value)).collect()
        };
        let sorted = |bucket: u64, (share, key): &(Share<T>, fn(&T) -> K)| {
            let mut values = share.read(bucket)?;
            values.sort_by_cached_key(key);
            Ok::<_, ShareError>(piece(bucket, values))
        };
        let shuffled = self.shuffled(&asked(), keyed, |_| (Function::new(key), &borders));
        self.of_buckets(&asked(), sorted, shuffled.buckets(), (&shuffled, Function::new(key)))
    }

    /// Keys that divide the values into buckets of about the same length, by a random sample.
    #[track_caller]
    fn borders<K: Value + Clone + Ord>(&self, key: fn(&T) -> K) -> Delayed<Vec<K>> {
        type Shared<T, K> = (fn(&T) -> K, u32, Arc<Vec<u64>>);
        let choose = |part: Part<T>, (key, number, positions): &Shared<T, K>| {
            let origin = part.origin(*number, positions);
            let mut sample = Sample::default();
            for (index, value) in part.values.iter().enumerate() {
                let priority = origin.draw(part.name(index), 0);
                if priority < sample.limit {
                    sample.add(priority, key(value));
                }
            }
            sample
        };
        let join = |mut a: Sample<K>, b: Sample<K>| {
            b.chosen.into_iter().for_each(|(priority, key)| a.add(priority, key));
            a
        };
        let asked = asked();
        let samples = (0u32..).zip(&self.parts).map(|(number, parts)| {
            let positions = self.positions_of(number);
            let shared = (Function::new(key), number, &positions);
            let chosen = self.client.map_with(choose, parts, shared).label(&asked);
            chosen.fold(Sample::default(), join, join).label(&asked)
        });
        let sample = self.together(samples, join);
        self.client.delayed(|(sample,): (Sample<K>,)| sample.borders(), (sample,)).label(&asked)
    }

    /// The first value of this bag with the first of the other, the second with the second, and so on; the bag
    /// is as long as the shorter of the two.
    ///
    /// Which value is the how-manieth is found out by a pass over both, before values travel to each other.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// serried::run(|client| {
    ///     let even = client.bag_range(0..1000).filter(|i| i % 2 == 0);
    ///     let squares = client.bag_range(0..100).map(|i| i * i);
    ///     assert_eq!(even.zip(&squares).collect().compute()?[7], (14, 49));
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn zip<U: Value + Clone>(&self, other: &Bag<U>) -> Bag<(T, U)> {
        let (mine, others) = (self.starts(), other.starts());
        let length = |(mine, others): (Arc<Starts>, Arc<Starts>)| mine.length.min(others.length);
        let length = self.client.delayed(length, (&mine, &others));
        let (left, right) = (self.by_position(&mine, &length), other.by_position(&others, &length));
        let zipped = |bucket: u64, (left, right): &(Share<T>, Share<U>)| {
            let pairs = left.read(bucket)?.into_iter().zip(right.read(bucket)?).collect();
            Ok::<_, ShareError>(piece(bucket, pairs))
        };
        let zipped = self.of_buckets(&asked(), zipped, left.buckets(), (&left, &right));
        let skipped = self.client.delayed(|(a, b): (u64, u64)| a + b, (self.skipped(), other.skipped()));
        Bag { skipped_before: Some(skipped), ..zipped }
    }

    /// How many values stand before each piece.
    #[track_caller]
    fn starts(&self) -> Delayed<Starts> {
        let asked = asked();
        let count = |part: Part<T>| (part.place.number, part.place.piece, part.values.len() as u64);
        let counts: List<Vec<(u64, u64, u64)>> =
            self.parts.iter().map(|parts| self.client.map(count, parts).label(&asked).collect()).collect();
        self.client.delayed(|(counts,)| Starts::of(counts), (counts,)).label(&asked)
    }

    /// Values in buckets by their positions, those below `length`.
    #[track_caller]
    fn by_position(&self, starts: &Delayed<Starts>, length: &Delayed<u64>) -> Shuffled<T> {
        let placed = |part: Part<T>, (map, starts, length): &(u64, Arc<Starts>, Arc<u64>)| -> Keyed<T> {
            let start = starts.starts[*map as usize][&(part.place.number, part.place.piece)];
            let wanted = length.saturating_sub(start);
            let bucket =
                |position: u64| (u128::from(position) * u128::from(BUCKETS) / u128::from(**length)) as u64;
            let values = (start..start + wanted).zip(owned(part.values));
            values.map(|(position, value)| (bucket(position), value)).collect()
        };
        self.shuffled(&asked(), placed, |number| (number, starts, length))
    }
}

impl<T: Value + Clone + Hash + Ord> Bag<T> {
    /// The different values, in an order that is the same for every run, ranks and threads, but has no meaning.
    ///
    /// A value travels once from each piece of the input that has it. To know how often each occurs, ask for
    /// [`frequencies`](Self::frequencies).
    #[track_caller]
    #[must_use]
    pub fn distinct(&self) -> Bag<T> {
        let keyed = |part: Part<T>, (): &()| -> Keyed<T> {
            // Of values that are equal and can be told apart all the same, the first stands for all.
            let mut seen = HashSet::new();
            let new = |value: &T| !seen.contains(value) && seen.insert(value.clone());
            let mut hash = KeyHash::default();
            owned(part.values).into_iter().filter(new).map(|value| (hash.bucket(&value), value)).collect()
        };
        let different = |bucket: u64, (share,): &(Share<T>,)| {
            let mut values = share.read(bucket)?;
            values.sort();
            values.dedup();
            Ok::<_, ShareError>(piece(bucket, values))
        };
        let shuffled = self.shuffled(&asked(), keyed, |_| ());
        self.of_buckets(&asked(), different, shuffled.buckets(), (&shuffled,))
    }
}

/// Keys chosen at random: those with the least of as many random numbers as there are values.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(serialize = "K: Serialize", deserialize = "K: serde::de::DeserializeOwned"))]
struct Sample<K> {
    /// A key with this number or a higher one is not among them.
    limit: u64,
    chosen: Vec<(u64, K)>,
}

impl<K> Default for Sample<K> {
    fn default() -> Self {
        Sample { limit: u64::MAX, chosen: Vec::new() }
    }
}

impl<K: Clone + Ord> Sample<K> {
    fn add(&mut self, priority: u64, key: K) {
        if priority >= self.limit {
            return;
        }
        self.chosen.push((priority, key));
        if self.chosen.len() >= 2 * SAMPLE {
            self.chosen.select_nth_unstable(SAMPLE);
            self.limit = self.chosen[SAMPLE].0;
            self.chosen.truncate(SAMPLE);
        }
    }

    fn borders(mut self) -> Vec<K> {
        self.chosen.sort_unstable();
        self.chosen.truncate(SAMPLE);
        let mut keys: Vec<K> = self.chosen.into_iter().map(|(_, key)| key).collect();
        keys.sort_unstable();
        let buckets = BUCKETS as usize;
        let mut borders: Vec<K> =
            (1..buckets).filter_map(|border| keys.get(border * keys.len() / buckets).cloned()).collect();
        borders.dedup();
        borders
    }
}

/// How many values of a bag stand before each of its pieces.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Starts {
    /// By map, then by the number of the unit and that of the piece in it.
    starts: Vec<BTreeMap<(u64, u64), u64>>,
    length: u64,
}

impl Starts {
    fn of(counts: Vec<Vec<(u64, u64, u64)>>) -> Self {
        let mut length = 0;
        let starts = counts.into_iter().map(|of_map| {
            let start = |(number, piece, count)| {
                let start = length;
                length += count;
                ((number, piece), start)
            };
            of_map.into_iter().map(start).collect()
        });
        let starts = starts.collect();
        Starts { starts, length }
    }
}
