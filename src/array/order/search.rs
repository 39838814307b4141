//! Which keys have given ranks among all keys, without bringing them together.
//!
//! A round counts, for intervals of keys that hold the wanted ranks, how many keys lie in each of some
//! thousand equal parts of an interval; the counts of all chunks are added up, and the next round looks at the
//! parts that the ranks are in. Once an interval holds few keys, the round brings these instead. The first
//! intervals are guessed from a sample, so narrow that nearly all keys need be looked at once only. A wrong
//! guess costs rounds, and nothing else: the counts tell on which side of it the rank is.

use super::super::expression::TILE;
use serde::{Deserialize, Serialize};

/// Keys of an interval that are brought together rather than counted.
const FEW: u64 = 1 << 14;

/// Where the search is: what is known after some rounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Search {
    /// The wanted ranks, from 0, ascending, and the keys found.
    wanted: Vec<(u64, Option<u64>)>,
    /// Where the others are; ascending, without overlap.
    intervals: Vec<Interval>,
    /// Whether these lie within the intervals of the round before.
    narrower: bool,
    /// An interval is cut into up to 2^bits parts.
    bits: u32,
    /// The largest of possible keys.
    largest: u64,
    /// Elements that are NaN.
    nans: u64,
}

/// Keys from `low` to `high`, both included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Interval {
    low: u64,
    high: u64,
    /// The keys below it, if that is known.
    before: Option<u64>,
    /// Whether its keys are few enough to be brought together.
    few: bool,
}

/// What a round has seen of some chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    nans: u64,
    /// Keys before each interval, and after the interval in front of it; and after all.
    gaps: Vec<u64>,
    insides: Vec<Inside>,
}

/// The keys in an interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Inside {
    /// How many there are in each part.
    Counts(Vec<u64>),
    Keys(Vec<u64>),
}

impl Search {
    /// The search for `ranks`, ascending, among `count` keys of up to `largest`.
    pub(super) fn new(ranks: &[u64], count: u64, largest: u64) -> Self {
        // So many intervals as ranks share the memory of one.
        let shared = usize::BITS - ranks.len().leading_zeros();
        let whole = Interval { low: 0, high: largest, before: Some(0), few: count <= FEW };
        Search {
            wanted: ranks.iter().map(|&rank| (rank, None)).collect(),
            intervals: vec![whole],
            narrower: false,
            bits: 15u32.saturating_sub(shared).clamp(6, 13),
            largest,
            nans: 0,
        }
    }

    /// The rounds after which all ranks are found, whatever the keys are: one for a guess, if there is a need
    /// for one, and those that an interval of all keys takes.
    pub(super) fn rounds(&self) -> u32 {
        let whole = u64::BITS - self.largest.leading_zeros();
        if self.wants_guess() { 1 + whole.div_ceil(self.bits) } else { 1 }
    }

    /// Whether it is worth while to guess.
    pub(super) fn wants_guess(&self) -> bool {
        self.intervals.iter().any(|interval| !interval.few)
    }

    /// The search with intervals that hold the ranks probably: `sample` is one of the `count` keys, in order,
    /// and `margin` how many of its elements a rank may be away from where it is in the sample.
    pub(super) fn guess(mut self, sample: &[u64], count: u64, margin: f64) -> Self {
        self.intervals.clear();
        let mut reached = 0;
        for &(rank, _) in &self.wanted {
            let place = rank as f64 / count as f64 * sample.len() as f64;
            let (first, last) = (place - margin, (place + margin) as usize);
            let low = if first < 0.0 { 0 } else { sample.get(first as usize).copied().unwrap_or(0) };
            let high = sample.get(last).copied().unwrap_or(self.largest);
            let is_near = last - reached < margin as usize / 2;
            reached = last;
            let low = match self.intervals.last_mut() {
                Some(interval) if high <= interval.high => continue,
                Some(interval) if low <= interval.high && is_near => {
                    interval.high = high;
                    continue;
                }
                // One interval for all would be cut into parts that are too coarse for ranks side by side.
                Some(interval) => low.max(interval.high.saturating_add(1)),
                None => low,
            };
            self.intervals.push(Interval { low, high, before: None, few: false });
        }
        self
    }

    /// Whether all ranks are found.
    pub(super) fn is_over(&self) -> bool {
        self.intervals.is_empty()
    }

    /// Whether the keys that the round before has kept are all that this one needs.
    pub(super) fn is_narrower(&self) -> bool {
        self.narrower
    }

