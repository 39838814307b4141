//! Bags of lines: text that stays where it was read.

use super::{
    bag::{Bag, First},
    block::{Chooser, LineBlock},
    counter::Frequencies,
    names::{Choice, Names},
    part::Part,
    paths::Paths,
    positions,
    read::{Input, Pieces, scan},
    reading::Reading,
};
use crate::client::{Client, Delayed, Function, Map, Together};
use crate::error::Result;
use crate::task::Args;
use crate::wire::Value;
use std::sync::Arc;

/// Lines of text files, or parts of lines, in the order of the files.
///
/// Functions are given a `&str` into the memory that the file was read into, and nothing is copied. What they
/// cannot capture comes as shared values, as in [`Client::map_with`], to the functions ending in `_with`.
///
/// Results are lazy. What is computed together reads the input once:
///
/// ```
/// use serried::prelude::*;
///
/// # fn main() -> serried::Result<()> {
/// let folder = tempfile::tempdir().expect("a folder");
/// std::fs::write(folder.path().join("a.txt"), "one\ntwo\nthree\n").expect("written");
/// std::fs::write(folder.path().join("b.txt"), "four\nfive").expect("written");
/// let pattern = folder.path().join("*.txt");
/// serried::run(|client| {
///     let lines = client.read_text(&*pattern)?;
///     let with_o = lines.filter(|line| line.contains('o'));
///     let (all, some, first) = client.compute((&lines.count(), &with_o.count(), &with_o.first(2)))?;
///     assert_eq!((all, some), (5, 3));
///     assert_eq!(first, ["one", "two"]);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Lines {
    pub(super) client: Client,
    pub(super) blocks: Map<LineBlock>,
    pub(super) input: Input,
}

impl Client {
    /// The lines of text files, in the order of their names; see [`Paths`] for patterns.
    ///
    /// Files are recognised by their content, not by their name. Large ones are divided at line ends. A line
    /// ends with a line feed, or a carriage return and a line feed, neither of which belongs to it; the last
    /// one of a file may end without.
    ///
    /// # Errors
    /// If no file matches a pattern, or one cannot be opened. What is found wrong later fails what is computed.
    #[track_caller]
    pub fn read_text(&self, paths: impl Into<Paths>) -> Result<Lines> {
        self.read_text_as(paths, &Reading::new())
    }

    /// As [`read_text`](Self::read_text), with settings.
    ///
    /// # Errors
    /// As for [`read_text`](Self::read_text), unless faults are to be skipped.
    #[track_caller]
    pub fn read_text_as(&self, paths: impl Into<Paths>, reading: &Reading) -> Result<Lines> {
        let input = self.input(&paths.into(), reading)?;
        let units = input.units();
        let pieces = |unit: u64, (input,): &(Input,)| Pieces::new(unit, input);
        let blocks = self.try_flat_map_with(pieces, 0..units, (input.clone(),)).batch(1).label("read_text");
        Ok(Lines { client: self.clone(), blocks, input })
    }
}

impl Client {
    /// Looks for files, and into them.
    #[track_caller]
    pub(super) fn input(&self, paths: &Paths, reading: &Reading) -> Result<Input> {
        Input::find(paths, reading, self.scratch(), &|scans| match scans.len() {
            // It is done before others have begun.
            1 => Ok(scans.into_iter().map(scan).collect()),
            _ => self.map(scan, scans).batch(1).label("search").compute(),
        })
    }
}

/// Where parts of a line are collected; see [`Lines::parts`].
#[derive(Debug)]
pub struct Parts<'c, 'a> {
    chooser: &'c mut Chooser<'a>,
    number: u32,
}

impl<'a> Parts<'_, 'a> {
    /// Adds a part of the line.
    ///
    /// # Panics
    /// If it is text from elsewhere.
    #[inline]
    pub fn push(&mut self, part: &'a str) {
        self.chooser.push_part(part, self.number);
        self.number += 1;
    }
}

