//! Where a reader of separated fields is between two bytes, and what a stretch of a file makes of it.
//!
//! Whether a line end ends a record depends on all quotes before it, so a unit of a file cannot know by itself
//! where its first record begins. But there are ten states only, and what a stretch makes of each of them can be
//! found out without what comes before it: a [`Passage`]. The passages of a file's units, one after the other,
//! tell in which state each unit begins.

use serde::{Deserialize, Serialize};

/// Between which bytes the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// Nothing has been read.
    FileStart,
    /// Behind the first byte of the mark that some files begin with.
    Mark1,
    /// Behind the second one.
    Mark2,
    /// No record has begun, so that the next one is the header.
    NoRecord,
    /// The same, behind blanks in a line that is passed over if nothing else is in it.
    Blank,
    RecordStart,
    FieldStart,
    Unquoted,
    Quoted,
    /// Behind a quote in quotes: they end here, unless another quote follows.
    QuoteInQuotes,
}

use State::{
    Blank, FieldStart, FileStart, Mark1, Mark2, NoRecord, QuoteInQuotes, Quoted, RecordStart, Unquoted,
};

/// All of them, in the order of their numbers.
const STATES: [State; 10] =
    [FileStart, Mark1, Mark2, NoRecord, Blank, RecordStart, FieldStart, Unquoted, Quoted, QuoteInQuotes];

/// U+FEFF, with which some systems begin text files.
pub(super) const MARK: &[u8] = b"\xEF\xBB\xBF";

/// Bytes that are looked at between two looks at whether states have become one.
const BLOCK: usize = 4 << 10;

/// Whether a line of such bytes is passed over.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\x0C')
}

impl State {
    /// Behind one more byte.
    pub(super) fn step(self, byte: u8, separator: u8) -> State {
        match (self, byte) {
            (FileStart, 0xEF) => Mark1,
            (Mark1, 0xBB) => Mark2,
            (Mark2, 0xBF) => NoRecord,
            (FileStart | NoRecord | Blank, b'\n' | b'\r') => NoRecord,
            (FileStart | NoRecord | Blank, byte) if is_blank(byte) && byte != separator => Blank,
            (RecordStart, b'\n' | b'\r') => RecordStart,
            (FileStart | NoRecord | RecordStart | FieldStart, b'"') => Quoted,
            (Quoted, b'"') => QuoteInQuotes,
            (Quoted, _) => Quoted,
            (QuoteInQuotes, b'"') => Quoted,
            (_, byte) => State::behind(byte, separator),
        }
    }

    /// Behind a byte that is not in quotes and is no quote that begins any.
    fn behind(byte: u8, separator: u8) -> State {
        match byte {
            b'\n' | b'\r' => RecordStart,
            byte if byte == separator => FieldStart,
            _ => Unquoted,
        }
    }

    /// Behind these bytes. Only quotes are looked for: the byte before one tells what it means.
    fn pass(mut self, bytes: &[u8], separator: u8) -> State {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match self {
                Quoted => match memchr::memchr(b'"', rest) {
                    None => return Quoted,
                    Some(quote) => {
                        self = QuoteInQuotes;
                        at += quote + 1;
                    }
                },
                RecordStart | FieldStart | Unquoted => match memchr::memchr(b'"', rest) {
                    None => return State::behind(rest[rest.len() - 1], separator),
                    Some(quote) => {
                        let before = match quote.checked_sub(1) {
                            None => self,
                            Some(last) => State::behind(rest[last], separator),
                        };
                        self = before.step(b'"', separator);
                        at += quote + 1;
                    }
                },
                FileStart | Mark1 | Mark2 | NoRecord | Blank | QuoteInQuotes => {
                    self = self.step(rest[0], separator);
                    at += 1;
                }
            }
        }
        self
    }
}

/// For each state before a stretch, the one behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Passage([State; STATES.len()]);

impl Passage {
    /// That of nothing.
    pub(super) fn new() -> Self {
        Passage(STATES)
    }

    /// That of a stretch that cannot be read: what comes next is the rest of a record that is left out.
    pub(super) fn unknown() -> Self {
        Passage([Unquoted; STATES.len()])
    }

    /// Goes on over these bytes. States soon become one, or two, inside quotes and outside of them; each is gone
    /// on with once.
    pub(super) fn extend(&mut self, bytes: &[u8], separator: u8) {
        for block in bytes.chunks(BLOCK) {
            let mut known: [Option<State>; STATES.len()] = [None; STATES.len()];
            for state in &mut self.0 {
                *state = *known[*state as usize].get_or_insert_with(|| state.pass(block, separator));
            }
        }
    }

    /// Whether it makes the same of every state, so that nothing that comes before the stretch matters.
    pub(super) fn is_certain(&self) -> bool {
        self.0.iter().all(|state| *state == self.0[0])
    }

    /// The state behind the stretch.
    pub(super) fn of(&self, before: State) -> State {
        self.0[before as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Texts that have much of what matters.
    pub(crate) fn texts() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop::sample::select(b"\"\",,\n\n\r\ra b\xEF\xBB\xBF\"\"\n,".to_vec());
        prop::collection::vec(byte, 0..60)
    }

    proptest! {
        #[test]
        fn passing_over_a_stretch_is_stepping_over_its_bytes(text in texts()) {
            for before in STATES {
                let stepped = text.iter().fold(before, |state, byte| state.step(*byte, b','));
                prop_assert_eq!(before.pass(&text, b','), stepped, "{:?}", before);
            }
        }

        #[test]
        fn passages_of_parts_are_that_of_the_whole(text in texts(), at in any::<prop::sample::Index>()) {
            let (first, second) = text.split_at(at.index(text.len() + 1));
            let passage = |bytes| {
                let mut passage = Passage::new();
                passage.extend(bytes, b',');
                passage
            };
            for before in STATES {
                let parts = passage(second).of(passage(first).of(before));
                prop_assert_eq!(passage(&text).of(before), parts);
            }
        }
    }

    #[test]
    fn quoted_fields_make_a_stretch_certain() {
        let mut passage = Passage::new();
        passage.extend(b"b c\",1\n\"d, e\",2\n", b',');
        assert!(passage.is_certain());
        assert_eq!(passage.of(FileStart), RecordStart);
        let mut passage = Passage::new();
        passage.extend(b"1,2\n3,4\n", b',');
        assert!(!passage.is_certain());
        assert_eq!((passage.of(Quoted), passage.of(Unquoted)), (Quoted, RecordStart));
    }
}
