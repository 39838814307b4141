//! How a task fails.

use super::FunctionError;
use crate::wire::WireError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Cause {
    /// The function panicked.
    Panic,
    /// The function returned `Err`.
    Error,
    /// A value could not be written to bytes or read back.
    Value,
    /// The task was cancelled before it had begun.
    Cancelled,
}

/// A task that failed: what it was, where it ran and what it said.
///
/// A task that needed the result of a failed task is not run; its error is the error of the task that
/// failed first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskError {
    /// The label of the task: its function as written in `delayed!`, the place of the call, or the label
    /// that the user gave.
    pub label: String,
    /// The element's index in the source of the map, if the task is an element of a map.
    pub index: Option<u64>,
    /// The arguments, if the task is no element of a map: values cut where they are long, `_` for what other tasks
    /// have made, and the keys of streams.
    pub arguments: Option<Box<str>>,
    /// The rank that ran the task.
    pub rank: usize,
    /// The host of that rank.
    pub host: String,
    /// How many times the task was tried.
    pub attempts: u32,
    /// Why it failed.
    pub cause: Cause,
    /// The panic's message or the error's text.
    pub message: String,
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task `{}`", self.label)?;
        if let Some(index) = self.index {
            write!(f, ", element {index},")?;
        }
        if let Some(arguments) = self.arguments.as_deref().filter(|arguments| *arguments != "()") {
            write!(f, " with arguments {arguments}")?;
        }
        let what = match self.cause {
            Cause::Panic => "panicked",
            Cause::Error => "failed",
            Cause::Value => "had a value that cannot travel",
            Cause::Cancelled => "was cancelled",
        };
        write!(f, " {what} on rank {} ({})", self.rank, self.host)?;
        if self.attempts > 1 {
            write!(f, " in each of {} attempts", self.attempts)?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for TaskError {}

/// What went wrong inside a task, before anybody has added whose it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    pub(crate) message: String,
    /// The rank and its host, if whoever reports the failure may be on another.
    at: Option<(usize, String)>,
}

impl Failure {
    fn new(cause: Cause, message: String) -> Self {
        Failure { cause, message, at: None }
    }

    /// Notes that it happened on this rank.
    pub(crate) fn here(mut self) -> Self {
        self.at = super::whereabouts().map(|here| (here.rank, here.host));
        self
    }

    pub(crate) fn error(error: impl fmt::Display) -> Self {
        Failure::new(Cause::Error, error.to_string())
    }

    pub(crate) fn panic(message: String) -> Self {
        Failure::new(Cause::Panic, message)
    }

    pub(crate) fn cancelled() -> Self {
        Failure::new(Cause::Cancelled, String::new())
    }

    /// Adds which task it was and where it ran.
    pub(crate) fn of(
        self,
        label: &str,
        index: Option<u64>,
        attempts: u32,
        context: &super::RankContext,
    ) -> TaskError {
        let (rank, host) = self.at.unwrap_or_else(|| (context.rank, context.host.clone()));
        TaskError {
            label: label.to_owned(),
            index,
            arguments: None,
            rank,
            host,
            attempts,
            cause: self.cause,
            message: self.message,
        }
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Failure::new(Cause::Value, error.to_string())
    }
}

impl From<FunctionError> for Failure {
    fn from(error: FunctionError) -> Self {
        Failure::new(Cause::Error, error.to_string())
    }
}