    /// The keys of the ranks; that of NaN for all of them, if there is a NaN.
    pub(super) fn found(&self) -> Vec<u64> {
        let nan = (self.nans > 0).then_some(self.largest);
        self.wanted.iter().map(|(_, key)| nan.or(*key).unwrap_or(self.largest)).collect()
    }

    /// What is known after a round.
    pub(super) fn after(&self, tally: Tally) -> Self {
        let mut next = Search { intervals: Vec::new(), narrower: true, nans: tally.nans, ..self.clone() };
        if tally.nans > 0 {
            return next;
        }
        let mut insides = tally.insides;
        insides.iter_mut().for_each(Inside::sort);
        for (rank, found) in next.wanted.iter_mut().filter(|(_, found)| found.is_none()) {
            match self.locate(*rank, &tally.gaps, &insides) {
                Place::Found(key) => *found = Some(key),
                Place::Within(interval, narrower) => {
                    next.narrower &= narrower;
                    if next.intervals.last() != Some(&interval) {
                        next.intervals.push(interval);
                    }
                }
            }
        }
        next
    }

    /// Where a rank is, as far as a round tells.
    fn locate(&self, rank: u64, gaps: &[u64], insides: &[Inside]) -> Place {
        let mut before = 0;
        let mut low = 0;
        for (at, (interval, inside)) in self.intervals.iter().zip(insides).enumerate() {
            let start = interval.before.unwrap_or(before + gaps[at]);
            if rank < start {
                let gap = Interval {
                    low,
                    high: interval.low - 1,
                    before: Some(before),
                    few: start - before <= FEW,
                };
                return Place::Within(gap, false);
            }
            match inside.locate(rank - start, interval, self.bits) {
                Ok(place) => return place.after(start),
                Err(count) => before = start + count,
            }
            low = interval.high.saturating_add(1);
        }
        let few = gaps.last().is_some_and(|&count| count <= FEW);
        Place::Within(Interval { low, high: self.largest, before: Some(before), few }, false)
    }

    /// Room for what a round sees.
    pub(super) fn tally(&self) -> Tally {
        let inside = |interval: &Interval| match interval.few {
            true => Inside::Keys(Vec::new()),
            false => {
                let parts = ((interval.high - interval.low) >> interval.shift(self.bits)) + 1;
                Inside::Counts(vec![0; parts as usize])
            }
        };
        Tally {
            nans: 0,
            gaps: vec![0; self.intervals.len() + 1],
            insides: self.intervals.iter().map(inside).collect(),
        }
    }

    /// What sifts keys in this round.
    pub(super) fn sieve(&self) -> Sieve<'_> {
        let mut highs: Vec<u64> = self.intervals.iter().map(|interval| interval.high).collect();
        highs.resize((self.intervals.len() + 1).next_power_of_two(), u64::MAX);
        let shifts = self.intervals.iter().map(|interval| interval.shift(self.bits)).collect();
        Sieve { intervals: &self.intervals, highs, shifts }
    }
}

/// The intervals of a round, so that where a key belongs is found quickly.
#[derive(Debug)]
pub(super) struct Sieve<'a> {
    intervals: &'a [Interval],
    /// Their ends, and as many others as make a power of two.
    highs: Vec<u64>,
    shifts: Vec<u32>,
}

