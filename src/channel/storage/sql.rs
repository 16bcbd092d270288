//! The tables of an object's storage, and what is asked of them.

use super::retention::Table;

/// The tables that are there.
pub const TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table'";

/// One row: the epoch; the number that its next event gets, where no row of the history says more; when that was written;
/// until when the channel stays ended, if it was; and since when no event of an earlier epoch was published.
pub const CREATE_CHANNEL: &str = "CREATE TABLE IF NOT EXISTS channel (one INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, \
     next INTEGER NOT NULL, time INTEGER NOT NULL, ended_until INTEGER, \
     unpublished_since INTEGER NOT NULL)";
/// Stands for the number where there is no history: whoever finds it begins another epoch, as nobody knows how far this
/// one went.
pub const NO_HISTORY: u64 = 0;
/// The channel's row.
pub const READ_CHANNEL: &str =
    "SELECT epoch, next, time, ended_until, unpublished_since FROM channel";
/// Writes the channel's row, in the order of the columns.
pub const WRITE_CHANNEL: &str = "INSERT OR REPLACE INTO channel VALUES (1, ?, ?, ?, ?, ?)";

/// A row for each key that is remembered; a new one takes the slot of the oldest, which spares its removal.
pub const CREATE_KEYS: &str = "CREATE TABLE IF NOT EXISTS idempotency_keys (slot INTEGER PRIMARY KEY, \
     number INTEGER NOT NULL, time INTEGER NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, receipt TEXT NOT NULL)";
/// All keys, oldest first.
pub const READ_KEYS: &str =
    "SELECT number, time, key, fingerprint, receipt FROM idempotency_keys ORDER BY number";
/// Writes a key, in the order of the columns.
pub const WRITE_KEY: &str = "INSERT OR REPLACE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?)";
/// Replaces a receipt, if its key is still there.
pub const CORRECT_RECEIPT: &str =
    "UPDATE idempotency_keys SET receipt = ? WHERE slot = ? AND number = ?";
/// Forgets all keys.
pub const DROP_KEYS: &str = "DROP TABLE IF EXISTS idempotency_keys";

/// The statements about one of the two tables of the history. A row is a group of events that was committed together.
pub struct TableSql {
    /// Its name.
    pub name: &'static str,
    /// Makes it, if it is not there.
    pub create: &'static str,
    /// Removes it, whatever is in it.
    pub drop: &'static str,
    /// Adds a row: last, first, time, start, wire.
    pub insert: &'static str,
    /// Rows without their events, from the one on in which event ?1 is, ?2 of them.
    pub heads: &'static str,
    /// The last of them.
    pub newest: &'static str,
    /// The number of the first event, and the events, of some rows from the one on in which event ?1 is.
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
            // Rows until they make 64 KiB, the size of a chunk; of 256 at most, so that a page of tiny events does not
            // look at the heads of all rows.
            page: concat!(
                "WITH heads AS (SELECT last, start FROM ", $name, " WHERE last >= ?1 ORDER BY last LIMIT 256), \
                 until AS (SELECT max(last) AS last FROM heads WHERE start < (SELECT min(start) FROM heads) + 65536) \
                 SELECT min(first), CAST(group_concat(wire, '') AS BLOB) FROM (SELECT first, wire FROM ", $name,
                " WHERE last BETWEEN ?1 AND (SELECT last FROM until) ORDER BY last)"
            ),
        }
    };
}

pub const EVEN: TableSql = table_sql!("history_even");
pub const ODD: TableSql = table_sql!("history_odd");

impl Table {
    /// Its statements.
    pub fn sql(self) -> &'static TableSql {
        match self {
            Self::Even => &EVEN,
            Self::Odd => &ODD,
        }
    }
}
