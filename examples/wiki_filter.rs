//! The log files of the Dask tutorials: which Wikipedia pages about somebody were viewed, in one language.
//!
//! A line is `date time language page hits bytes`. It matches if it has at least six fields, the pattern is
//! found in the fourth, and the third is the language.

mod cli;

use clap::{Parser, ValueEnum};
use cli::{Digest, Flags, Report};
use regex::Regex;
use serde_json::{Value, json};
use serried::{
    Delayed,
    bag::{Compression, Encoding, Faults, Frequencies, Lines, Reading},
    prelude::*,
};
use std::{path::Path, sync::Arc};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// The files, a pattern such as 'data/part-*'; plain or compressed
    #[arg(long, required = true)]
    files: Vec<String>,
    /// What to find in the name of the page
    #[arg(long, default_value = "Obama")]
    regex: String,
    /// The language; empty for all
    #[arg(long, default_value = "en")]
    language: String,
    #[arg(long, value_enum, default_value_t = Op::Both)]
    op: Op,
    /// The folder for the files with all lines, for `--op write`
    #[arg(long, required_if_eq("op", "write"))]
    folder: Option<std::path::PathBuf>,
    /// Bytes of a file that are handed out at a time
    #[arg(long)]
    block_bytes: Option<u64>,
    /// Leave out lines that are not UTF-8, and what cannot be read
    #[arg(long)]
    skip: bool,
    /// Take the files for latin1
    #[arg(long, conflicts_with = "skip")]
    latin1: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Op {
    /// All lines
    Count,
    /// Lines that match
    Filter,
    /// Both counts and the first five matches, in one pass
    Both,
    /// The first five matches, without reading more than is needed for them
    Take,
    /// How often each language occurs
    Langfreq,
    /// How often each word of an English title occurs
    Wordfreq,
    /// All lines, written to other files
    Write,
}

/// What is looked for; every rank compiles the pattern for itself.
struct Wanted {
    pattern: Regex,
    language: String,
}

impl Wanted {
    fn new((pattern, language): (String, String)) -> Result<Self, regex::Error> {
        Ok(Wanted { pattern: Regex::new(&pattern)?, language })
    }
}

/// The third and the fourth of at least six fields.
#[inline]
fn language_and_page(line: &str) -> Option<(&str, &str)> {
    let mut blanks = memchr::memchr_iter(b' ', line.as_bytes());
    let (_, second) = (blanks.next()?, blanks.next()?);
    let (third, fourth, _) = (blanks.next()?, blanks.next()?, blanks.next()?);
    Some((&line[second + 1..third], &line[third + 1..fourth]))
}

fn find(line: &str, (wanted,): &(Arc<Wanted>,)) -> bool {
    language_and_page(line).is_some_and(|(language, page)| {
        (wanted.language.is_empty() || language == wanted.language) && wanted.pattern.is_match(page)
    })
}

fn language(line: &str) -> &str {
    line.split(' ').nth(2).unwrap_or("")
}

fn words<'a>(line: &'a str, words: &mut serried::bag::Parts<'_, 'a>) {
    if let Some(("en", page)) = language_and_page(line) {
        page.split('_').for_each(|word| words.push(word));
    }
}

fn frequencies(counts: &Delayed<Frequencies<String>>) -> serried::Result<Value> {
    let counts = counts.compute()?;
    Ok(json!({ "distinct": counts.distinct(), "sum": counts.total(), "top": counts.top(10) }))
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let flags = arguments.flags.clone();
    flags.run("wiki_filter", |client| {
        let (lines, matches) = input(client, &arguments)?;
        let result = match arguments.op {
            Op::Count => json!(lines.count().compute()?),
            Op::Filter => json!(matches.count().compute()?),
            Op::Both => {
                let targets = (&lines.count(), &matches.count(), &matches.first(5));
                let (lines, matching, first) = client.compute(targets)?;
                assert!(first.len() as u64 == matching.min(5));
                json!({ "lines": lines, "matching": matching, "first": first })
            }
            Op::Take => json!(matches.take(5)?),
            Op::Langfreq => frequencies(&lines.part(language).frequencies())?,
            Op::Wordfreq => frequencies(&lines.parts(words).frequencies())?,
            Op::Write => {
                let folder = arguments.folder.as_deref().unwrap_or(Path::new("."));
                json!(lines.write_text(folder, "lines", Compression::None).compute()?.len())
            }
        };
        flags.say(&result);
        Ok(Report { tasks: 1, digest: Digest::of_bytes(result.to_string().into_bytes()), result })
    })
}

/// All lines, and those that match.
fn input(client: &Client, arguments: &Arguments) -> serried::Result<(Lines, Lines)> {
    let mut reading = Reading::new();
    if let Some(bytes) = arguments.block_bytes {
        reading = reading.block_bytes(bytes);
    }
    if arguments.skip {
        reading = reading.faults(Faults::Skip);
    }
    if arguments.latin1 {
        reading = reading.encoding(Encoding::Latin1);
    }
    let wanted = (arguments.regex.clone(), arguments.language.clone());
    let wanted = client.try_local(Wanted::new, wanted)?;
    let lines = client.read_text_as(&arguments.files, &reading)?;
    let matches = lines.filter_with(find, (&wanted,));
    Ok((lines, matches))
}
