//! Events in, commands out.

use super::*;
use crate::graph::{Branch, Home, Import, Output, Part, PassSpec, RangeSet, SinkSpec, leaf_length};
use crate::task::{
    Build, FnRef, GraphId, PassId, Place, Slot,
    pipeline::{BuiltSink, BuiltSource, Collect, RangeEntry},
};
use std::{ops::Range, time::Duration};

const GRAPH: GraphId = GraphId(3);
const PASS: PassId = PassId(5);

fn function<F: Copy + 'static, B: Build<F>>(function: F) -> FnRef<B::Output> {
    FnRef::new::<F, B>(function).expect("in the executable")
}

/// A pass that collects a range.
fn order(length: u64) -> PassOrder {
    let source: FnRef<BuiltSource> = function::<fn(u64), RangeEntry<u64>>(|_| ());
    let build: FnRef<BuiltSink> = function::<fn(u64), Collect<u64>>(|_| ());
    let sink = SinkSpec {
        from: Branch::Source,
        build,
        constants: Vec::new(),
        inputs: 0,
        home: Home::One { rank: 0, place: Place { graph: GRAPH, slot: Slot(0) } },
        takes_failures: false,
        label: "collect".into(),
    };
    let spec = PassSpec {
        pass: PASS,
        run: 0,
        source,
        source_constants: vec![0; 8],
        reads: None,
        stages: Vec::new(),
        sinks: vec![sink],
        spread: None,
        length,
        leaf: leaf_length(length),
        batch: None,
        stop_at_failure: true,
        inputs: 0,
    };
    PassOrder { spec, slices: None, keeps: None, without: RangeSet::default() }
}

/// A message in a few characters.
fn brief(message: &ToWorker) -> String {
    match message {
        ToWorker::Part(part) => format!("part {}", part.graph),
        ToWorker::Value { to, .. } => format!("value {} {}", to.graph, to.slot),
        ToWorker::Release(places) => format!("release {}", places.len()),
        ToWorker::Cancel { place, .. } => format!("cancel {}", place.slot),
        ToWorker::Pass(spec) => format!("pass {}", spec.pass),
        ToWorker::Grant { range, .. } => format!("grant {range:?}"),
        ToWorker::Drain(_) => "drain".into(),
        ToWorker::Total { granted, .. } => format!("total {granted:?}"),
        ToWorker::Leave => "leave".into(),
        other => format!("{other:?}"),
    }
}

/// A scheduler and what it has said since it was last asked.
struct Rig {
    scheduler: Scheduler,
    now: Duration,
}

impl Rig {
    fn new(threads: &[u64]) -> Self {
        Rig { scheduler: Scheduler::new(threads.to_vec(), Policy::default()), now: Duration::ZERO }
    }

    /// Hands an event over and checks what is sent: rank and message, in the order of the ranks.
    fn expect(&mut self, event: Event, sent: &[(u32, &str)]) -> Vec<ClientEvent> {
        self.now += Duration::from_millis(1);
        let (mut out, mut completed) = (Outbox::default(), Vec::new());
        self.scheduler.handle(self.now, event, &mut out, &mut completed);
        self.scheduler.sanity_check();
        assert!(out.scheduler.is_empty(), "it does not talk to itself");
        let said: Vec<(u32, String)> =
            out.take_workers().iter().map(|(rank, message)| (*rank, brief(message))).collect();
        let said: Vec<(u32, &str)> = said.iter().map(|(rank, text)| (*rank, text.as_str())).collect();
        assert_eq!(said, sent);
        completed
    }

    fn progress(range: Range<u64>, nanos_each: u64, failed: Option<u64>) -> ToScheduler {
        let busy_nanos = nanos_each * (range.end - range.start);
        ToScheduler::Progress(Progress { done: range.into(), busy_nanos, failed, ..Progress::of(PASS) })
    }
}

fn submission(order: PassOrder) -> Event {
    Event::Submit(GRAPH, Submission { passes: vec![order], ..Submission::default() })
}

