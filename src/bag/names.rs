//! Which value a value is: what random choices go by.
//!
//! A value is named by where it comes from: the position of its line or record in its file, or its number or
//! itself if there is no file; and by which of the values that were made of that one it is. None of this depends
//! on how the input was divided, so no choice does.

use serde::{Deserialize, Serialize};

/// The name of a value, within its file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Name {
    /// Bytes of its unit before the line or record, or its number.
    pub(super) offset: u64,
    /// Which of the values it is that were made of that one.
    pub(super) within: u64,
}

/// The names of the values of a piece.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Names {
    /// Consecutive offsets from this one on.
    From(u64),
    Offsets(Vec<u64>),
    Full(Vec<Name>),
}

impl Name {
    /// That of the value of this number among those made of this one.
    pub(super) fn child(self, number: u64) -> Name {
        let within = xxhash_rust::xxh3::xxh3_64_with_seed(&number.to_le_bytes(), self.within ^ CHILD);
        Name { within, ..self }
    }
}

/// Tells a value from the first one that was made of it.
const CHILD: u64 = 0x9E37_79B9_7F4A_7C15;

impl Names {
    pub(super) fn get(&self, index: usize) -> Name {
        match self {
            Names::From(first) => Name { offset: first.wrapping_add(index as u64), within: 0 },
            Names::Offsets(offsets) => Name { offset: offsets[index], within: 0 },
            Names::Full(names) => names[index],
        }
    }

    /// Those of the values at these indices.
    pub(super) fn chosen(&self, indices: &[u32]) -> Names {
        let indices = indices.iter().map(|index| *index as usize);
        match self {
            Names::Full(names) => Names::Full(indices.map(|index| names[index]).collect()),
            Names::From(_) | Names::Offsets(_) => {
                Names::Offsets(indices.map(|index| self.get(index).offset).collect())
            }
        }
    }

    /// Those of as many values as `counts` says of each.
    pub(super) fn children(&self, counts: &[u32]) -> Names {
        let of = |(index, &count): (usize, &u32)| {
            let parent = self.get(index);
            (0..u64::from(count)).map(move |number| parent.child(number))
        };
        Names::Full(counts.iter().enumerate().flat_map(of).collect())
    }
}

/// A choice of values at random.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Choice {
    /// A value whose random number is below this is chosen, of 2^53.
    below: u64,
    seed: u64,
}

/// Random numbers have so many bits.
const BITS: u32 = 53;

impl Choice {
    /// # Panics
    /// If the fraction is not one.
    #[track_caller]
    pub(super) fn new(fraction: f64, seed: u64) -> Self {
        assert!(
            (0.0..=1.0).contains(&fraction),
            "the fraction of a sample is a number from 0 to 1, not {fraction}"
        );
        Choice { below: (fraction * (1u64 << BITS) as f64).ceil() as u64, seed }
    }

    /// Whether the value of this name is chosen.
    pub(super) fn takes(&self, origin: Origin, name: Name) -> bool {
        origin.draw(name, self.seed) >> (64 - BITS) < self.below
    }
}

/// What tells equal names from each other: where the offsets of names begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// Which of the bags that were put together.
    pub(super) part: u32,
    /// The number of the file in the list of input files.
    pub(super) file: u32,
    /// Bytes of the file before those that offsets count.
    pub(super) position: u64,
}

impl Origin {
    /// The random number of a value.
    pub(super) fn draw(self, name: Name, seed: u64) -> u64 {
        let position = self.position.wrapping_add(name.offset);
        let words = [u64::from(self.part) << 32 | u64::from(self.file), position, name.within];
        let mut bytes = [0; 24];
        for (to, word) in bytes.chunks_exact_mut(8).zip(words) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        xxhash_rust::xxh3::xxh3_64_with_seed(&bytes, seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_value_has_a_name_of_its_own() {
        let names = Names::Offsets((0..100).collect());
        let children = names.children(&[7; 100]);
        let grandchildren = children.children(&[3; 700]);
        let mut seen: HashSet<Name> = (0..100).map(|index| names.get(index)).collect();
        seen.extend((0..700).map(|index| children.get(index)));
        seen.extend((0..2100).map(|index| grandchildren.get(index)));
        assert_eq!(seen.len(), 100 + 700 + 2100);
        assert_eq!(children.chosen(&[9]).get(0), names.get(1).child(2));
        assert_eq!(Names::From(5).chosen(&[2, 4]).get(1).offset, 9);
    }

    #[test]
    fn fractions_are_probabilities() {
        let origin = Origin { part: 0, file: 0, position: 0 };
        let chosen = |fraction| {
            let choice = Choice::new(fraction, 3);
            (0..10_000).filter(|&offset| choice.takes(origin, Name { offset, within: 0 })).count()
        };
        assert_eq!((chosen(0.0), chosen(-0.0), chosen(1.0)), (0, 0, 10_000));
        assert!((2_800..3_200).contains(&chosen(0.3)), "{}", chosen(0.3));
        for wrong in [-0.1, 1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(std::panic::catch_unwind(|| Choice::new(wrong, 3)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn origins_draw_by_themselves() {
        let drawn = |part, file, position| {
            let origin = Origin { part, file, position };
            (0..1_000).map(|offset| origin.draw(Name { offset, within: 0 }, 1)).collect::<HashSet<u64>>()
        };
        let all = [drawn(0, 0, 0), drawn(1, 0, 0), drawn(0, 1, 0), drawn(0, 0, 1_000)];
        assert_eq!(all.iter().flatten().collect::<HashSet<_>>().len(), 4_000);
    }
}
