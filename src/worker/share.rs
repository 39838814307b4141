//! Large data on its way to every node: in pieces along the tree of the nodes' first ranks, each of which
//! makes memory of them and shows it to the other ranks of its node.
//!
//! Two ranks speak of a value like this, and each ends up with one outcome:
//!
//! ```text
//! Map ------> Mapped                          the rank has the memory of its node
//! Map ------> Refused, then as below          it cannot map it, and has a transfer of its own
//! Offer, Piece, Piece, ... ---> Received ...  as many pieces are on their way as fit a window
//! ... Failed                                  at any time instead of the rest, and nothing after it
//! ```
//!
//! Whoever has shown memory keeps it, and its open file, until everybody has answered, whatever has become of
//! the value on its own rank meanwhile. A rank that fails to keep what it is sent takes the rest in all the
//! same, so that these rules hold.

use crate::scheduler::{Outbox, Share, ShareMessage, ToWorker};
use crate::task::{Descriptor, Door, Draft, Failure, Memory, Outcome, Place, RankContext, Stored, TaskError};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
};

/// Bytes of a piece: much more than what a message costs, much less than a slice. Tests have small slices.
const PIECE: u64 = if cfg!(test) { 24 } else { 1 << 20 };
/// Pieces on their way to one rank: these are copies, and enough of them to keep both ends busy.
const WINDOW: u64 = 8;

/// What a rank gets and gives of data on its way.
#[derive(Debug)]
pub(super) struct Shares {
    context: Arc<RankContext>,
    transfers: BTreeMap<Place, Transfer>,
    /// Whether the log has it that memory of other ranks cannot be mapped here.
    told: bool,
}

/// Data on its way to this rank, and from it to others, until everybody has it.
#[derive(Debug)]
struct Transfer {
    content: Content,
    length: u64,
    received: u64,
    door: Option<Door>,
    /// Ranks that have been shown the memory and have not answered.
    shown: BTreeSet<u32>,
    /// Ranks that are sent the bytes.
    streams: BTreeMap<u32, Stream>,
}

#[derive(Debug)]
enum Content {
    Growing(Draft),
    Whole(Arc<Memory>),
    /// It could not be kept.
    Lost,
}

#[derive(Debug, Default)]
struct Stream {
    sent: u64,
    received: u64,
}

impl Shares {
    pub(super) fn new(context: Arc<RankContext>) -> Self {
        Shares { context, transfers: BTreeMap::new(), told: false }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.transfers.is_empty()
    }

    /// Reacts to a message; the outcome of the value on this rank, if this decides it.
    pub(super) fn handle(&mut self, message: ShareMessage, out: &mut Outbox) -> Option<Outcome> {
        let ShareMessage { from, to, what } = message;
        match what {
            Share::Here => self.begin(to, out),
            Share::Map(descriptor) => self.map(from, to, &descriptor, out),
            Share::Mapped => {
                if let Some(transfer) = self.transfers.get_mut(&to) {
                    transfer.shown.remove(&from);
                }
                self.retire(to);
                None
            }
            Share::Refused => {
                if let Some(transfer) = self.transfers.get_mut(&to) {
                    transfer.shown.remove(&from);
                }
                self.stream_to(to, [from], out);
                self.pump(to, out)
            }
            Share::Offer(length) => self.offered(to, length, out),
            Share::Piece(bytes) => self.piece(from, to, &bytes, out),
            Share::Received(received) => {
                if let Some(stream) =
                    self.transfers.get_mut(&to).and_then(|transfer| transfer.streams.get_mut(&from))
                {
                    stream.received = received;
                }
                self.pump(to, out)
            }
            Share::Failed(error) => {
                let transfer = self.transfers.remove(&to);
                if transfer.is_some_and(|transfer| matches!(transfer.content, Content::Lost)) {
                    // It has failed here before, which decided the value.
                    return None;
                }
                self.fail_others(to, &error, out);
                Some(Err(error))
            }
        }
    }

    /// Rank 0's client has the memory.
    fn begin(&mut self, to: Place, out: &mut Outbox) -> Option<Outcome> {
        let (memory, door) = self.context.memories.take_up(to)?;
        let length = memory.bytes().len() as u64;
        let content = Content::Whole(Arc::clone(&memory));
        self.transfers.insert(to, Transfer { received: length, door, ..Transfer::new(content, length) });
        self.offer_below(to, out);
        self.show(to, out);
        self.pump(to, out);
        Some(Ok(Stored::Made(memory)))
    }

