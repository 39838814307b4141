//! JSON values of lines.

use super::csv::cut;
use serde::de::DeserializeOwned;

/// The value of a line, or what is wrong with it.
pub(super) fn read<T: DeserializeOwned>(line: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| format!("{error}: `{}`", cut(line)))
}