impl Lines {
    #[track_caller]
    fn stage<A: Args<Values: Send + Sync + 'static>>(
        &self,
        stage: fn(LineBlock, &A::Values) -> LineBlock,
        shared: A,
    ) -> Lines {
        let blocks = self.client.map_with(stage, &self.blocks, shared);
        Lines { client: self.client.clone(), blocks, input: self.input.clone() }
    }

    /// Keeps the lines for which `keep` is true.
    #[track_caller]
    #[must_use]
    pub fn filter(&self, keep: fn(&str) -> bool) -> Lines {
        let stage = |block: LineBlock, (keep,): &(fn(&str) -> bool,)| {
            block.choose(|line, chooser| {
                if keep(line.text) {
                    chooser.push(line.text);
                }
            })
        };
        self.stage(stage, (Function::new(keep),))
    }

    /// Keeps the lines for which `keep` is true, with values that are common to all lines: a pattern that each
    /// rank compiles for itself, for example.
    ///
    /// ```
    /// use serried::prelude::*;
    /// use std::sync::Arc;
    ///
    /// # fn main() -> serried::Result<()> {
    /// let file = tempfile::NamedTempFile::new().expect("a file");
    /// std::fs::write(file.path(), "a1\nb2\nc\n").expect("written");
    /// serried::run(|client| {
    ///     let pattern = client.local(|(text,): (String,)| text.into_bytes(), ("12".to_owned(),))?;
    ///     let lines = client.read_text(file.path())?;
    ///     let found = lines.filter_with(
    ///         |line, (pattern,): &(Arc<Vec<u8>>,)| line.bytes().any(|byte| pattern.contains(&byte)),
    ///         (&pattern,),
    ///     );
    ///     assert_eq!(found.count().compute()?, 2);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn filter_with<W, A>(&self, keep: fn(&str, &W) -> bool, shared: A) -> Lines
    where
        W: Send + Sync + 'static,
        A: Args<Values = W>,
    {
        let stage = |block: LineBlock, (keep, shared): &(fn(&str, &W) -> bool, W)| {
            block.choose(|line, chooser| {
                if keep(line.text, shared) {
                    chooser.push(line.text);
                }
            })
        };
        self.stage(stage, (Function::new(keep), Together(shared)))
    }

    /// A part of each line, such as one of its fields.
    ///
    /// The function returns a part of what it is given, so nothing is copied; new text is what
    /// [`map`](Self::map) makes.
    #[track_caller]
    #[must_use]
    pub fn part(&self, part: fn(&str) -> &str) -> Lines {
        let stage = |block: LineBlock, (part,): &(fn(&str) -> &str,)| {
            block.choose(|line, chooser| chooser.push(part(line.text)))
        };
        self.stage(stage, (Function::new(part),))
    }

    /// Any number of parts of each line, in the order in which the function adds them.
    ///
    /// ```
    /// use serried::prelude::*;
    ///
    /// # fn main() -> serried::Result<()> {
    /// let file = tempfile::NamedTempFile::new().expect("a file");
    /// std::fs::write(file.path(), "a b\n\nb c\n").expect("written");
    /// serried::run(|client| {
    ///     let lines = client.read_text(file.path())?;
    ///     let words = lines.parts(|line, parts| line.split_whitespace().for_each(|word| parts.push(word)));
    ///     let frequencies = words.frequencies().compute()?;
    ///     assert_eq!(frequencies.top(1), [(&"b".to_owned(), 2)]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn parts(&self, parts: for<'a> fn(&'a str, &mut Parts<'_, 'a>)) -> Lines {
        let stage = |block: LineBlock, (parts,): &(for<'a> fn(&'a str, &mut Parts<'_, 'a>),)| {
            block.choose(|line, chooser| parts(line.text, &mut Parts { chooser, number: 0 }))
        };
        self.stage(stage, (Function::new(parts),))
    }

    /// The number of lines.
    #[track_caller]
    #[must_use]
    pub fn count(&self) -> Delayed<u64> {
        self.blocks.map(|block| block.count()).fold(0, |a, b| a + b, |a, b| a + b)
    }

    /// How many lines, records or files were left out because something was wrong with them. Always zero if
    /// faults are errors.
    #[track_caller]
    #[must_use]
    pub fn skipped(&self) -> Delayed<u64> {
        let missing = self.input.missing;
        let skipped = self.blocks.map(|block| block.skipped).fold(0, |a, b| a + b, |a, b| a + b);
        self.client.delayed(|(skipped, missing): (u64, u64)| skipped + missing, (skipped, missing))
    }

    /// The first `n` lines, in the order of the files. Together with other results it costs next to nothing;
    /// by itself it reads all files, and [`take`](Self::take) does not.
    #[track_caller]
    #[must_use]
    pub fn first(&self, n: usize) -> Delayed<Vec<String>> {
        first_of(&self.client, &self.blocks, n)
    }

    /// The first `n` lines, at once, reading little more of the files than has to be read for them.
    ///
    /// # Errors
    /// What goes wrong in what is read.
    pub fn take(&self, n: usize) -> Result<Vec<String>> {
        let mut units = 1;
        loop {
            let found = first_of(&self.client, &self.blocks.head(units), n).compute()?;
            if found.len() >= n || units >= self.blocks.source_len() {
                return Ok(found);
            }
            units = units.saturating_mul(8);
        }
    }

    /// All lines, in the order of the files.
    #[track_caller]
    #[must_use]
    pub fn collect(&self) -> Delayed<Vec<String>> {
        self.first(usize::MAX)
    }

    /// How often each line, or part, occurs.
    #[track_caller]
    #[must_use]
    pub fn frequencies(&self) -> Delayed<Frequencies<String>> {
        self.blocks.fold(
            Frequencies::default(),
            |mut counts, block: LineBlock| {
                block.each(|line| counts.add_text(line));
                counts
            },
            Frequencies::merge,
        )
    }

    /// Folds the lines of each unit of the input into an accumulator that begins as `start`, then merges
    /// accumulators in a fixed order. `start` has to be neutral: merging it changes nothing.
    #[track_caller]
    #[must_use]
    pub fn fold<A: Value + Clone>(
        &self,
        start: A,
        fold: fn(A, &str) -> A,
        merge: fn(A, A) -> A,
    ) -> Delayed<A> {
        type Functions<A> = (fn(A, &str) -> A, fn(A, A) -> A);
        let add = |so_far, block: LineBlock, (fold, _): &Functions<A>| {
            let mut folded = Some(so_far);
            block.each(|line| folded = folded.take().map(|so_far| fold(so_far, line)));
            folded.expect("taken and put back")
        };
        let join = |a, b, (_, merge): &Functions<A>| merge(a, b);
        self.blocks.fold_with(start, add, join, (Function::new(fold), Function::new(merge)))
    }

    /// A value for each line.
    #[track_caller]
    #[must_use]
    pub fn map<U: Value + Clone>(&self, function: fn(&str) -> U) -> Bag<U> {
        let stage =
            |block: LineBlock, (function,): &(fn(&str) -> U,)| values(&block, |line| Some(function(line)));
        self.bag(stage, (Function::new(function),))
    }

    /// As [`map`](Self::map), with values that are common to all lines.
    #[track_caller]
    #[must_use]
    pub fn map_with<U, W, A>(&self, function: fn(&str, &W) -> U, shared: A) -> Bag<U>
    where
        U: Value + Clone,
        W: Send + Sync + 'static,
        A: Args<Values = W>,
    {
        let stage = |block: LineBlock, (function, shared): &(fn(&str, &W) -> U, W)| {
            values(&block, |line| Some(function(line, shared)))
        };
        self.bag(stage, (Function::new(function), Together(shared)))
    }

    /// A value for each line for which the function has one.
    #[track_caller]
    #[must_use]
    pub fn filter_map<U: Value + Clone>(&self, function: fn(&str) -> Option<U>) -> Bag<U> {
        let stage = |block: LineBlock, (function,): &(fn(&str) -> Option<U>,)| values(&block, function);
        self.bag(stage, (Function::new(function),))
    }

    /// As [`filter_map`](Self::filter_map), with values that are common to all lines.
    #[track_caller]
    #[must_use]
    pub fn filter_map_with<U, W, A>(&self, function: fn(&str, &W) -> Option<U>, shared: A) -> Bag<U>
    where
        U: Value + Clone,
        W: Send + Sync + 'static,
        A: Args<Values = W>,
    {
        type Shared<U, W> = (fn(&str, &W) -> Option<U>, W);
        let stage = |block: LineBlock, (function, shared): &Shared<U, W>| {
            values(&block, |line| function(line, shared))
        };
        self.bag(stage, (Function::new(function), Together(shared)))
    }

    /// Any number of values for each line, in their order.
    #[track_caller]
    #[must_use]
    pub fn flat_map<U, I>(&self, function: fn(&str) -> I) -> Bag<U>
    where
        U: Value + Clone,
        I: IntoIterator<Item = U> + 'static,
    {
        let stage = |block: LineBlock, (function,): &(fn(&str) -> I,)| all_values(&block, *function);
        self.bag(stage, (Function::new(function),))
    }

    /// The lines as values of their own.
    #[track_caller]
    #[must_use]
    pub fn to_bag(&self) -> Bag<String> {
        self.map(str::to_owned)
    }

    /// A random choice of the lines: each is in it with the probability `fraction`, by the seed and its place in
    /// its file; parts of a line also by which of them they are.
    ///
    /// The choice is the same for any number of ranks and threads, and for any block size. Of files of which no
    /// format tells how long their parts are when they are decoded (bzip2, `bgzip`, zstd of several frames) a
    /// sample takes decoding once more. A sample of a sample needs another seed; with the same one it takes
    /// everything.
    ///
    /// # Panics
    /// If `fraction` is not a number from 0 to 1.
    #[track_caller]
    #[must_use]
    pub fn sample(&self, fraction: f64, seed: u64) -> Lines {
        let choice = Choice::new(fraction, seed);
        let stage = |block: LineBlock, (choice, positions): &(Choice, Arc<Vec<u64>>)| {
            let origin = block.origin(positions);
            block.choose(|line, chooser| {
                if choice.takes(origin, block.name(&line)) {
                    chooser.push(line.text);
                }
            })
        };
        let positions = positions::of(&self.client, &self.input);
        let positions = positions.unwrap_or_else(|| self.client.delayed(|(): ()| Vec::new(), ()));
        self.stage(stage, (choice, &positions))
    }

    #[track_caller]
    fn bag<U, A>(&self, stage: fn(LineBlock, &A::Values) -> Part<U>, shared: A) -> Bag<U>
    where
        U: Value + Clone,
        A: Args<Values: Send + Sync + 'static>,
    {
        let parts = self.client.map_with(stage, &self.blocks, shared);
        Bag {
            missing: self.input.missing,
            positions: vec![positions::of(&self.client, &self.input)],
            ..Bag::of(&self.client, parts)
        }
    }
}

