//! Why the storage failed, as read from the messages of SQLite and of the runtime. Pure.

use std::fmt;

/// The longest reason in a response, in characters.
const MAX_REASON_CHARS: usize = 200;

/// Why the storage failed. Its `Display` is a text for clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageFailure {
    /// The storage takes no more data: the disk is full, or a limit of the file system is reached.
    Full(String),
    /// The channel's database cannot be opened, or its content cannot be read.
    Broken(String),
    /// Anything else.
    Other(String),
}

impl StorageFailure {
    /// Reads an error message of the storage.
    pub fn from_message(message: &str) -> Self {
        let reason = reason(message);
        if is_broken(message) {
            Self::Broken(reason)
        } else if is_out_of_space(message) {
            Self::Full(reason)
        } else {
            Self::Other(reason)
        }
    }
}

impl fmt::Display for StorageFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(reason) => write!(
                formatter,
                "The storage takes no more data ({reason}), so nothing was published. Reading still works. Try again: \
                 publishing works as soon as there is space."
            ),
            Self::Broken(reason) => write!(
                formatter,
                "The channel's database cannot be used ({reason}), so nothing was published. The server's log names \
                 its file. If this persists, DELETE the channel: that removes the database, and all that it held is lost."
            ),
            Self::Other(reason) => write!(
                formatter,
                "The channel's storage failed ({reason}), so nothing was published. Try again."
            ),
        }
    }
}

/// Whether an error says that data could not be written. A full disk gives `SQLITE_FULL`. A quota or a limit of the
/// file size gives `SQLITE_IOERR`.
pub fn is_out_of_space(message: &str) -> bool {
    has(message, &["SQLITE_FULL", "SQLITE_IOERR"]) && !is_broken(message)
}

/// Whether an error says that a database could not be read.
fn is_broken(message: &str) -> bool {
    let of_reads = [
        "SQLITE_IOERR_READ",
        "SQLITE_IOERR_SHORT_READ",
        "SQLITE_IOERR_CORRUPTFS",
    ];
    has(message, &["SQLITE_CORRUPT", "SQLITE_NOTADB"]) || has(message, &of_reads)
}

fn has(message: &str, codes: &[&str]) -> bool {
    codes.iter().any(|code| message.contains(code))
}

/// Whether the runtime hides the reason. It does so if it cannot open an object's database; its own log has the reason.
pub fn is_internal(message: &str) -> bool {
    message.contains("internal error")
}

/// `message` without control characters, and without words that may be paths on the server.
fn reason(message: &str) -> String {
    let words = message
        .split(|character: char| character.is_whitespace() || character.is_control())
        .filter(|word| !word.is_empty() && !word.contains(['/', '\\']) && *word != "Error:");
    let text = words.collect::<Vec<_>>().join(" ");
    text.chars().take(MAX_REASON_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_failure_follows_from_the_codes_in_its_message() {
        let full = "Error: database or disk is full: SQLITE_FULL";
        assert_eq!(
            StorageFailure::from_message(full),
            StorageFailure::Full("database or disk is full: SQLITE_FULL".into())
        );
        let quota = "disk I/O error: SQLITE_IOERR (extended: SQLITE_IOERR_WRITE)";
        assert!(matches!(
            StorageFailure::from_message(quota),
            StorageFailure::Full(_)
        ));
        for code in ["SQLITE_CORRUPT", "SQLITE_NOTADB"] {
            let broken = StorageFailure::from_message(&format!("Error: malformed: {code}"));
            assert_eq!(broken, StorageFailure::Broken(format!("malformed: {code}")));
        }
        let unreadable = "disk I/O error: SQLITE_IOERR (extended: SQLITE_IOERR_READ)";
        assert!(matches!(
            StorageFailure::from_message(unreadable),
            StorageFailure::Broken(_)
        ));
        assert!(is_out_of_space(full) && is_out_of_space(quota) && !is_out_of_space(unreadable));
        let other = StorageFailure::from_message("no such table: channel: SQLITE_ERROR");
        assert!(matches!(other, StorageFailure::Other(_)));
        assert!(is_internal("Error: internal error; reference = abc"));
    }

    #[test]
    fn a_reason_is_one_short_line_that_shows_no_path() {
        let message = "cannot\u{1b}[2J open\n/srv/state/channel/a.sqlite C:\\state now";
        assert_eq!(reason(message), "cannot [2J open now");
        assert_eq!(reason(&"é".repeat(1_000)).chars().count(), MAX_REASON_CHARS);
    }
}
