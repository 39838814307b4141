//! The rounds of a search as tasks on the chunks of an array.

use super::super::compile::{Fusion, Work};
use super::super::expression::{Evaluation, Fault, Inputs, Kernel, Program, TILE};
use super::super::node::Node;
use super::super::traits::Number;
use super::search::{Search, Tally};
use super::{Nan, tree};
use crate::random::Elements as Streams;
use crate::{Block, Delayed, List};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Elements of a sample, over all chunks, and how many of them lie side by side.
const SAMPLE: usize = 1 << 16;
const CLUSTER: usize = 4;

/// Keys of a chunk that are kept however small it is.
const FEW: usize = 1 << 14;

/// What is known of the elements of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Elements {
    AreAnyhow,
    /// In order, in an array of one axis that has tasks of its own.
    AreSorted,
}

/// What a round makes of a chunk.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sifted {
    tally: Tally,
    /// The keys in the intervals of the round, unless they are a large part of the chunk.
    kept: Option<Vec<u64>>,
}

/// The keys of `ranks`, ascending, among the elements of an array; that of NaN for all, if there is a NaN.
pub(super) fn keys_of_ranks<T: Number>(
    input: &Arc<Node>,
    ranks: &[u64],
    nan: Nan,
    elements: Elements,
    name: &'static str,
) -> Delayed<Vec<u64>> {
    let client = &input.client;
    let count = input.layout.elements();
    let search = Search::new(ranks, count as u64, T::LARGEST);
    let rounds = search.rounds();
    let fusion = Fusion::reading(input);
    let work = || input.layout.chunks().map(|chunk| fusion.work(&chunk));
    let mut search = if search.wants_guess() {
        let samples: List<Vec<u64>> = work()
            .map(|Work { program, functions, streams, blocks }| {
                let share = SAMPLE as f64 / count as f64;
                let arguments = (share, elements, program, functions, streams, &blocks);
                client.try_delayed(sample::<T>, arguments).label(name)
            })
            .collect();
        client.delayed(guess, (search, count as u64, elements, &samples)).label(name)
    } else {
        client.delayed(|(search,): (Search,)| search, (search,)).label(name)
    };
    let mut before: Vec<Delayed<Sifted>> = Vec::new();
    for _ in 0..rounds {
        let sifted: Vec<Delayed<Sifted>> = work()
            .enumerate()
            .map(|(at, Work { program, functions, streams, blocks })| {
                let before: List<Sifted> = before.get(at).into_iter().collect();
                let arguments = (&search, &before, nan, elements, program, functions, streams, &blocks);
                client.try_delayed(sift::<T>, arguments).label(name)
            })
            .collect();
        let tallies = sifted.iter().map(|sifted| {
            client.delayed(|(sifted,): (Arc<Sifted>,)| sifted.tally.clone(), (sifted,)).label(name)
        });
        let tally = tree(client, name, tallies.collect(), Tally::add);
        search =
            client.delayed(|(search, tally): (Arc<Search>, Tally)| search.after(tally), (&search, tally));
        search = search.label(name);
        before = sifted;
    }
    client.delayed(|(search,): (Arc<Search>,)| search.found(), (&search,)).label(name)
}

type Sampled = (f64, Elements, Program, Vec<Kernel>, Vec<Streams>, Vec<Arc<Block>>);