impl Sieve<'_> {
    /// Counts keys, at most a tile of them, and appends those in intervals to `kept`.
    pub(super) fn sift(
        &self,
        keys: impl ExactSizeIterator<Item = u64>,
        tally: &mut Tally,
        kept: &mut Vec<u64>,
    ) {
        let (length, total) = (kept.len(), keys.len());
        kept.resize(length + total, 0);
        let room = &mut kept[length..];
        let mut count = 0;
        if let [interval] = self.intervals {
            let width = interval.high - interval.low;
            let mut below = 0;
            // Without a branch: each key is written, and stays if it is inside.
            for key in keys {
                room[count] = key;
                count += usize::from(key.wrapping_sub(interval.low) <= width);
                below += u64::from(key < interval.low);
            }
            tally.gaps[0] += below;
            tally.gaps[1] += (total - count) as u64 - below;
            self.count(0, room[..count].iter().copied(), tally);
        } else {
            room.iter_mut().zip(keys).for_each(|(room, key)| *room = key);
            let mut places = [0; TILE];
            self.find(room, &mut places[..total]);
            for (from, &at) in places[..total].iter().enumerate() {
                let key = room[from];
                if self.intervals.get(at).is_some_and(|interval| interval.low <= key) {
                    room[count] = key;
                    count += 1;
                    self.count(at, std::iter::once(key), tally);
                } else {
                    tally.gaps[at] += 1;
                }
            }
        }
        kept.truncate(length + count);
    }

    /// The same of elements in order. Calls `keep` with those whose keys lie in an interval.
    pub(super) fn sift_sorted<T>(
        &self,
        mut elements: &[T],
        key: impl Fn(&T) -> u64 + Copy,
        tally: &mut Tally,
        mut keep: impl FnMut(&[T]),
    ) {
        for (at, interval) in self.intervals.iter().enumerate() {
            let below = elements.partition_point(|element| key(element) < interval.low);
            let within = elements[below..].partition_point(|element| key(element) <= interval.high);
            let inside = &elements[below..below + within];
            tally.gaps[at] += below as u64;
            self.count(at, inside.iter().map(key), tally);
            keep(inside);
            elements = &elements[below + within..];
        }
        tally.gaps[self.intervals.len()] += elements.len() as u64;
    }

    /// For each key the number of intervals that end before it. All keys take a step of the search before the
    /// next one: they do not wait for each other.
    fn find(&self, keys: &[u64], places: &mut [usize]) {
        let mut half = self.highs.len() / 2;
        while half > 0 {
            for (place, &key) in places.iter_mut().zip(keys) {
                let beyond = *place + half;
                *place = std::hint::select_unpredictable(self.highs[beyond - 1] < key, beyond, *place);
            }
            half /= 2;
        }
    }

    /// Counts keys that lie in an interval.
    #[inline(always)]
    fn count(&self, at: usize, keys: impl Iterator<Item = u64>, tally: &mut Tally) {
        let (low, shift) = (self.intervals[at].low, self.shifts[at]);
        match &mut tally.insides[at] {
            Inside::Keys(inside) => inside.extend(keys),
            Inside::Counts(counts) => keys.for_each(|key| counts[((key - low) >> shift) as usize] += 1),
        }
    }
}

/// Where a rank is.
enum Place {
    Found(u64),
    /// And whether within an interval of the round.
    Within(Interval, bool),
}

impl Place {
    /// The same with `more` keys before it.
    fn after(mut self, more: u64) -> Self {
        if let Place::Within(Interval { before: Some(before), .. }, _) = &mut self {
            *before += more;
        }
        self
    }
}

impl Interval {
    /// A part has 2^shift keys.
    fn shift(&self, bits: u32) -> u32 {
        (u64::BITS - (self.high - self.low).leading_zeros()).saturating_sub(bits)
    }
}

impl Inside {
    fn sort(&mut self) {
        if let Inside::Keys(keys) = self {
            keys.sort_unstable();
        }
    }

    /// Where the key of a rank within an interval is, or how many keys the interval has.
    fn locate(&self, rank: u64, interval: &Interval, bits: u32) -> Result<Place, u64> {
        match self {
            Inside::Keys(keys) => {
                keys.get(rank as usize).map(|&key| Place::Found(key)).ok_or(keys.len() as u64)
            }
            Inside::Counts(counts) => {
                let shift = interval.shift(bits);
                let mut before = 0;
                for (part, &count) in counts.iter().enumerate() {
                    if rank < before + count {
                        let low = interval.low + ((part as u64) << shift);
                        let high = interval.high.min(low.saturating_add((1 << shift) - 1));
                        if low == high {
                            return Ok(Place::Found(low));
                        }
                        let part = Interval { low, high, before: Some(before), few: count <= FEW };
                        return Ok(Place::Within(part, true));
                    }
                    before += count;
                }
                Err(before)
            }
        }
    }
}

impl Tally {
    /// Counts elements that are NaN.
    pub(super) fn add_nans(&mut self, nans: u64) {
        self.nans += nans;
    }

