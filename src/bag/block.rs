//! Pieces of a bag of lines.

use super::text::{Place, Text};
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
}

impl LineBlock {
    pub(super) fn new(text: String, place: Place, skipped: u64) -> Self {
        debug_assert!(u32::try_from(text.len()).is_ok());
        LineBlock { text: Arc::new(Text { text, place }), chosen: Chosen::All, skipped }
    }

    /// Calls `each` for every line or part until it says that it has enough.
    #[inline]
    pub(super) fn visit<'a>(&'a self, mut each: impl FnMut(&'a str) -> bool) {
        let text = &*self.text.text;
        match &self.chosen {
            Chosen::All => {
                let mut start = 0;
                for end in memchr::memchr_iter(b'\n', text.as_bytes()) {
                    if !each(without_return(&text[start..end])) {
                        return;
                    }
                    start = end + 1;
                }
                if start < text.len() {
                    each(without_return(&text[start..]));
                }
            }
            Chosen::Parts(spans) => {
                for span in spans {
                    if !each(&text[span.start as usize..span.end as usize]) {
                        return;
                    }
                }
            }
        }
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
    pub(super) fn choose<'a>(&'a self, mut choose: impl FnMut(&'a str, &mut Chooser<'a>)) -> LineBlock {
        let mut chooser = Chooser { text: &self.text.text, spans: Vec::new() };
        self.each(|line| choose(line, &mut chooser));
        let chosen = Chosen::Parts(chooser.spans);
        LineBlock { text: Arc::clone(&self.text), chosen, skipped: self.skipped }
    }

    /// Where the text comes from.
    pub(super) fn place(&self) -> &Place {
        &self.text.place
    }

    /// Where in the text a line or part of it begins.
    pub(super) fn offset_of(&self, part: &str) -> usize {
        part.as_ptr() as usize - self.text.text.as_ptr() as usize
    }

    /// The text up to an offset.
    pub(super) fn before(&self, offset: usize) -> &[u8] {
        &self.text.text.as_bytes()[..offset]
    }
}

/// Collects parts of a text.
#[derive(Debug)]
pub(super) struct Chooser<'a> {
    text: &'a str,
    spans: Vec<Span>,
}

impl<'a> Chooser<'a> {
    /// Adds a part; what is no part of the text has no place in it, unless it is empty.
    #[inline]
    pub(super) fn push(&mut self, part: &'a str) {
        let start = (part.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        if part.is_empty() && start > self.text.len() {
            self.spans.push(Span { start: 0, end: 0 });
            return;
        }
        assert!(
            start <= self.text.len() && part.len() <= self.text.len() - start,
            "the function returned text that is no part of the line it was given; use `map` to make new text"
        );
        self.spans.push(Span { start: start as u32, end: (start + part.len()) as u32 });
    }
}

/// A line without the carriage return that some systems end lines with.
#[inline]
fn without_return(line: &str) -> &str {
    line.strip_suffix('\r').unwrap_or(line)
}