#[test]
fn long_elements_go_out_one_by_one() {
    let mut rig = Rig::new(&[1, 1]);
    rig.expect(submission(order(5)), &[(0, "pass p5"), (0, "grant 0..1"), (1, "pass p5"), (1, "grant 1..2")]);
    let long = 300_000_000;
    rig.expect(Event::Message(1, Rig::progress(1..2, long, None)), &[(1, "grant 2..3")]);
    rig.expect(Event::Message(0, Rig::progress(0..1, long, None)), &[(0, "grant 3..4")]);
    // With the last grant, everybody hears that it was the last.
    rig.expect(
        Event::Message(1, Rig::progress(2..3, long, None)),
        &[(0, "drain"), (0, "total {0..5}"), (1, "grant 4..5"), (1, "drain")],
    );
    rig.expect(Event::Message(0, Rig::progress(3..4, long, None)), &[]);
    assert!(!rig.scheduler.is_idle());
    rig.expect(Event::Message(1, Rig::progress(4..5, long, None)), &[]);
    assert!(rig.scheduler.is_idle());
}

#[test]
fn short_elements_go_out_in_halves_of_what_is_left() {
    let mut rig = Rig::new(&[1, 1]);
    rig.expect(
        submission(order(1 << 20)),
        &[(0, "pass p5"), (0, "grant 0..16384"), (1, "pass p5"), (1, "grant 16384..32768")],
    );
    rig.expect(Event::Message(0, Rig::progress(0..16384, 10, None)), &[(0, "grant 32768..286720")]);
}

#[test]
fn elements_behind_a_failure_are_not_granted() {
    let mut rig = Rig::new(&[1, 1]);
    rig.expect(
        submission(order(1000)),
        &[(0, "pass p5"), (0, "grant 0..16"), (1, "pass p5"), (1, "grant 16..32")],
    );
    rig.expect(
        Event::Message(1, Rig::progress(16..32, 1_000_000_000, Some(20))),
        &[(0, "drain"), (0, "total {0..32}"), (1, "drain")],
    );
    rig.expect(Event::Message(0, Rig::progress(0..16, 1_000_000_000, None)), &[]);
    assert!(rig.scheduler.is_idle());
}

#[test]
fn a_rank_without_threads_is_told_and_not_asked() {
    let mut rig = Rig::new(&[0, 2]);
    rig.expect(
        submission(order(1)),
        &[(0, "pass p5"), (0, "drain"), (0, "total {0..1}"), (1, "pass p5"), (1, "grant 0..1"), (1, "drain")],
    );
}

#[test]
fn parts_go_before_the_values_and_passes_that_need_them() {
    let mut rig = Rig::new(&[1, 1]);
    let mut part = Part::new(GRAPH);
    part.imports.push(Import::Arrives);
    part.outputs.push((Slot(0), Output::Result(0)));
    let place = Place { graph: GRAPH, slot: Slot(0) };
    let value = crate::task::Stored::from_bytes(vec![0; 8]);
    let submission = Submission {
        parts: [(1, part)].into(),
        values: vec![(1, place, value.clone())],
        awaited: 1,
        ..Submission::default()
    };
    rig.expect(Event::Submit(GRAPH, submission), &[(1, "part g3"), (1, "value g3 s0")]);
    assert!(!rig.scheduler.is_idle());
    let result = ToScheduler::Result { graph: GRAPH, token: 0, outcome: Ok(value) };
    let completed = rig.expect(Event::Message(1, result), &[]);
    assert!(matches!(completed[..], [ClientEvent::Result { graph: GRAPH, token: 0, .. }]));
    assert!(rig.scheduler.is_idle());
    rig.expect(
        Event::Release(vec![(1, place), (0, place), (1, place)]),
        &[(0, "release 1"), (1, "release 2")],
    );
    rig.expect(Event::Finish, &[(0, "leave"), (1, "leave")]);
}

#[test]
fn silence_is_reported_once_a_minute_with_what_is_waited_for() {
    let mut rig = Rig::new(&[1]);
    rig.expect(submission(order(2)), &[(0, "pass p5"), (0, "grant 0..1")]);
    let mut told = Vec::new();
    for _ in 0..150 {
        rig.now += Duration::from_secs(1);
        told.extend(rig.expect(Event::Tick, &[]));
    }
    let told: Vec<String> = told.iter().map(|letter| format!("{letter:?}")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("map p5 has 0 of 2 elements, ranks at work [0]"), "{told:?}");
}

