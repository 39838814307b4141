//! Where the records of lazy tasks are: what each reads, and its constants.
//!
//! Millions of small records would be millions of small allocations. They are written one behind the other
//! into pages instead; a page is given back when none of its records is wanted any more. Tasks that are made
//! together mostly end together.

use crate::graph::{Shape, push_constants};
use crate::task::NodeId;

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordAt {
    page: u32,
    word: u32,
}

/// The pages.
#[derive(Debug, Default)]
pub(super) struct Records {
    pages: Vec<Page>,
    /// The page that is being filled.
    current: usize,
    /// Pages that were given back.
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Page {
    words: Vec<u32>,
    /// The records that are still wanted.
    live: u32,
}

/// The words of a page; a longer record has a page of its own.
const PAGE: usize = 1 << 14;

impl Records {
    /// Writes a record: the number of its shape, what it reads, its constants.
    pub(super) fn add(&mut self, number: u32, inputs: &[NodeId], constants: &[u8], shape: Shape) -> RecordAt {
        let words = 1 + shape.words();
        let room = self.pages.get(self.current).map_or(0, |page| page.words.capacity() - page.words.len());
        if room < words {
            self.begin_page(words.max(PAGE));
        }
        let page = &mut self.pages[self.current];
        let word = page.words.len() as u32;
        page.words.push(number);
        page.words.extend_from_slice(bytemuck::cast_slice(inputs));
        push_constants(constants, &mut page.words);
        page.live += 1;
        RecordAt { page: self.current as u32, word }
    }

    fn begin_page(&mut self, words: usize) {
        let page = Page { words: Vec::with_capacity(words), live: 0 };
        let last = self.current;
        match self.free.pop() {
            Some(free) => {
                self.current = free as usize;
                self.pages[self.current] = page;
            }
            None => {
                self.current = self.pages.len();
                self.pages.push(page);
            }
        }
        self.give_back_if_empty(last);
    }

    /// The number of the record's shape, and the record.
    pub(super) fn get(&self, at: RecordAt) -> (u32, &[u32]) {
        let words = &self.pages[at.page as usize].words[at.word as usize..];
        (words[0], &words[1..])
    }

    pub(super) fn set_shape(&mut self, at: RecordAt, number: u32) {
        self.pages[at.page as usize].words[at.word as usize] = number;
    }

    /// A record is not wanted any more.
    pub(super) fn remove(&mut self, at: RecordAt) {
        let page = at.page as usize;
        self.pages[page].live -= 1;
        if page == self.current {
            if self.pages[page].live == 0 {
                self.pages[page].words.clear();
            }
        } else {
            self.give_back_if_empty(page);
        }
    }

    fn give_back_if_empty(&mut self, page: usize) {
        let Some(empty) = self.pages.get_mut(page).filter(|page| page.live == 0) else { return };
        if page != self.current && empty.words.capacity() > 0 {
            empty.words = Vec::new();
            self.free.push(page as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Where a record is, and what should be there.
    type Model = (RecordAt, u32, Vec<u32>, Vec<u8>, Shape);

    proptest! {
        #[test]
        fn records_stay_what_they_are_until_they_are_removed(
            moves in prop::collection::vec((any::<u32>(), 0usize..60, 0usize..40_000), 1..400),
        ) {
            let mut records = Records::default();
            let mut model: Vec<Model> = Vec::new();
            for (number, inputs, constants) in moves {
                let constants = if number % 7 == 0 { constants } else { constants % 20 };
                if number % 3 == 0 && !model.is_empty() {
                    let (at, ..) = model.swap_remove(number as usize % model.len());
                    records.remove(at);
                } else {
                    let shape = Shape { function: 0, inputs: inputs as u32, constants: constants as u32 };
                    let nodes: Vec<u32> = (0..inputs as u32).map(|i| i ^ number).collect();
                    let bytes: Vec<u8> = (0..constants).map(|i| (i as u32 ^ number) as u8).collect();
                    let ids: Vec<NodeId> = nodes.iter().map(|&node| NodeId(node)).collect();
                    let at = records.add(number, &ids, &bytes, shape);
                    model.push((at, number, nodes, bytes, shape));
                }
                for (at, number, nodes, bytes, shape) in &model {
                    let (found, record) = records.get(*at);
                    prop_assert_eq!(found, *number);
                    prop_assert_eq!(shape.inputs_in(record), &nodes[..]);
                    prop_assert_eq!(shape.constants_in(record), &bytes[..]);
                }
            }
            for (at, ..) in model {
                records.remove(at);
            }
            let kept: usize = records.pages.iter().map(|page| page.words.capacity()).sum();
            prop_assert!(kept <= 40_000, "pages are given back: {kept} words are left");
        }
    }
}