/// Keys of a part `share` of the elements of a chunk, in clusters: each somewhere in its equal part of the
/// chunk, so that elements that repeat themselves do not repeat in the sample.
fn sample<T: Number>(
    (share, elements, program, kernels, streams, blocks): Sampled,
) -> Result<Vec<u64>, Fault> {
    let total: usize = program.shape.iter().product();
    if elements == Elements::AreSorted {
        let step = ((1.0 / share) as usize).max(1);
        return Ok(sorted::<T>(&blocks)
            .iter()
            .skip(step / 2)
            .step_by(step)
            .map(|value| value.key())
            .collect());
    }
    let clusters = ((total as f64 * share).ceil() as usize).div_ceil(CLUSTER).min(total);
    let inputs = Inputs { program, kernels, streams, blocks };
    let mut evaluation = Evaluation::new(&inputs);
    let mut keys = Vec::with_capacity(clusters * CLUSTER);
    for cluster in 0..clusters {
        let bounds = [cluster, cluster + 1]
            .map(|cluster| (cluster as u128 * total as u128 / clusters as u128) as usize);
        // Multiples of the golden ratio are spread evenly.
        let scattered = (cluster as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let room = bounds[1] - bounds[0];
        let start = bounds[0] + ((u128::from(scattered) * room as u128) >> 64) as usize;
        let values = evaluation.tile::<T>(start, CLUSTER.min(total - start))?;
        keys.extend(values.iter().map(|value| value.key()));
    }
    Ok(keys)
}

fn sorted<T: Number>(blocks: &[Arc<Block>]) -> &[T] {
    blocks.first().map_or(&[], |block| block.as_slice())
}

fn guess((search, count, elements, samples): (Search, u64, Elements, Vec<Arc<Vec<u64>>>)) -> Search {
    let mut sample: Vec<u64> = samples.iter().flat_map(|sample| sample.iter().copied()).collect();
    sample.sort_unstable();
    // Six standard deviations of a rank in a sample, of which half of the elements tell nothing new.
    let by_chance = (6.0 * (0.5 * sample.len() as f64).sqrt()).ceil();
    let margin = match elements {
        Elements::AreAnyhow => by_chance,
        // Of each chunk it is known to an element of the sample.
        Elements::AreSorted => by_chance.min(2.0 * (samples.len() + 1) as f64),
    };
    search.guess(&sample, count, margin)
}

type Round =
    (Arc<Search>, Vec<Arc<Sifted>>, Nan, Elements, Program, Vec<Kernel>, Vec<Streams>, Vec<Arc<Block>>);

/// One round on one chunk: on the keys that the round before has kept, if they are all that matters.
fn sift<T: Number>(
    (search, before, nan, elements, program, kernels, streams, blocks): Round,
) -> Result<Sifted, Fault> {
    let mut tally = search.tally();
    if search.is_over() {
        return Ok(Sifted { tally, kept: None });
    }
    let sieve = search.sieve();
    let mut kept = Vec::new();
    let before = before.first().filter(|_| search.is_narrower()).and_then(|before| before.kept.as_ref());
    if let Some(before) = before {
        for keys in before.chunks(TILE) {
            sieve.sift(keys.iter().copied(), &mut tally, &mut kept);
        }
        return Ok(Sifted { tally, kept: Some(kept) });
    }
    let total: usize = program.shape.iter().product();
    let largest = (total / 4).max(FEW);
    let mut too_many = false;
    if elements == Elements::AreSorted {
        sieve.sift_sorted(
            sorted::<T>(&blocks),
            |value| value.key(),
            &mut tally,
            |inside| {
                too_many |= kept.len() + inside.len() > largest;
                if !too_many {
                    kept.extend(inside.iter().map(|value| value.key()));
                }
            },
        );
        return Ok(Sifted { tally, kept: (!too_many).then_some(kept) });
    }
    let inputs = Inputs { program, kernels, streams, blocks };
    let mut evaluation = Evaluation::new(&inputs);
    for start in (0..total).step_by(TILE) {
        let values = evaluation.tile::<T>(start, TILE.min(total - start))?;
        if nan == Nan::IsAll {
            tally.add_nans(values.iter().map(|value| u64::from(value.is_nan())).sum());
        }
        sieve.sift(values.iter().map(|value| value.key()), &mut tally, &mut kept);
        too_many |= kept.len() > largest;
        if too_many {
            kept.clear();
        }
    }
    Ok(Sifted { tally, kept: (!too_many).then_some(kept) })
}
