//! Messages as bytes: what goes from one rank to another in one piece is a sequence of messages.
//!
//! Values and parts are the bulk of what is sent, so they are written by hand: numbers as they lie in memory,
//! and the bytes of a value copied once. All other messages are left to the codec.

use super::{ToScheduler, ToWorker};
use crate::graph::Part;
use crate::task::{Outcome, Place, Stored};
use crate::wire::{self, WireError};
use std::sync::Arc;

const WORKER: u8 = 0;
const SCHEDULER: u8 = 1;
const VALUE: u8 = 2;
const PART: u8 = 3;

/// A message of a frame.
#[derive(Debug)]
pub(crate) enum Message {
    Worker(ToWorker),
    Scheduler(ToScheduler),
}

/// Appends a message to a worker.
pub(crate) fn put_worker(message: &ToWorker, out: &mut Vec<u8>) -> Result<(), WireError> {
    match message {
        ToWorker::Value { to, outcome: Ok(value) } => {
            out.push(VALUE);
            out.extend_from_slice(bytemuck::bytes_of(to));
            let length_at = out.len();
            out.extend_from_slice(&[0; 8]);
            value.encode(out)?;
            let length = (out.len() - length_at - 8) as u64;
            out[length_at..length_at + 8].copy_from_slice(&length.to_le_bytes());
            Ok(())
        }
        ToWorker::Part(part) => {
            out.push(PART);
            wire::encode_message(&**part, out)?;
            wire::put_elements(&part.shapes, out);
            wire::put_elements(&part.tasks, out);
            wire::put_elements(&part.records, out);
            wire::put_elements(&part.exports, out);
            Ok(())
        }
        message => {
            out.push(WORKER);
            wire::encode_message(message, out)
        }
    }
}

/// Appends a message to the scheduler.
pub(crate) fn put_scheduler(message: &ToScheduler, out: &mut Vec<u8>) -> Result<(), WireError> {
    out.push(SCHEDULER);
    wire::encode_message(message, out)
}

/// Reads the messages of a frame, one after the other.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    frame: Frame<'a>,
    position: usize,
}

#[derive(Debug)]
enum Frame<'a> {
    Lent(&'a [u8]),
    /// Large values may keep the frame, instead of being copied.
    Shared(Arc<Vec<u8>>),
}

impl Frame<'_> {
    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            Frame::Lent(bytes) => bytes,
            Frame::Shared(bytes) => bytes,
        }
    }
}

impl<'a> Reader<'a> {
    /// Reads a short frame.
    pub(crate) fn new(frame: &'a [u8]) -> Self {
        Reader { frame: Frame::Lent(frame), position: 0 }
    }

    /// Reads a long frame.
    pub(crate) fn sharing(frame: Vec<u8>) -> Reader<'static> {
        Reader { frame: Frame::Shared(Arc::new(frame)), position: 0 }
    }

    #[inline]
    fn message(&mut self) -> Result<Message, WireError> {
        let bytes = self.frame.bytes();
        let length = bytes.len();
        let mut rest = &bytes[self.position..];
        let (&kind, after) = rest.split_first().ok_or_else(short)?;
        rest = after;
        let message = match kind {
            VALUE => {
                let (to, after) = rest.split_first_chunk::<8>().ok_or_else(short)?;
                let (size, after) = after.split_first_chunk::<8>().ok_or_else(short)?;
                let size = u64::from_le_bytes(*size) as usize;
                let value = after.get(..size).ok_or_else(short)?;
                let start = length - after.len();
                rest = &after[size..];
                let value = match &self.frame {
                    Frame::Lent(_) => Stored::from_slice(value),
                    Frame::Shared(frame) => Stored::from_frame(frame, start..start + size),
                };
                Message::Worker(ToWorker::Value { to: place(*to), outcome: Ok(value) })
            }
            PART => {
                let mut part: Part = wire::decode_message_from(&mut rest)?;
                part.shapes = wire::take_elements::<_, Part>(&mut rest)?;
                part.tasks = wire::take_elements::<_, Part>(&mut rest)?;
                part.records = wire::take_elements::<_, Part>(&mut rest)?;
                part.exports = wire::take_elements::<_, Part>(&mut rest)?;
                Message::Worker(ToWorker::Part(Box::new(part)))
            }
            SCHEDULER => Message::Scheduler(wire::decode_message_from(&mut rest)?),
            _ => Message::Worker(wire::decode_message_from(&mut rest)?),
        };
        self.position = length - rest.len();
        if self.position == length {
            // Whoever deals with a large part needs the memory.
            (self.frame, self.position) = (Frame::Lent(&[]), 0);
        }
        Ok(message)
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<Message, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let length = self.frame.bytes().len();
        if self.position == length {
            return None;
        }
        let message = self.message();
        if message.is_err() {
            self.position = length;
        }
        Some(message)
    }
}

fn place(bytes: [u8; 8]) -> Place {
    bytemuck::pod_read_unaligned(&bytes)
}

fn short() -> WireError {
    WireError::new::<Outcome>("the frame ends inside a message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Export, Shape, TaskEntry};
    use crate::task::{GraphId, Slot};

    #[test]
    fn messages_come_back_as_they_were() {
        let to = Place { graph: GraphId(3), slot: Slot(9) };
        let mut part = Part::new(GraphId(4));
        part.shapes.push(Shape { function: 0, inputs: 1, constants: 3 });
        part.tasks.push(TaskEntry { shape: 0, record: 0 });
        part.records.extend([7, 8]);
        part.exports.push(Export { from: Slot(0), rank: 2, to: Slot(5) });
        let value = Stored::from_bytes(vec![1, 2, 3]);
        let mut frame = Vec::new();
        put_worker(&ToWorker::Value { to, outcome: Ok(value) }, &mut frame).expect("bytes");
        put_worker(&ToWorker::Part(Box::new(part.clone())), &mut frame).expect("numbers");
        put_worker(&ToWorker::Release(vec![to]), &mut frame).expect("numbers");
        let cancelled = ToScheduler::Cancelled { request: 2, cancelled: true };
        put_scheduler(&cancelled, &mut frame).expect("numbers");
        let messages: Result<Vec<Message>, WireError> = Reader::new(&frame).collect();
        match &messages.expect("what was written")[..] {
            [
                Message::Worker(ToWorker::Value { to: place, outcome: Ok(value) }),
                Message::Worker(ToWorker::Part(again)),
                Message::Worker(ToWorker::Release(places)),
                Message::Scheduler(ToScheduler::Cancelled { cancelled: true, .. }),
            ] => {
                let mut bytes = Vec::new();
                value.encode(&mut bytes).expect("bytes");
                assert_eq!((*place, bytes), (to, vec![1, 2, 3]));
                assert_eq!((&again.tasks, &again.records), (&part.tasks, &part.records));
                assert_eq!((&again.shapes, &again.exports), (&part.shapes, &part.exports));
                assert_eq!(places, &[to]);
            }
            other => panic!("{other:?}"),
        }
        frame.truncate(19);
        assert!(Reader::sharing(frame).collect::<Result<Vec<_>, _>>().is_err());
    }
}