    fn map(&mut self, from: u32, to: Place, door: &Descriptor, out: &mut Outbox) -> Option<Outcome> {
        match self.context.memories.open(door) {
            Ok(memory) => {
                self.tell(from, to, Share::Mapped, out);
                Some(Ok(Stored::Made(Arc::new(memory))))
            }
            Err(error) => {
                if !std::mem::replace(&mut self.told, true) {
                    let rank = self.context.rank;
                    log::info!(
                        "rank {rank} cannot map what rank {from} shares ({error}), and keeps copies of its own"
                    );
                }
                self.tell(from, to, Share::Refused, out);
                None
            }
        }
    }

    fn offered(&mut self, to: Place, length: u64, out: &mut Outbox) -> Option<Outcome> {
        match self.draft(length) {
            Ok(draft) => {
                self.transfers.insert(to, Transfer::new(Content::Growing(draft), length));
                self.offer_below(to, out);
                self.advance(to, Ok(()), out)
            }
            Err(error) => {
                self.transfers.insert(to, Transfer::new(Content::Lost, length));
                self.lose(to, &error, out)
            }
        }
    }

    fn piece(&mut self, from: u32, to: Place, bytes: &[u8], out: &mut Outbox) -> Option<Outcome> {
        let transfer = self.transfers.get_mut(&to)?;
        let kept = match &mut transfer.content {
            Content::Growing(draft) => draft.write_at(transfer.received, bytes),
            Content::Whole(_) | Content::Lost => Ok(()),
        };
        transfer.received += bytes.len() as u64;
        let received = transfer.received;
        self.tell(from, to, Share::Received(received), out);
        self.advance(to, kept, out)
    }

    /// Passes on what has come, if it could be kept, and ends a transfer that is complete.
    fn advance(&mut self, to: Place, kept: io::Result<()>, out: &mut Outbox) -> Option<Outcome> {
        let transfer = self.transfers.get_mut(&to)?;
        let whole = kept.and_then(|()| transfer.complete());
        let outcome = match whole {
            Ok(None) => None,
            Ok(Some(memory)) => {
                self.show(to, out);
                Some(Ok(Stored::Made(memory)))
            }
            Err(error) => self.lose(to, &error, out),
        };
        let lost = self.pump(to, out);
        self.retire(to);
        outcome.or(lost)
    }

    /// Memory for all ranks of this node, if this one is to make it, and there is such a thing.
    fn draft(&self, length: u64) -> io::Result<Draft> {
        let (me, nodes) = (self.context.rank as u32, &self.context.nodes);
        if nodes.is_first(me) && nodes.neighbours(me).next().is_some() {
            match self.context.memories.of_node(length) {
                Ok(draft) => return Ok(draft),
                Err(error) => log::info!("rank {me} has no memory that its node can share ({error})"),
            }
        }
        self.context.memories.of_rank(length)
    }

    /// Offers the bytes to the nodes below this one, and to the ranks of this node if they cannot be shown
    /// memory.
    fn offer_below(&mut self, to: Place, out: &mut Outbox) {
        let Some(transfer) = self.transfers.get(&to) else { return };
        let by_bytes = match &transfer.content {
            Content::Growing(Draft::OfNode(_)) => false,
            _ => transfer.door.is_none(),
        };
        let nodes = Arc::clone(&self.context.nodes);
        let me = self.context.rank as u32;
        if nodes.is_first(me) {
            self.stream_to(to, nodes.below(me), out);
            if by_bytes {
                self.stream_to(to, nodes.neighbours(me), out);
            }
        }
    }

    fn stream_to(&mut self, to: Place, ranks: impl IntoIterator<Item = u32>, out: &mut Outbox) {
        let Some(transfer) = self.transfers.get_mut(&to) else { return };
        let length = transfer.length;
        let ranks: Vec<u32> = ranks.into_iter().collect();
        transfer.streams.extend(ranks.iter().map(|&rank| (rank, Stream::default())));
        for rank in ranks {
            self.tell(rank, to, Share::Offer(length), out);
        }
    }

    /// Shows the memory to the other ranks of the node.
    fn show(&mut self, to: Place, out: &mut Outbox) {
        let Some(transfer) = self.transfers.get_mut(&to) else { return };
        let Some(door) = &transfer.door else { return };
        let descriptor = door.descriptor();
        transfer.shown = self.context.nodes.neighbours(self.context.rank as u32).collect();
        for rank in transfer.shown.clone() {
            self.tell(rank, to, Share::Map(descriptor.clone()), out);
        }
    }

    /// Sends what has come and fits the windows.
    fn pump(&mut self, to: Place, out: &mut Outbox) -> Option<Outcome> {
        let transfer = self.transfers.get_mut(&to)?;
        let mut pieces = Vec::new();
        let mut read = Ok(());
        for (&rank, stream) in &mut transfer.streams {
            while stream.sent < transfer.received && stream.sent < stream.received + WINDOW * PIECE {
                let length = PIECE.min(transfer.received - stream.sent);
                match transfer.content.read_at(stream.sent, length as usize) {
                    Ok(bytes) => pieces.push((rank, bytes)),
                    Err(error) => read = Err(error),
                }
                stream.sent += length;
            }
        }
        if let Err(error) = read {
            return self.lose(to, &error, out);
        }
        for (rank, bytes) in pieces {
            self.tell(rank, to, Share::Piece(bytes), out);
        }
        self.retire(to);
        None
    }

