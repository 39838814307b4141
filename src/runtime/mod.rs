//! A rank at work: its loop, its start and its end, and how the program was launched.

mod completions;
mod launch;
mod rank;
mod session;
mod start;

pub(crate) use completions::{Completions, Ticket, Want};
#[cfg(any(test, feature = "internals"))]
pub(crate) use rank::LONG_FRAME;
#[cfg(test)]
pub(crate) use rank::Rank;
pub(crate) use rank::RankEvent;
pub(crate) use session::{Session, World};
pub(crate) use start::begin;
#[cfg(any(test, feature = "internals"))]
pub(crate) use start::context;
#[cfg(test)]
pub(crate) use start::{executor, head};

/// Why a run did not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    #[error(transparent)]
    Settings(#[from] crate::config::SettingsError),
    #[error("{0}")]
    Refused(String),
}
