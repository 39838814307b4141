//! Writing: a file for each unit of the input.

use super::{bag::Bag, error::WriteError, json, lines::Lines, part::Part, text::Place};
use crate::client::{Client, Delayed, Map};
use crate::task::Temporaries;
use crate::wire::Value;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// How output files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip, `.gz`.
    Gzip,
    /// bzip2, `.bz2`.
    Bzip2,
    /// zstd, `.zst`.
    Zstd,
    /// xz, `.xz`.
    Xz,
}

impl Compression {
    fn extension(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Bzip2 => ".bz2",
            Compression::Zstd => ".zst",
            Compression::Xz => ".xz",
        }
    }

    /// A piece by itself: what is compressed in this way may be put behind each other.
    fn compress(self, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        match self {
            Compression::None => Ok(bytes),
            Compression::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(&bytes)?;
                encoder.finish()
            }
            Compression::Bzip2 => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
                encoder.write_all(&bytes)?;
                encoder.finish()
            }
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(Vec::new(), zstd::DEFAULT_COMPRESSION_LEVEL)?;
                encoder.include_checksum(true)?;
                encoder.write_all(&bytes)?;
                encoder.finish()
            }
            Compression::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
                encoder.write_all(&bytes)?;
                encoder.finish()
            }
        }
    }
}

/// Where output goes.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Target {
    folder: PathBuf,
    stem: String,
    ending: String,
    compression: Compression,
    /// Tells the temporary files of this run from those of another.
    run: u64,
}

impl Target {
    fn name(&self, source: u64, unit: u64) -> PathBuf {
        self.folder.join(format!("{}-{source:02}-{unit:06}{}", self.stem, self.ending))
    }

    fn temporary(&self, name: &Path) -> PathBuf {
        let name = name.file_name().unwrap_or_default().to_string_lossy();
        self.folder.join(format!(".{name}.{:016x}.part", self.run))
    }

    /// Adds a piece to the file of its unit; the files that were begun.
    fn write(
        &self,
        source: u64,
        place: &Place,
        bytes: Vec<u8>,
        temporaries: &Temporaries,
    ) -> Result<Vec<PathBuf>, WriteError> {
        let name = self.name(source, place.number);
        let temporary = self.temporary(&name);
        let begins = place.piece == 0;
        let write = || {
            let bytes = self.compression.compress(bytes)?;
            let mut file = temporaries.open(&temporary, |temporary| match begins {
                true => File::create(temporary),
                false => OpenOptions::new().append(true).create(true).open(temporary),
            })?;
            file.write_all(&bytes)
        };
        if let Err(error) = write() {
            // The others go with the run; this one makes room on a disk that may be full.
            let _ = fs::remove_file(&temporary);
            return Err(WriteError::new(&name, error));
        }
        Ok(if begins { vec![name] } else { Vec::new() })
    }

    /// Gives all files their names.
    fn finish(&self, mut names: Vec<PathBuf>) -> Result<Vec<PathBuf>, WriteError> {
        names.sort_unstable();
        for name in &names {
            let temporary = self.temporary(name);
            let finished = File::open(&temporary).and_then(|file| file.sync_all());
            finished
                .and_then(|()| fs::rename(temporary, name))
                .map_err(|error| WriteError::new(name, error))?;
        }
        match self.left_over(&names)? {
            Some(file) => Err(WriteError::Left { file, written: names.len() }),
            None => Ok(names),
        }
    }

    /// A file that looks like one of these, which are in order, and is none: an earlier run wrote more of them.
    fn left_over(&self, names: &[PathBuf]) -> Result<Option<PathBuf>, WriteError> {
        let is_like = |name: &str| {
            let numbers = name.strip_prefix(&self.stem)?.strip_prefix('-')?.strip_suffix(&self.ending)?;
            let (source, unit) = numbers.split_once('-')?;
            Some([source, unit].iter().all(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())))
        };
        let files = fs::read_dir(&self.folder).map_err(|error| WriteError::new(&self.folder, error))?;
        let alike = files.flatten().filter(|file| is_like(&file.file_name().to_string_lossy()) == Some(true));
        Ok(alike.map(|file| file.path()).filter(|path| names.binary_search(path).is_err()).min())
    }
}

fn target(client: &Client, folder: &Path, stem: &str, kind: &str, compression: Compression) -> Target {
    let ending = format!(".{kind}{}", compression.extension());
    let run = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64);
    let run = run ^ (u64::from(std::process::id()) << 32) ^ client.ranks() as u64;
    Target { folder: folder.to_owned(), stem: stem.to_owned(), ending, compression, run }
}

