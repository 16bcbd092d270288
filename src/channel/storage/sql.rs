//! The tables of a channel's storage, and all SQL statements.

use super::retention::Table;

/// Lists the tables.
pub const TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table'";

/// The table of the channel's row.
pub const CHANNEL: &str = "channel";
/// Creates the table of the channel's single row:
/// - `epoch`: the current epoch, as ids display it;
/// - `next`: the number of the next event, unless the history holds events with larger numbers, or [`UNKNOWN_NEXT`];
/// - `time`: when the row was written;
/// - `ended_until`: until when the channel stays ended, if it has ended;
/// - `unpublished_since`: all events of earlier epochs were published before this time.
pub const CREATE_CHANNEL: &str = "CREATE TABLE IF NOT EXISTS channel (one INTEGER PRIMARY KEY, epoch TEXT NOT NULL, \
     next INTEGER NOT NULL, time INTEGER NOT NULL, ended_until INTEGER, \
     unpublished_since INTEGER NOT NULL)";
/// The value of `next` if the channel has no history and has not ended. The next object then begins another epoch,
/// because the number of events in this one is not stored.
pub const UNKNOWN_NEXT: u64 = 0;
/// Reads the channel's row.
pub const READ_CHANNEL: &str =
    "SELECT epoch, next, time, ended_until, unpublished_since FROM channel";
/// Writes the channel's row. The values are in the order of the columns.
pub const WRITE_CHANNEL: &str = "INSERT OR REPLACE INTO channel VALUES (1, ?, ?, ?, ?, ?)";

/// The table of the idempotency keys.
pub const KEYS: &str = "idempotency_keys";
/// Creates the table of the keys. A new key takes the slot of the oldest, which saves the cost of its removal.
pub const CREATE_KEYS: &str = "CREATE TABLE IF NOT EXISTS idempotency_keys (slot INTEGER PRIMARY KEY, \
     number INTEGER NOT NULL, time INTEGER NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, receipt TEXT NOT NULL)";
/// Reads all keys, oldest first.
pub const READ_KEYS: &str =
    "SELECT number, time, key, fingerprint, receipt FROM idempotency_keys ORDER BY number";
/// Writes a key. The values are in the order of the columns.
pub const WRITE_KEY: &str = "INSERT OR REPLACE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?)";
/// Replaces the receipt of a key, if no later key has taken its slot.
pub const CORRECT_RECEIPT: &str =
    "UPDATE idempotency_keys SET receipt = ? WHERE slot = ? AND number = ?";
/// Removes all keys.
pub const DROP_KEYS: &str = "DROP TABLE IF EXISTS idempotency_keys";

/// The statements for one of the two tables of the history. A row holds events that were committed together.
pub struct TableSql {
    /// The table's name.
    pub name: &'static str,
    /// Creates the table, if it does not exist.
    pub create: &'static str,
    /// Removes the table with all its rows.
    pub drop: &'static str,
    /// Adds a row. The values are `last`, `first`, `time`, `start` and `wire`.
    pub insert: &'static str,
    /// Reads the heads (all but the events) of up to `?2` rows, from the row of event `?1` on.
    pub heads: &'static str,
    /// Reads the head of the newest row.
    pub newest: &'static str,
    /// Reads the events of some rows, from the row of event `?1` on, and the number of the first event.
    pub page: &'static str,
}

macro_rules! table_sql {
    ($name:literal) => {
        TableSql {
            name: $name,
            create: concat!(
                "CREATE TABLE IF NOT EXISTS ", $name, " (last INTEGER PRIMARY KEY, first INTEGER NOT NULL, \
                 time INTEGER NOT NULL, start INTEGER NOT NULL, wire BLOB NOT NULL)"
            ),
            drop: concat!("DROP TABLE IF EXISTS ", $name),
            insert: concat!("INSERT INTO ", $name, " VALUES (?, ?, ?, ?, ?)"),
            heads: concat!(
                "SELECT first, last, time, start, length(wire) FROM ", $name, " WHERE last >= ? ORDER BY last LIMIT ?"
            ),
            newest: concat!(
                "SELECT first, last, time, start, length(wire) FROM ", $name, " ORDER BY last DESC LIMIT 1"
            ),
            // Takes rows up to 64 KiB, the size of a chunk, and at most 256, so that a page of tiny events does not
            // read the heads of all rows.
            page: concat!(
                "WITH heads AS (SELECT last, start FROM ", $name, " WHERE last >= ?1 ORDER BY last LIMIT 256), \
                 until AS (SELECT max(last) AS last FROM heads WHERE start < (SELECT min(start) FROM heads) + 65536) \
                 SELECT min(first), CAST(group_concat(wire, '') AS BLOB) FROM (SELECT first, wire FROM ", $name,
                " WHERE last BETWEEN ?1 AND (SELECT last FROM until) ORDER BY last)"
            ),
        }
    };
}

/// The statements for the table that is used first.
pub const EVEN: TableSql = table_sql!("history_even");
/// The statements for the other table.
pub const ODD: TableSql = table_sql!("history_odd");

impl Table {
    /// The statements for this table.
    pub fn sql(self) -> &'static TableSql {
        match self {
            Self::Even => &EVEN,
            Self::Odd => &ODD,
        }
    }
}
