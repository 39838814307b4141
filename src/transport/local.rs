//! Transports without MPI: a world of one rank, and ranks that are threads of this process.

use super::Transport;

/// A world of one rank.
#[derive(Debug)]
pub(crate) struct Solo;

impl Transport for Solo {
    fn rank(&self) -> u32 {
        0
    }
    fn size(&self) -> u32 {
        1
    }
    fn send(&mut self, to: u32, _: Vec<u8>) {
        unreachable!("there is no rank {to}")
    }
    fn receive(&mut self) -> Option<(u32, Vec<u8>)> {
        None
    }
}

/// A rank that is a thread of this process.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Local {
    rank: u32,
    inbox: crossbeam_channel::Receiver<(u32, Vec<u8>)>,
    others: Vec<crossbeam_channel::Sender<(u32, Vec<u8>)>>,
}

/// The ends of a world of `size` ranks.
#[cfg(test)]
pub(crate) fn local_world(size: u32) -> Vec<Local> {
    let (others, inboxes): (Vec<_>, Vec<_>) = (0..size).map(|_| crossbeam_channel::unbounded()).unzip();
    (0..size).zip(inboxes).map(|(rank, inbox)| Local { rank, inbox, others: others.clone() }).collect()
}

#[cfg(test)]
impl Transport for Local {
    fn rank(&self) -> u32 {
        self.rank
    }
    fn size(&self) -> u32 {
        self.others.len() as u32
    }
    fn send(&mut self, to: u32, message: Vec<u8>) {
        // A rank that has left reads no more.
        let _ = self.others[to as usize].send((self.rank, message));
    }
    fn receive(&mut self) -> Option<(u32, Vec<u8>)> {
        self.inbox.try_recv().ok()
    }
}
