//! The graphs of `examples/task_bench` in plain MPI, by hand: what a runtime is measured against.
//!
//! As in the point-to-point program of Task Bench, every rank owns neighbouring columns and goes through the rows
//! one by one: it posts receives for what its tasks of the row read from other ranks, sends what others read of its
//! last row, waits for all of it, and runs its tasks. All runs are done once more than they are reported, so that
//! connections are made and memory is touched.
//!
//! Two things are done better than there. Outputs of a rank's own tasks are read where they are, not copied. And an
//! output goes once to each rank that reads it; `--message-per-reader` sends it once for each task that does.
//!
//! ```text
//! cargo bench --bench task_bench_mpi --no-run                # then, with the path that it prints,
//! mpirun -n 2 target/release/deps/task_bench_mpi-... -steps 1000 -width 8 -type stencil_1d --runs 5
//! ```

// MPI's functions read and write buffers that they are told the address of, and hold on to them until they are
// waited for.
#![allow(unsafe_code)]
// Cargo compiles the tests of the parts into a bench, and runs none of them.
#![allow(dead_code, unused_imports)]

#[path = "../examples/task_bench/execute.rs"]
mod execute;
#[path = "../examples/task_bench/flags.rs"]
mod flags;
#[path = "../examples/task_bench/graph.rs"]
mod graph;
#[path = "../examples/task_bench/kernel/mod.rs"]
mod kernel;
#[path = "../examples/task_bench/pattern.rs"]
mod pattern;
#[path = "../examples/task_bench/relation.rs"]
mod relation;
#[path = "../examples/task_bench/report.rs"]
mod report;
#[path = "../examples/task_bench/tally.rs"]
mod tally;
#[path = "../examples/task_bench/uniform.rs"]
mod uniform;

use execute::{Fault, PAIR, Task, UNTOUCHED, pair};
use flags::{CommandLine, Refusal, USAGE};
use graph::TaskGraph;
use mpi::{
    collective::SystemOperation,
    ffi::{self, MPI_Comm, MPI_Request},
    raw::AsRaw,
    topology::{Communicator, SimpleCommunicator},
    traits::{CommunicatorCollectives, Root},
};
use relation::{Dependence, Relation};
use report::{Totals, configuration, median};
use std::{mem::MaybeUninit, ops::Range, os::raw::c_int, process::exit, time::Instant};
use tally::Tally;

const MORE_USAGE: &str = "
Flags of this program:
  --runs N       runs that are timed, after one that is not [1]
  --message-per-reader
                 send an output once for each task that reads it";

/// The flags with two dashes.
#[derive(Debug)]
struct Options {
    /// Runs that are timed; their median is reported.
    runs: usize,
    message_per_reader: bool,
}

impl Options {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut options = Options { runs: 1, message_per_reader: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--runs" => {
                    let runs = words.next().and_then(|runs| runs.parse().ok()).filter(|&runs| runs > 0);
                    options.runs = runs.ok_or("--runs needs a number behind it, at least 1")?;
                }
                "--message-per-reader" => options.message_per_reader = true,
                // That is cargo's.
                "--bench" => {}
                _ => return Err(format!("there is no flag `{word}`")),
            }
        }
        Ok(options)
    }
}

fn main() {
    let parsed = CommandLine::parse(std::env::args().skip(1)).and_then(|line| {
        let options = Options::parse(&line.rest).map_err(Refusal::Mistake)?;
        Ok((line, options))
    });
    let (line, options) = match parsed {
        Ok(parsed) => parsed,
        Err(Refusal::Help) => {
            println!("{USAGE}{MORE_USAGE}");
            exit(0);
        }
        Err(Refusal::Mistake(problem)) => {
            eprintln!("error: {problem}\n\n-h tells the flags");
            exit(2);
        }
    };
    let universe = mpi::initialize().expect("nobody has initialised MPI before");
    let world = universe.world();
    let relations: Vec<Relation> = line.graphs.iter().map(Relation::of).collect();
    if line.check {
        for (graph, relation) in line.graphs.iter().zip(&relations) {
            relation.check(graph).unwrap_or_else(|problem| give_up(&world, &problem));
        }
    }
    let graphs = line.graphs.iter().zip(&relations);
    let mut shares: Vec<Share> =
        graphs.map(|(graph, relation)| Share::new(graph, relation, &world, &options)).collect();
    let (seconds, tally) = time(&mut shares, &world, options.runs);
    if world.rank() == 0 {
        let expected: Tally = line.graphs.iter().map(Tally::of_all).sum();
        if tally != expected {
            give_up(&world, &format!("not every task has run once: {tally:?}, not {expected:?}"));
        }
        print!("{}", configuration(&line, &relations));
        print!("{}", Totals::of(&line, &relations).report(seconds));
    }
}