/// What is made of the lines of a piece, at most one value of each.
fn values<U>(block: &LineBlock, mut make: impl FnMut(&str) -> Option<U>) -> Part<U> {
    let (mut values, mut names) = (Vec::new(), Vec::new());
    block.visit_items(|line| {
        if let Some(value) = make(line.text) {
            values.push(value);
            names.push(block.name(&line));
        }
        true
    });
    Part::new(values, Names::Full(names), block.place().clone(), block.skipped)
}

/// All that is made of the lines of a piece, any number of values of each.
fn all_values<U, I: IntoIterator<Item = U>>(block: &LineBlock, make: fn(&str) -> I) -> Part<U> {
    let (mut values, mut names) = (Vec::new(), Vec::new());
    block.visit_items(|line| {
        let name = block.name(&line);
        for (number, value) in (0..).zip(make(line.text)) {
            values.push(value);
            names.push(name.child(number));
        }
        true
    });
    Part::new(values, Names::Full(names), block.place().clone(), block.skipped)
}

fn first_of(client: &Client, blocks: &Map<LineBlock>, n: usize) -> Delayed<Vec<String>> {
    let stage = |block: LineBlock, (most,): &(u64,)| {
        let mut values = Vec::new();
        block.visit(|line| {
            let wanted = (values.len() as u64) < *most;
            if wanted {
                values.push(line.to_owned());
            }
            wanted
        });
        First { most: *most, values }
    };
    let most = n as u64;
    let first = client.map_with(stage, blocks, (most,));
    let first = first.fold(First { most, values: Vec::new() }, First::then, First::then);
    client.delayed(|(first,): (First<String>,)| first.values, (first,))
}
