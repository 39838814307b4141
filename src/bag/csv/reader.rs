//! Records out of the bytes of a unit, by one parser that goes on from chunk to chunk.

use super::quotes::{MARK, State, is_blank};
use crate::bag::{
    error::Fault,
    read::{Chunk, Chunks},
};
use csv_core::ReadRecordResult;

/// Bytes that are read at a time.
const CHUNK: usize = 128 << 10;

/// The records that begin in a unit.
pub(super) struct Reader {
    chunks: Box<dyn Chunks>,
    parser: csv_core::Reader,
    /// What has been read, of which the bytes before `at` are parsed.
    input: Vec<u8>,
    at: usize,
    /// Bytes of the unit before the input.
    before: u64,
    /// Bytes of the unit's own stretch that have been read.
    own: u64,
    /// All of its own stretch has been read.
    beyond: bool,
    /// Records have to begin in its own stretch.
    limited: bool,
    /// The file is over, and a line end stands for what is missing at its end.
    ended: bool,
    /// No record of the unit is left.
    over: bool,
    /// What went wrong behind the input.
    fault: Option<Fault>,
    record: Current,
    /// Where the record begins.
    begin: u64,
    /// Whether that begins with a quote.
    quoted: bool,
    longest: u64,
    fields: Vec<u8>,
    ends: Vec<usize>,
}

/// What is parsed at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Current {
    /// Nothing: the next byte that ends no line begins a record.
    Nothing,
    /// The end of a record that begins in a unit before.
    Head,
    Record,
}

/// A record as it stands in the file, without separators and quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawRecord<'a> {
    /// Bytes of the unit before it.
    pub(super) offset: u64,
    pub(super) fields: &'a [u8],
    /// Where each field ends.
    pub(super) ends: &'a [usize],
}

/// What is wrong, and how many bytes of the unit come before it. No record follows.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) offset: u64,
    pub(super) fault: Fault,
}

impl Reader {
    /// A reader of bytes that begin in a state.
    pub(super) fn new(chunks: Box<dyn Chunks>, separator: u8, longest: u64) -> Self {
        let mut parser = csv_core::ReaderBuilder::new().delimiter(separator).build();
        // The parser would pass over a mark at the beginning of what it reads first, which is any place in a file.
        let _ = parser.read_record(b"\n", &mut [0], &mut [0]);
        Reader {
            chunks,
            parser,
            input: Vec::new(),
            at: 0,
            before: 0,
            own: 0,
            beyond: false,
            limited: true,
            ended: false,
            over: false,
            fault: None,
            record: Current::Nothing,
            begin: 0,
            quoted: false,
            longest,
            fields: vec![0; 1 << 10],
            ends: vec![0; 32],
        }
    }

    /// A reader of all records from the beginning of a file on, whatever unit they begin in.
    pub(super) fn whole(chunks: Box<dyn Chunks>, separator: u8, longest: u64) -> Result<Self, Trouble> {
        let mut reader = Reader { limited: false, ..Reader::new(chunks, separator, longest) };
        reader.begin(State::FileStart, separator)?;
        Ok(reader)
    }

    /// Takes up the state that what comes before the unit has led to. Whether the first record is the header.
    pub(super) fn begin(&mut self, state: State, separator: u8) -> Result<bool, Trouble> {
        match state {
            State::FileStart => self.pass_mark(MARK),
            State::Mark1 => self.pass_mark(&MARK[1..]),
            State::Mark2 => self.pass_mark(&MARK[2..]),
            State::NoRecord => Ok(true),
            State::Blank => self.pass_blanks(separator),
            State::RecordStart => Ok(false),
            // What is parsed in place of the record's beginning leads to the same state.
            State::FieldStart => Ok(self.begin_within(&[separator])),
            State::Unquoted => Ok(self.begin_within(b"x")),
            State::Quoted => Ok(self.begin_within(b"\"")),
            State::QuoteInQuotes => Ok(self.begin_within(b"\"\"")),
        }
    }

    fn begin_within(&mut self, beginning: &[u8]) -> bool {
        let _ = self.parser.read_record(beginning, &mut self.fields, &mut self.ends);
        self.record = Current::Head;
        false
    }

    /// Passes over the rest of a mark at the beginning of a file.
    fn pass_mark(&mut self, rest: &[u8]) -> Result<bool, Trouble> {
        while self.input.len() < rest.len() && rest.starts_with(&self.input) && self.append()? {}
        let found = self.input.starts_with(rest);
        if found {
            self.at = rest.len();
        } else if rest.len() < MARK.len() {
            return Ok(self.begin_within(b"x"));
        }
        Ok(true)
    }