/// The names of the files, once all are written.
fn finish(client: &Client, target: Target, written: Vec<Map<Vec<PathBuf>>>) -> Delayed<Vec<PathBuf>> {
    let append = |mut a: Vec<PathBuf>, b: Vec<PathBuf>| {
        a.extend(b);
        a
    };
    let all = written.iter().map(|names| names.fold(Vec::new(), append, append));
    let all = all.reduce(|a, b| {
        client.delayed(
            |(mut a, b): (Vec<PathBuf>, Vec<PathBuf>)| {
                a.extend(b);
                a
            },
            (a, b),
        )
    });
    let all = all.expect("a bag has at least one map");
    client.try_delayed(|(target, names): (Target, Vec<PathBuf>)| target.finish(names), (target, all))
}

impl Lines {
    /// Writes the lines to files in a folder that all ranks see, one for each unit of the input:
    /// `stem-00-000000.txt` and so on, in order. The result are their names.
    ///
    /// Files are written under temporary names, which begin with a dot, and renamed when all of them are complete.
    /// After a failure the temporary ones are removed when the run ends; only the violent end of the whole program
    /// leaves them lying about.
    ///
    /// Files of an earlier run that have the same names are replaced. If that run wrote more of them, the result is an
    /// error that names one of the rest, since a pattern would find old lines beside the new ones.
    ///
    /// ```
    /// use serried::{bag::Compression, prelude::*};
    ///
    /// # fn main() -> serried::Result<()> {
    /// let folder = tempfile::tempdir().expect("a folder");
    /// std::fs::write(folder.path().join("in"), "a\nb\nc\n").expect("written");
    /// serried::run(|client| {
    ///     let lines = client.read_text(folder.path().join("in"))?.filter(|line| line != "b");
    ///     lines.write_text(folder.path(), "out", Compression::Gzip).compute()?;
    ///     let again = client.read_text(folder.path().join("out-*"))?;
    ///     assert_eq!(again.collect().compute()?, ["a", "c"]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    #[must_use]
    pub fn write_text(
        &self,
        folder: impl AsRef<Path>,
        stem: &str,
        compression: Compression,
    ) -> Delayed<Vec<PathBuf>> {
        let target = target(&self.client, folder.as_ref(), stem, "txt", compression);
        let temporaries = match self.client.local(|()| Temporaries::default(), ()) {
            Ok(temporaries) => temporaries,
            Err(error) => return self.client.broken(error),
        };
        let write = |block: super::block::LineBlock, (target, temporaries): &(Target, Arc<Temporaries>)| {
            let mut bytes = Vec::new();
            block.each(|line| {
                bytes.extend_from_slice(line.as_bytes());
                bytes.push(b'\n');
            });
            target.write(0, block.place(), bytes, temporaries)
        };
        let shared = (target.clone(), &temporaries);
        let written = self.client.try_map_with(write, &self.blocks, shared).label("write_text");
        finish(&self.client, target, vec![written])
    }
}

impl<T: Value + Clone> Bag<T> {
    /// Writes the values as JSON, one on a line, as [`Lines::write_text`] does: `stem-00-000000.jsonl` and so
    /// on.
    ///
    /// [`read_json_lines`](Client::read_json_lines) gives the same values again, every bit of every number. A float
    /// that is not finite is an error, since JSON has no word for it and would have a null in its place. That is
    /// also what `Some(None)` is written as, and it is read as `None`.
    #[track_caller]
    #[must_use]
    pub fn write_json_lines(
        &self,
        folder: impl AsRef<Path>,
        stem: &str,
        compression: Compression,
    ) -> Delayed<Vec<PathBuf>> {
        let target = target(&self.client, folder.as_ref(), stem, "jsonl", compression);
        let temporaries = match self.client.local(|()| Temporaries::default(), ()) {
            Ok(temporaries) => temporaries,
            Err(error) => return self.client.broken(error),
        };
        let write = |part: Part<T>, (source, target, temporaries): &(u64, Target, Arc<Temporaries>)| {
            let mut bytes = Vec::new();
            for value in part.values.iter() {
                json::write(value, &mut bytes)
                    .map_err(|problem| WriteError::new(&target.name(*source, part.place.number), problem))?;
                bytes.push(b'\n');
            }
            target.write(*source, &part.place, bytes, temporaries)
        };
        let written = (0u64..).zip(&self.parts).map(|(source, parts)| {
            let shared = (source, target.clone(), &temporaries);
            self.client.try_map_with(write, parts, shared).label("write_json_lines")
        });
        let written = written.collect();
        finish(&self.client, target, written)
    }
}
