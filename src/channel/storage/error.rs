//! The failures of a channel's storage.

use sse_hub::HistoryError;

/// The storage failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// The database or the runtime reported an error.
    #[error("{0}")]
    Failed(String),
    /// A row does not hold what this program writes. The message carries SQLite's own code for damaged content, so that
    /// [`StorageFailure`](crate::isolate::storage_failure::StorageFailure) classifies it as a broken database.
    #[error("malformed row in the table {table} ({problem}): SQLITE_CORRUPT")]
    MalformedRow {
        /// The table's name.
        table: &'static str,
        /// The part of the row that is wrong.
        problem: String,
    },
}

impl StorageError {
    /// The channel's state is borrowed by another caller. This cannot happen in a task.
    pub fn in_use() -> Self {
        Self::Failed("the channel's state is in use".to_owned())
    }

    /// A row of `table` that has no valid value in `column`.
    pub fn bad_column(table: &'static str, column: &str) -> Self {
        Self::MalformedRow {
            table,
            problem: format!("bad column {column}"),
        }
    }

    /// The row of event `seq` is missing in `table`.
    pub fn missing_event(table: &'static str, seq: u64) -> Self {
        Self::MalformedRow {
            table,
            problem: format!("event {seq} is missing"),
        }
    }
}

impl From<StorageError> for HistoryError {
    fn from(error: StorageError) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isolate::storage_failure::StorageFailure;

    #[test]
    fn a_malformed_row_counts_as_a_broken_database_and_its_message_names_the_table() {
        let error = StorageError::bad_column("channel", "epoch");
        for message in [error.to_string(), HistoryError::from(error).to_string()] {
            let failure = StorageFailure::from_message(&message);
            let StorageFailure::Broken(reason) = failure else {
                panic!("{failure:?}");
            };
            assert!(reason.contains("malformed row in the table channel (bad column epoch)"));
        }
    }
}