    /// Passes over the rest of a line before the header if it is blank; else the line is the header itself.
    fn pass_blanks(&mut self, separator: u8) -> Result<bool, Trouble> {
        let mut blanks = 0;
        loop {
            match self.input.get(blanks) {
                Some(b'\n' | b'\r') => {
                    self.at = blanks;
                    return Ok(true);
                }
                Some(&byte) if is_blank(byte) && byte != separator => blanks += 1,
                Some(_) => return Ok(self.begin_within(b"x")),
                None => {
                    if !self.append()? {
                        return Ok(self.begin_within(b"x"));
                    }
                }
            }
        }
    }

    /// The next record that begins in the unit.
    pub(super) fn next(&mut self) -> Result<Option<RawRecord<'_>>, Trouble> {
        let (mut filled, mut ended) = (0, 0);
        loop {
            if self.over {
                return Ok(None);
            }
            if self.at == self.input.len() {
                self.refill()?;
                continue;
            }
            if self.record == Current::Nothing {
                let rest = &self.input[self.at..];
                let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
                self.at += blank;
                self.begin = self.before + self.at as u64;
                self.over = self.limited && self.beyond && self.begin >= self.own;
                if let Some(&first) = rest.get(blank) {
                    self.record = Current::Record;
                    self.quoted = first == b'"';
                }
                continue;
            }
            let (fields, ends) = (&mut self.fields[filled..], &mut self.ends[ended..]);
            let (result, read, written, fields) =
                self.parser.read_record(&self.input[self.at..], fields, ends);
            self.at += read;
            filled += written;
            ended += fields;
            match result {
                ReadRecordResult::InputEmpty => self.check_length()?,
                ReadRecordResult::OutputFull => self.fields.resize(2 * self.fields.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record if self.record == Current::Head || self.is_blank(filled, ended) => {
                    self.record = Current::Nothing;
                    (filled, ended) = (0, 0);
                }
                ReadRecordResult::Record => {
                    self.record = Current::Nothing;
                    let (fields, ends) = (&self.fields[..filled], &self.ends[..ended]);
                    return Ok(Some(RawRecord { offset: self.begin, fields, ends }));
                }
                // The parser is never told that there is nothing left.
                ReadRecordResult::End => self.over = true,
            }
        }
    }

    /// Whether a record of so many bytes and fields is a line of blanks, which is none; a field in quotes is one.
    fn is_blank(&self, filled: usize, ended: usize) -> bool {
        ended == 1 && !self.quoted && self.fields[..filled].iter().all(|byte| is_blank(*byte))
    }

    /// Whether the last record ended with a carriage return and no line feed.
    pub(super) fn ended_with_return(&mut self) -> bool {
        let returned = self.at > 0 && self.input[self.at - 1] == b'\r';
        if returned && self.at == self.input.len() {
            // What is wrong with what follows is found again when that is read.
            let _ = self.append();
        }
        returned && self.input.get(self.at).is_some_and(|byte| *byte != b'\n')
    }

    /// Replaces the input, which is parsed, by what comes next.
    fn refill(&mut self) -> Result<(), Trouble> {
        self.before += self.input.len() as u64;
        self.input.clear();
        self.at = 0;
        if !self.ended && self.append()? {
            // No record can begin before the end of the unit any more.
            self.over = self.beyond && self.record == Current::Head;
        } else if self.record != Current::Record {
            self.over = true;
        } else if self.ended {
            // Not even a line end has ended the record.
            return Err(self.trouble(self.begin, Fault::Record("a quote is not closed".into())));
        } else {
            self.ended = true;
            self.input.push(b'\n');
        }
        Ok(())
    }

    /// Appends bytes to the input; false if there are none.
    fn append(&mut self) -> Result<bool, Trouble> {
        let before = self.input.len();
        while self.input.len() == before {
            if let Some(fault) = self.fault.take() {
                return Err(self.trouble(self.before + before as u64, fault));
            }
            match self.chunks.next(CHUNK, &mut self.input) {
                Ok(Chunk::Beyond) => self.beyond = true,
                Ok(Chunk::End) => {
                    self.beyond = true;
                    return Ok(false);
                }
                // What was read before it is good.
                Err(fault) => self.fault = Some(fault),
                Ok(Chunk::Own) => {}
            }
            if !self.beyond {
                self.own += (self.input.len() - before) as u64;
            }
        }
        Ok(true)
    }

    fn check_length(&mut self) -> Result<(), Trouble> {
        if self.record == Current::Record && self.before + self.at as u64 - self.begin > self.longest {
            return Err(self.trouble(self.begin, Fault::LongRecord(self.longest)));
        }
        Ok(())
    }

    fn trouble(&mut self, offset: u64, fault: Fault) -> Trouble {
        self.over = true;
        Trouble { offset, fault }
    }
}
