//! What can go wrong, as values.

use crate::array::ArrayError;
use crate::bag::ReadError;
use crate::config::SettingsError;
use crate::random::KeyError;
use crate::task::{ArgumentError, FunctionError, TaskError};
use std::sync::Arc;

/// The result of what may fail in serried.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something failed.
#[derive(Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A task failed.
    #[error(transparent)]
    Task(#[from] Arc<TaskError>),
    /// A setting is unknown or has a value that it cannot have.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The program was not started in a way in which it can run.
    #[error("{0}")]
    Launch(String),
    /// The function of a task cannot travel.
    #[error(transparent)]
    Function(#[from] FunctionError),
    /// A spawn key cannot be used, or was used before.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A value cannot be written to bytes or read back.
    #[error("{0}")]
    Value(String),
    /// An operation on arrays cannot be done.
    #[error(transparent)]
    Array(#[from] Arc<ArrayError>),
    /// Input cannot be read.
    #[error(transparent)]
    Read(Box<ReadError>),
    /// There is no room for data that ranks are to share.
    #[error("{0}")]
    Memory(String),
    /// Handles were used in a way in which they cannot be.
    #[error("{0}")]
    Usage(String),
    /// The run that the handle belongs to is over.
    #[error("the run that this handle belongs to is over")]
    Over,
}

impl Error {
    /// The failure of the task, if it is one.
    #[must_use]
    pub fn task(&self) -> Option<&TaskError> {
        match self {
            Error::Task(error) => Some(error),
            _ => None,
        }
    }
}

impl From<crate::wire::WireError> for Error {
    fn from(error: crate::wire::WireError) -> Self {
        Error::Value(error.to_string())
    }
}

impl From<crate::runtime::LaunchError> for Error {
    fn from(error: crate::runtime::LaunchError) -> Self {
        match error {
            crate::runtime::LaunchError::Settings(error) => Error::Settings(error),
            crate::runtime::LaunchError::Refused(problem) => Error::Launch(problem),
        }
    }
}

impl From<ArgumentError> for Error {
    fn from(error: ArgumentError) -> Self {
        match error {
            ArgumentError::Value(error) => error.into(),
            ArgumentError::Function(error) => error.into(),
            ArgumentError::Key(error) => error.into(),
            ArgumentError::Usage(problem) => Error::Usage(problem),
        }
    }
}

/// The problem of one argument as that of the task that it is given to.
impl From<Error> for ArgumentError {
    fn from(error: Error) -> Self {
        match error {
            Error::Key(error) => ArgumentError::Key(error),
            other => ArgumentError::Usage(other.to_string()),
        }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        Error::Read(Box::new(error))
    }
}

/// As [`Display`](std::fmt::Display), since this is what a `main` that returns an error prints.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