    /// What has come cannot be kept.
    fn lose(&mut self, to: Place, error: &io::Error, out: &mut Outbox) -> Option<Outcome> {
        let transfer = self.transfers.get_mut(&to)?;
        let megabytes = transfer.length / 1_000_000;
        let failure = Failure::error(format!("no memory for {megabytes} MB of shared data: {error}"));
        let error = Arc::new(failure.of("share", None, 1, &self.context));
        transfer.content = Content::Lost;
        transfer.streams.clear();
        self.fail_others(to, &error, out);
        self.retire(to);
        Some(Err(error))
    }

    /// Those who wait for this rank wait in vain.
    fn fail_others(&mut self, to: Place, error: &Arc<TaskError>, out: &mut Outbox) {
        let nodes = Arc::clone(&self.context.nodes);
        let me = self.context.rank as u32;
        if nodes.is_first(me) {
            for rank in nodes.below(me).chain(nodes.neighbours(me)) {
                self.tell(rank, to, Share::Failed(Arc::clone(error)), out);
            }
        }
    }

    /// Forgets a transfer for which nothing is to be done any more.
    fn retire(&mut self, to: Place) {
        if let Some(transfer) = self.transfers.get_mut(&to) {
            transfer.streams.retain(|_, stream| stream.received < transfer.length);
            if transfer.received == transfer.length
                && transfer.shown.is_empty()
                && transfer.streams.is_empty()
            {
                self.transfers.remove(&to);
            }
        }
    }

    fn tell(&self, rank: u32, to: Place, what: Share, out: &mut Outbox) {
        let from = self.context.rank as u32;
        out.tell_worker(rank, ToWorker::Share(ShareMessage { from, to, what }));
    }
}

impl Transfer {
    fn new(content: Content, length: u64) -> Self {
        Transfer {
            content,
            length,
            received: 0,
            door: None,
            shown: BTreeSet::new(),
            streams: BTreeMap::new(),
        }
    }

    /// The memory, if this was the last piece.
    fn complete(&mut self) -> io::Result<Option<Arc<Memory>>> {
        if self.received < self.length || !matches!(self.content, Content::Growing(_)) {
            return Ok(None);
        }
        let Content::Growing(draft) = std::mem::replace(&mut self.content, Content::Lost) else {
            return Ok(None);
        };
        let (memory, door) = draft.finish()?;
        let memory = Arc::new(memory);
        self.door = door;
        self.content = Content::Whole(Arc::clone(&memory));
        Ok(Some(memory))
    }
}

