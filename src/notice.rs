//! What the user should read even if the program has installed no logger.

/// Warns through `log`, or on standard error if nobody listens there.
pub(crate) fn warn(message: &str) {
    if log::log_enabled!(log::Level::Warn) {
        log::warn!("{message}");
    } else {
        eprintln!("serried: warning: {message}");
    }
}

/// Informs through `log`, or on standard error if nobody listens there.
pub(crate) fn inform(message: &str) {
    if log::log_enabled!(log::Level::Info) {
        log::info!("{message}");
    } else {
        eprintln!("serried: {message}");
    }
}
