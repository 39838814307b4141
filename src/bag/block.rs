//! Pieces of a bag of lines.

use super::{
    encoding::Decoded,
    names::{Name, Origin},
    text::{Place, Text},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Lines of a stretch of a file: the text, which copies of the piece share, and which parts of it count.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct LineBlock {
    text: Arc<Text>,
    chosen: Chosen,
    /// Lines, or whole files, that were left out because something was wrong with them.
    pub(super) skipped: u64,
}

/// What of a text counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
enum Chosen {
    /// Every line.
    #[default]
    All,
    /// These parts of lines, in their order.
    Parts(Vec<Span>),
}

/// Where in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Span {
    start: u32,
    end: u32,
    /// Where the line begins of which it is a part.
    line: u32,
    /// Which of the parts of that line.
    number: u32,
}

/// A line, or a part of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) text: &'a str,
    line: u32,
    number: u32,
}

impl LineBlock {
    pub(super) fn new(decoded: Decoded, place: Place, skipped: u64) -> Self {
        let Decoded { text, starts } = decoded;
        debug_assert!(u32::try_from(text.len()).is_ok());
        LineBlock { text: Arc::new(Text { text, starts, place }), chosen: Chosen::All, skipped }
    }

    /// Calls `each` for every line or part until it says that it has enough.
    #[inline]
    pub(super) fn visit_items<'a>(&'a self, mut each: impl FnMut(Item<'a>) -> bool) {
        let text = &*self.text.text;
        let whole = |start: usize, end| Item {
            text: without_return(&text[start..end]),
            line: start as u32,
            number: 0,
        };
        match &self.chosen {
            Chosen::All => {
                let mut start = 0;
                for end in memchr::memchr_iter(b'\n', text.as_bytes()) {
                    if !each(whole(start, end)) {
                        return;
                    }
                    start = end + 1;
                }
                if start < text.len() {
                    each(whole(start, text.len()));
                }
            }
            Chosen::Parts(spans) => {
                for &Span { start, end, line, number } in spans {
                    if !each(Item { text: &text[start as usize..end as usize], line, number }) {
                        return;
                    }
                }
            }
        }
    }

    /// As [`visit_items`](Self::visit_items), for those that need nothing but text.
    #[inline]
    pub(super) fn visit<'a>(&'a self, mut each: impl FnMut(&'a str) -> bool) {
        self.visit_items(|item| each(item.text));
    }

    /// Calls `each` for every line or part.
    #[inline]
    pub(super) fn each<'a>(&'a self, mut each: impl FnMut(&'a str)) {
        self.visit(|line| {
            each(line);
            true
        });
    }

    /// How many lines or parts there are.
    pub(super) fn count(&self) -> u64 {
        match &self.chosen {
            Chosen::Parts(spans) => spans.len() as u64,
            Chosen::All => {
                let text = self.text.text.as_bytes();
                let unfinished = text.last().is_some_and(|&last| last != b'\n');
                memchr::memchr_iter(b'\n', text).count() as u64 + u64::from(unfinished)
            }
        }
    }

    /// The same text with other parts: those that `choose` pushes for each line.
    #[inline]
    pub(super) fn choose<'a>(&'a self, mut choose: impl FnMut(Item<'a>, &mut Chooser<'a>)) -> LineBlock {
        let mut chooser = Chooser { text: &self.text.text, line: 0, number: 0, spans: Vec::new() };
        self.visit_items(|item| {
            (chooser.line, chooser.number) = (item.line, item.number);
            choose(item, &mut chooser);
            true
        });
        let chosen = Chosen::Parts(chooser.spans);
        LineBlock { text: Arc::clone(&self.text), chosen, skipped: self.skipped }
    }

    /// Where the text comes from.
    pub(super) fn place(&self) -> &Place {
        &self.text.place
    }

    /// What names belong to, with how many bytes of the file stand before each unit, unless the place says so.
    pub(super) fn origin(&self, positions: &[u64]) -> Origin {
        let Place { file, number, position, .. } = self.text.place;
        Origin { part: 0, file, position: positions.get(number as usize).copied().unwrap_or(position) }
    }

    /// Which line, or part of a line, it is.
    pub(super) fn name(&self, item: &Item) -> Name {
        Name { offset: self.offset(item), within: u64::from(item.number) }
    }

    /// Bytes of the unit before the line.
    pub(super) fn offset(&self, item: &Item) -> u64 {
        let starts = &self.text.starts;
        let bytes = match starts.partition_point(|&(start, _)| start <= item.line).checked_sub(1) {
            Some(line) => item.line - starts[line].0 + starts[line].1,
            None => item.line,
        };
        self.text.place.offset + u64::from(bytes)
    }
}

/// Collects parts of a text.
#[derive(Debug)]
pub(super) struct Chooser<'a> {
    text: &'a str,
    /// The line that parts are added of, and which part of it they are.
    line: u32,
    number: u32,
    spans: Vec<Span>,
}

impl<'a> Chooser<'a> {
    /// Adds what stands for the line itself. What is no part of the text has no place in it, unless it is empty.
    #[inline]
    pub(super) fn push(&mut self, part: &'a str) {
        let start = (part.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let (line, number) = (self.line, self.number);
        if part.is_empty() && start > self.text.len() {
            self.spans.push(Span { start: line, end: line, line, number });
            return;
        }
        assert!(
            start <= self.text.len() && part.len() <= self.text.len() - start,
            "the function returned text that is no part of the line it was given; use `map` to make new text"
        );
        self.spans.push(Span { start: start as u32, end: (start + part.len()) as u32, line, number });
    }

    /// Adds the part of the line that has this number among its parts.
    #[inline]
    pub(super) fn push_part(&mut self, part: &'a str, number: u32) {
        let before = self.number;
        self.number = match before {
            0 => number,
            // A part of a part.
            _ => xxhash_rust::xxh3::xxh3_64_with_seed(&number.to_le_bytes(), before.into()) as u32,
        };
        self.push(part);
        self.number = before;
    }
}

/// A line without the carriage return that some systems end lines with.
#[inline]
fn without_return(line: &str) -> &str {
    line.strip_suffix('\r').unwrap_or(line)
}