    /// What a round has seen of more chunks.
    pub(super) fn add(&mut self, other: &Self) {
        self.nans += other.nans;
        self.gaps.iter_mut().zip(&other.gaps).for_each(|(sum, gap)| *sum += gap);
        for (inside, other) in self.insides.iter_mut().zip(&other.insides) {
            match (inside, other) {
                (Inside::Counts(sums), Inside::Counts(counts)) => {
                    sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
                }
                (Inside::Keys(keys), Inside::Keys(others)) => keys.extend(others),
                // Of one search, an interval is of one kind in all chunks.
                _ => unreachable!("the tallies of two rounds"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Finds keys of ranks among those of chunks.
    fn found(mut search: Search, chunks: &[Vec<u64>]) -> (Search, u32) {
        let mut rounds = 0;
        let mut kept: Vec<Vec<u64>> = Vec::new();
        while !search.is_over() {
            let sources = if search.is_narrower() { kept } else { chunks.to_vec() };
            let mut sum = search.tally();
            kept = sources
                .iter()
                .map(|chunk| {
                    let (mut tally, mut kept) = (search.tally(), Vec::new());
                    for tile in chunk.chunks(TILE) {
                        search.sieve().sift(tile.iter().copied(), &mut tally, &mut kept);
                    }
                    let mut sorted = chunk.clone();
                    sorted.sort_unstable();
                    let (mut same, mut kept_sorted) = (search.tally(), Vec::new());
                    let keep = |keys: &[u64]| kept_sorted.extend_from_slice(keys);
                    search.sieve().sift_sorted(&sorted, |&key| key, &mut same, keep);
                    assert_eq!(in_order(&same), in_order(&tally));
                    assert_eq!(kept_sorted.len(), kept.len());
                    sum.add(&tally);
                    kept
                })
                .collect();
            search = search.after(sum);
            rounds += 1;
        }
        (search, rounds)
    }

    fn in_order(tally: &Tally) -> Tally {
        let mut tally = tally.clone();
        tally.insides.iter_mut().for_each(Inside::sort);
        tally
    }

    fn check(chunks: &[Vec<u64>], ranks: &[u64], sample: Option<&[u64]>) {
        let mut keys = chunks.concat();
        keys.sort_unstable();
        let search = Search::new(ranks, keys.len() as u64, u64::MAX);
        let most = search.rounds();
        let search = match sample {
            Some(sample) => search.guess(sample, keys.len() as u64, (18.0 * sample.len() as f64).sqrt()),
            None => search,
        };
        let (search, rounds) = found(search, chunks);
        assert!(rounds <= most, "{rounds} rounds, {most} promised");
        let expected: Vec<u64> = ranks.iter().map(|&rank| keys[rank as usize]).collect();
        assert_eq!(search.found(), expected);
    }

    /// Many keys that crowd in some places.
    fn crowded(count: usize, seed: u64) -> Vec<u64> {
        use crate::random::{Seed, Stream};
        let mut stream = Stream::new(&Seed::from(seed), &[]);
        let places: Vec<u64> = (0..5).map(|_| stream.next_u64()).collect();
        let mut key = || {
            places[stream.integers(0, 5) as usize].wrapping_add(stream.next_u64() >> stream.integers(1, 64))
        };
        (0..count).map(|_| key()).collect()
    }

    #[test]
    fn few_keys_take_one_round() {
        check(&[vec![5, 3], vec![], vec![9, 3, 1]], &[0, 1, 2, 4], None);
    }

    #[test]
    fn many_keys_are_found_with_any_guess() {
        for seed in 0..5 {
            let keys = crowded(100_000, seed);
            let chunks: Vec<Vec<u64>> = keys.chunks(30_000).map(<[u64]>::to_vec).collect();
            let ranks: Vec<u64> = vec![0, 1, 49_999, 50_000, 99_999];
            check(&chunks, &ranks, None);
            let mut sample: Vec<u64> = keys.iter().copied().step_by(50).collect();
            sample.sort_unstable();
            check(&chunks, &ranks, Some(&sample));
            check(&chunks, &[50_000], Some(&sample));
            let every: Vec<u64> = (0..1000).map(|rank| rank * 100).collect();
            check(&chunks, &every, Some(&sample));
            // Guesses that are wrong altogether.
            check(&chunks, &ranks, Some(&vec![7; 2000]));
            check(&chunks, &ranks, Some(&vec![u64::MAX; 2000]));
            check(&chunks, &[50_000], Some(&(0..2000).collect::<Vec<u64>>()));
        }
    }

    #[test]
    fn an_interval_that_ends_with_the_largest_key_is_cut_to_its_end() {
        let keys: Vec<u64> = (0..40_000u64).map(|key| u64::MAX - key * 3).collect();
        // The first interval begins at 7, and its parts do not fit up to the end.
        check(&[keys], &[0, 20_000, 39_999], Some(&[7; 100]));
    }

    #[test]
    fn equal_keys_need_not_be_brought_together() {
        let mut keys = vec![1 << 40; 100_000];
        keys.extend([0, u64::MAX]);
        check(&[keys.clone()], &[0, 1, 50_000, 100_001], None);
        check(&[keys], &[50_000], Some(&[1 << 40; 100]));
    }

    proptest! {
        #[test]
        fn any_keys_are_found(
            chunks in prop::collection::vec(prop::collection::vec(0..2000u64, 0..50), 1..5),
            at in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        ) {
            let count = chunks.concat().len();
            prop_assume!(count > 0);
            let mut ranks: Vec<u64> = at.iter().map(|at| at.index(count) as u64).collect();
            ranks.sort_unstable();
            ranks.dedup();
            check(&chunks, &ranks, None);
        }
    }
}