#[test]
fn elements_that_are_done_already_are_not_granted() {
    let mut rig = Rig::new(&[1]);
    let without = RangeSet::from_iter([0..3, 4..6]);
    rig.expect(submission(PassOrder { without, ..order(7) }), &[(0, "pass p5"), (0, "grant 3..4")]);
    rig.expect(
        Event::Message(0, Rig::progress(3..4, 1_000_000_000, None)),
        &[(0, "grant 6..7"), (0, "drain"), (0, "total {3..4, 6..7}")],
    );
    rig.expect(Event::Message(0, Rig::progress(6..7, 1_000_000_000, None)), &[]);
    assert!(rig.scheduler.is_idle());
}

#[test]
fn what_is_reported_twice_counts_once() {
    let mut rig = Rig::new(&[1, 1]);
    rig.expect(submission(order(3)), &[(0, "pass p5"), (0, "grant 0..1"), (1, "pass p5"), (1, "grant 1..2")]);
    let long = 1_000_000_000;
    let last = [(0, "total {0..3}"), (1, "drain")];
    rig.expect(
        Event::Message(1, Rig::progress(1..2, long, None)),
        &[&[(0, "drain")], &last[..1], &[(1, "grant 2..3")], &last[1..]].concat(),
    );
    // Rank 1 repeats itself, and says what rank 0 has been given.
    rig.expect(Event::Message(1, Rig::progress(0..2, long, None)), &[]);
    rig.expect(Event::Message(1, Rig::progress(2..3, long, None)), &[]);
    assert!(!rig.scheduler.is_idle(), "rank 0 still works");
    rig.expect(Event::Message(0, Rig::progress(0..1, long, None)), &[]);
    assert!(rig.scheduler.is_idle());
}

#[test]
fn a_pass_that_nobody_wants_ends_with_what_runs() {
    let mut rig = Rig::new(&[1, 1]);
    let place = Place { graph: GRAPH, slot: Slot(0) };
    let submission = Submission { passes: vec![order(100_000)], awaited: 1, ..Submission::default() };
    let event = Event::Submit(GRAPH, submission);
    let (first, second) = ((0, "grant 0..1563"), (1, "grant 1563..3126"));
    rig.expect(event, &[(0, "pass p5"), first, (1, "pass p5"), second]);
    rig.expect(
        Event::Release(vec![(0, place)]),
        &[(0, "release 1"), (0, "Stop(PassId(5))"), (1, "Stop(PassId(5))")],
    );
    // Rank 1 had begun a tenth of what it was given.
    let returned = ToScheduler::Returned { pass: PASS, ranges: (1720..3126).into() };
    rig.expect(Event::Message(1, returned), &[]);
    rig.expect(Event::Message(1, Rig::progress(1563..1720, 10, None)), &[]);
    rig.expect(
        Event::Message(0, Rig::progress(0..1563, 10, None)),
        &[(0, "drain"), (0, "total {0..1720}"), (1, "drain")],
    );
    let done = ToScheduler::Done { graph: GRAPH, token: 0, error: None };
    rig.expect(Event::Message(0, done), &[]);
    assert!(rig.scheduler.is_idle());
}

#[test]
fn a_pass_of_which_all_is_granted_runs_to_its_end() {
    let mut rig = Rig::new(&[2]);
    let place = Place { graph: GRAPH, slot: Slot(0) };
    let submission = Submission { passes: vec![order(2)], awaited: 1, ..Submission::default() };
    let begun = [(0, "pass p5"), (0, "grant 0..2"), (0, "drain"), (0, "total {0..2}")];
    rig.expect(Event::Submit(GRAPH, submission), &begun);
    rig.expect(Event::Release(vec![(0, place)]), &[(0, "release 1")]);
    rig.expect(Event::Message(0, Rig::progress(0..2, 10, None)), &[]);
    rig.expect(Event::Message(0, ToScheduler::Done { graph: GRAPH, token: 0, error: None }), &[]);
    assert!(rig.scheduler.is_idle());
}