/// Runs all graphs, one after the other: first to warm up, and then `runs` times. The median of the seconds, and on
/// rank 0 the tasks that all ranks have run in the last one.
fn time(shares: &mut [Share<'_>], world: &SimpleCommunicator, runs: usize) -> (f64, Tally) {
    let mut seconds = Vec::with_capacity(runs);
    let mut tally = Tally::default();
    for run in 0..=runs {
        tally = Tally::default();
        world.barrier();
        let start = Instant::now();
        for share in &mut *shares {
            tally += share.run().unwrap_or_else(|fault| give_up(world, &fault.to_string()));
        }
        world.barrier();
        if run > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    let mine = [tally.tasks, tally.checksum];
    let mut all = [0; 2];
    let root = world.process_at_rank(0);
    if world.rank() == 0 {
        root.reduce_into_root(&mine[..], &mut all[..], SystemOperation::sum());
    } else {
        root.reduce_into(&mine[..], SystemOperation::sum());
    }
    (median(&seconds), Tally { tasks: all[0], checksum: all[1] })
}

fn give_up(world: &SimpleCommunicator, problem: &str) -> ! {
    eprintln!("error: {problem}");
    world.abort(1)
}

/// What a rank has to do with a graph.
struct Share<'a> {
    graph: &'a TaskGraph,
    relation: &'a Relation,
    communicator: MPI_Comm,
    /// The columns of this rank.
    mine: Range<u32>,
    sets: Vec<Messages>,
    /// The outputs of the own tasks of the row before and of this row.
    previous: Slots,
    current: Slots,
    arrived: Slots,
    scratch: Vec<Vec<u64>>,
    requests: Vec<MPI_Request>,
}

/// What travels to and from this rank before a row, if all tasks exist.
#[derive(Default)]
struct Messages {
    receives: Vec<Message>,
    sends: Vec<Message>,
    /// Buffers that the receives need.
    slots: usize,
    /// Where the inputs are, in the order of the dependences of the set; of own columns only.
    sources: Vec<Source>,
}

/// That the output of a column goes to the rank of a reader.
struct Message {
    dependence: Dependence,
    reader: u32,
    peer: c_int,
    tag: c_int,
    slot: usize,
}

#[derive(Clone, Copy)]
enum Source {
    Mine(usize),
    Arrived(usize),
    /// It is for another rank.
    Elsewhere,
}

impl<'a> Share<'a> {
    fn new(
        graph: &'a TaskGraph,
        relation: &'a Relation,
        world: &SimpleCommunicator,
        options: &Options,
    ) -> Self {
        let columns = Columns { width: graph.width, ranks: world.size() as u32 };
        let mine = columns.of(world.rank() as u32);
        let sets = (0..graph.sets()).map(|set| Messages::of(relation, set, &columns, &mine, options));
        let sets: Vec<Messages> = sets.collect();
        let most = |count: fn(&Messages) -> usize| sets.iter().map(count).max().unwrap_or(0);
        Share {
            communicator: world.as_raw(),
            previous: Slots::new(mine.len(), graph.output),
            current: Slots::new(mine.len(), graph.output),
            arrived: Slots::new(most(|set| set.slots), graph.output),
            scratch: mine.clone().map(|_| vec![UNTOUCHED; graph.scratch / 8]).collect(),
            requests: Vec::with_capacity(most(|set| set.receives.len() + set.sends.len())),
            sets,
            graph,
            relation,
            mine,
        }
    }

    fn run(&mut self) -> Result<Tally, Fault> {
        let mut tally = Tally::default();
        for (t, row) in self.graph.rows() {
            self.exchange(t, &row);
            let Share { graph, relation, previous, current, arrived, .. } = self;
            let sources = &self.sets[graph.set(t) as usize].sources;
            for i in row.start.max(self.mine.start)..row.end.min(self.mine.end) {
                let column = (i - self.mine.start) as usize;
                let task = Task { graph, relation, t, i };
                task.check(|place, _| match sources[place] {
                    Source::Mine(column) => Some(previous.get(column)),
                    Source::Arrived(slot) => Some(arrived.get(slot)),
                    Source::Elsewhere => None,
                })?;
                task.work(&mut self.scratch[column])?;
                fill(current.get_mut(column), pair(t, i));
                tally += Tally::of(graph.number, t, i);
            }
            std::mem::swap(&mut self.previous, &mut self.current);
        }
        Ok(tally)
    }

    /// Brings the outputs of the row before to where row `t` reads them.
    fn exchange(&mut self, t: u32, row: &Range<u32>) {
        let before = self.graph.row_before(t);
        let set = &self.sets[self.graph.set(t) as usize];
        self.requests.clear();
        for message in set.receives.iter().filter(|message| message.is_due(&before, row)) {
            let mut request = MaybeUninit::uninit();
            // SAFETY: the slot is this message's own, and is not looked at until all requests have been waited for,
            // below; MPI is initialised, and writes `request`.
            unsafe {
                ffi::MPI_Irecv(
                    self.arrived.address(message.slot).cast(),
                    self.graph.output as c_int,
                    ffi::RSMPI_UINT8_T,
                    message.peer,
                    message.tag,
                    self.communicator,
                    request.as_mut_ptr(),
                );
                self.requests.push(request.assume_init());
            }
        }
        for message in set.sends.iter().filter(|message| message.is_due(&before, row)) {
            let bytes = self.previous.get(message.slot);
            let mut request = MaybeUninit::uninit();
            // SAFETY: outputs of the row before are not written to until all requests have been waited for, below;
            // MPI is initialised, and writes `request`.
            unsafe {
                ffi::MPI_Isend(
                    bytes.as_ptr().cast(),
                    bytes.len() as c_int,
                    ffi::RSMPI_UINT8_T,
                    message.peer,
                    message.tag,
                    self.communicator,
                    request.as_mut_ptr(),
                );
                self.requests.push(request.assume_init());
            }
        }
        if self.requests.is_empty() {
            return;
        }
        // SAFETY: these are the requests that were made above, none of which has been completed.
        unsafe {
            ffi::MPI_Waitall(
                self.requests.len() as c_int,
                self.requests.as_mut_ptr(),
                ffi::RSMPI_STATUSES_IGNORE,
            );
        }
    }
}

/// Which columns belong to which rank.
struct Columns {
    width: u32,
    ranks: u32,
}

impl Columns {
    fn of(&self, rank: u32) -> Range<u32> {
        let first = |rank| (u64::from(rank) * u64::from(self.width) / u64::from(self.ranks)) as u32;
        first(rank)..first(rank + 1)
    }

    /// The last rank whose first column is not behind this one.
    fn owner(&self, column: u32) -> u32 {
        (((u64::from(column) + 1) * u64::from(self.ranks) - 1) / u64::from(self.width)) as u32
    }
}

impl Messages {
    fn of(relation: &Relation, set: u32, columns: &Columns, mine: &Range<u32>, options: &Options) -> Self {
        let mut messages = Messages::default();
        for reader in 0..columns.width {
            for &Dependence { from, .. } in relation.dependences(set, reader).1 {
                let source = match (mine.contains(&from), mine.contains(&reader)) {
                    (true, true) => Source::Mine((from - mine.start) as usize),
                    (false, false) => Source::Elsewhere,
                    (sends, _) => {
                        let mut message = Message::of(relation, set, columns, from, reader, options);
                        if sends {
                            message.peer = columns.owner(reader) as c_int;
                            message.slot = (from - mine.start) as usize;
                            messages.sends.push(message);
                            Source::Elsewhere
                        } else {
                            message.peer = columns.owner(from) as c_int;
                            message.slot = messages.slot_for(&message);
                            let source = Source::Arrived(message.slot);
                            messages.receives.push(message);
                            source
                        }
                    }
                };
                messages.sources.push(source);
            }
        }
        messages
    }

    /// A slot of its own, unless the same output comes for a reader before this one.
    fn slot_for(&mut self, message: &Message) -> usize {
        if message.dependence.reader_below.is_some() {
            let same = |other: &&Message| other.dependence.from == message.dependence.from;
            return self.receives.iter().rfind(same).expect("the reader below is of this rank").slot;
        }
        self.slots += 1;
        self.slots - 1
    }
}

impl Message {
    /// The message without the rank it goes to or comes from, and without its place there.
    fn of(
        relation: &Relation,
        set: u32,
        columns: &Columns,
        from: u32,
        reader: u32,
        options: &Options,
    ) -> Self {
        let rank = columns.of(columns.owner(reader));
        let below = |other: &u32| rank.contains(other) && *other < reader;
        let (reader_below, tag) = match options.message_per_reader {
            true => (None, from * columns.width + reader),
            false => (relation.readers(set, from).iter().copied().filter(below).max(), from),
        };
        Message { dependence: Dependence { from, reader_below }, reader, peer: 0, tag: tag as c_int, slot: 0 }
    }

    /// Whether both tasks exist, and no reader before this one has the same rank receive the same output.
    fn is_due(&self, before: &Range<u32>, row: &Range<u32>) -> bool {
        before.contains(&self.dependence.from)
            && row.contains(&self.reader)
            && self.dependence.is_first_reader(row)
    }
}

/// Buffers of one length, each at the beginning of a cache line.
struct Slots {
    words: Vec<[u64; 8]>,
    lines: usize,
    length: usize,
}

impl Slots {
    fn new(count: usize, length: usize) -> Self {
        let lines = length.div_ceil(64);
        Slots { words: vec![[0; 8]; count * lines], lines, length }
    }

    #[inline]
    fn get(&self, slot: usize) -> &[u8] {
        let lines = &self.words[slot * self.lines..][..self.lines];
        &bytemuck::cast_slice(lines)[..self.length]
    }

    /// Where a slot begins, without a reference to it or to any other.
    fn address(&mut self, slot: usize) -> *mut u8 {
        self.words.as_mut_ptr().wrapping_add(slot * self.lines).cast()
    }

    #[inline]
    fn get_mut(&mut self, slot: usize) -> &mut [u8] {
        let lines = &mut self.words[slot * self.lines..][..self.lines];
        &mut bytemuck::cast_slice_mut(lines)[..self.length]
    }
}

/// Writes an output: its pair again and again, and the beginning of one where the length is no multiple.
#[inline]
fn fill(bytes: &mut [u8], pair: [u8; PAIR]) {
    let (pairs, rest) = bytes.as_chunks_mut::<PAIR>();
    pairs.fill(pair);
    rest.copy_from_slice(&pair[..rest.len()]);
}