impl Content {
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        match self {
            Content::Growing(draft) => draft.read_at(offset, length),
            Content::Whole(memory) => Ok(memory.bytes()[offset as usize..offset as usize + length].to_vec()),
            Content::Lost => Ok(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{GraphId, Memories, Nodes, Slot};

    const PLACE: Place = Place { graph: GraphId(1), slot: Slot(0) };

    /// A rank of a world with these nodes.
    fn rank(rank: usize, node_of: &[u32], memories: Memories) -> Shares {
        let nodes = Arc::new(Nodes::new(node_of));
        Shares::new(Arc::new(RankContext { nodes, memories, ..RankContext::for_tests(rank) }))
    }

    /// Tells a rank something; what it says, in a few characters, and the outcome.
    fn tell(shares: &mut Shares, from: u32, what: Share) -> (Vec<String>, Option<Outcome>) {
        let mut out = Outbox::default();
        let outcome = shares.handle(ShareMessage { from, to: PLACE, what }, &mut out);
        let said = out.take_workers().into_iter().map(|(to, message)| match message {
            ToWorker::Share(ShareMessage { what, .. }) => format!("{to} {}", brief(&what)),
            other => format!("{to} {other:?}"),
        });
        (said.collect(), outcome)
    }

    fn brief(what: &Share) -> String {
        match what {
            Share::Map(_) => "map".into(),
            Share::Offer(length) => format!("offer {length}"),
            Share::Piece(bytes) => format!("piece {}", bytes.len()),
            Share::Received(bytes) => format!("received {bytes}"),
            Share::Failed(_) => "failed".into(),
            other => format!("{other:?}"),
        }
    }

    /// Rank 0 with `length` bytes that its client has made.
    fn head(length: usize, node_of: &[u32]) -> Shares {
        let shares = rank(0, node_of, Memories::default());
        let memories = &shares.context.memories;
        let mut draft =
            memories.of_node(length as u64).or_else(|_| memories.of_rank(length as u64)).expect("memory");
        draft.write_at(0, &vec![7; length]).expect("there is room");
        let (memory, door) = draft.finish().expect("it is mapped");
        memories.hand_over(PLACE, Arc::new(memory), door);
        shares
    }

    #[test]
    fn no_more_than_a_window_is_on_its_way() {
        let mut shares = head(10 * PIECE as usize + 1, &[0, 1]);
        let (said, outcome) = tell(&mut shares, 0, Share::Here);
        assert_eq!(said[0], "1 offer 241");
        assert_eq!(said[1..], ["1 piece 24"; WINDOW as usize]);
        assert!(matches!(outcome, Some(Ok(_))));
        for arrived in 1..=10 {
            let expected: &[&str] = match arrived + WINDOW {
                ..=10 => &["1 piece 24"],
                11 => &["1 piece 1"],
                _ => &[],
            };
            let (said, _) = tell(&mut shares, 1, Share::Received(arrived * PIECE));
            assert_eq!(said, expected, "{arrived}");
            assert!(!shares.is_empty());
        }
        tell(&mut shares, 1, Share::Received(241));
        assert!(shares.is_empty());
    }

    #[test]
    fn memory_is_kept_until_everybody_has_answered() {
        if cfg!(not(target_os = "linux")) {
            return;
        }
        let mut shares = head(50, &[0, 0, 0]);
        let (said, _) = tell(&mut shares, 0, Share::Here);
        assert_eq!(said, ["1 map", "2 map"]);
        assert_eq!(tell(&mut shares, 1, Share::Mapped).0, Vec::<String>::new());
        assert!(!shares.is_empty());
        // The last answer asks for the bytes.
        let (said, _) = tell(&mut shares, 2, Share::Refused);
        assert_eq!(said, ["2 offer 50", "2 piece 24", "2 piece 24", "2 piece 2"]);
        tell(&mut shares, 2, Share::Received(48));
        assert!(!shares.is_empty());
        tell(&mut shares, 2, Share::Received(50));
        assert!(shares.is_empty());
    }

    #[test]
    fn pieces_are_passed_on_as_they_come_and_the_memory_shown_at_the_end() {
        // Rank 1 speaks for the second node, above the fourth, and has rank 4 with it.
        let mut shares = rank(1, &[0, 1, 2, 3, 1], Memories::default());
        assert_eq!(tell(&mut shares, 0, Share::Offer(30)).0, ["3 offer 30"]);
        let (said, outcome) = tell(&mut shares, 0, Share::Piece(vec![1; 24]));
        assert_eq!(said, ["0 received 24", "3 piece 24"]);
        assert!(outcome.is_none());
        let (said, outcome) = tell(&mut shares, 0, Share::Piece(vec![2; 6]));
        assert_eq!(said, ["0 received 30", "3 piece 6", "4 map"]);
        let memory = outcome.expect("it is complete").expect("there was room").memory();
        assert_eq!(memory.bytes(), [vec![1; 24], vec![2; 6]].concat());
        tell(&mut shares, 4, Share::Mapped);
        tell(&mut shares, 3, Share::Received(30));
        assert!(shares.is_empty());
    }

    #[test]
    fn a_failure_is_told_once_to_everybody_behind() {
        let nodes = [0, 1, 2, 3, 1];
        let mut small = rank(1, &nodes, Memories::small(10));
        let (said, outcome) = tell(&mut small, 0, Share::Offer(30));
        assert_eq!(said, ["3 failed", "4 failed"]);
        let error = outcome.expect("it is decided").expect_err("there is no room");
        assert!(error.to_string().contains("all that this host has"), "{error}");
        // What is on its way is taken in, and decides nothing again.
        let (said, outcome) = tell(&mut small, 0, Share::Piece(vec![0; 24]));
        assert_eq!(said, ["0 received 24"]);
        assert!(outcome.is_none() && !small.is_empty());
        let (said, outcome) = tell(&mut small, 0, Share::Failed(Arc::clone(&error)));
        assert!(said.is_empty() && outcome.is_none() && small.is_empty());

        let mut waiting = rank(1, &nodes, Memories::default());
        tell(&mut waiting, 0, Share::Offer(30));
        tell(&mut waiting, 0, Share::Piece(vec![0; 24]));
        let (said, outcome) = tell(&mut waiting, 0, Share::Failed(error));
        assert_eq!(said, ["3 failed", "4 failed"]);
        assert!(matches!(outcome, Some(Err(_))) && waiting.is_empty());
        // Its answer was on the way.
        assert!(tell(&mut waiting, 3, Share::Received(24)).0.is_empty());
    }
}
