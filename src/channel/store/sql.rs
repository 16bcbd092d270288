//! The tables of an object's storage, and what is asked of them.

use super::super::retention::Table;

pub const TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table'";

/// One row: the epoch, the number of its first event that is not (or no longer) in the history, and when that was
/// written.
pub const CREATE_CHANNEL: &str = "CREATE TABLE IF NOT EXISTS channel (one INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, \
     next INTEGER NOT NULL, time INTEGER NOT NULL, ended_until INTEGER)";
/// Stands for that number where there is no history: whoever finds it begins another epoch, as nobody knows how far this
/// one went.
pub const NO_HISTORY: u64 = 0;
pub const READ_CHANNEL: &str = "SELECT epoch, next, time, ended_until FROM channel";
pub const WRITE_CHANNEL: &str = "INSERT OR REPLACE INTO channel VALUES (1, ?, ?, ?, ?)";

pub const CREATE_KEYS: &str = "CREATE TABLE IF NOT EXISTS idempotency_keys (slot INTEGER PRIMARY KEY, \
     number INTEGER NOT NULL, time INTEGER NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL, receipt TEXT NOT NULL)";
pub const READ_KEYS: &str =
    "SELECT number, time, key, fingerprint, receipt FROM idempotency_keys ORDER BY number";
pub const WRITE_KEY: &str = "INSERT OR REPLACE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?)";
pub const CORRECT_RECEIPT: &str =
    "UPDATE idempotency_keys SET receipt = ? WHERE slot = ? AND number = ?";
pub const DROP_KEYS: &str = "DROP TABLE IF EXISTS idempotency_keys";

/// The statements about one of the two tables of the history. A row is a group of events that was committed together.
pub struct TableSql {
    pub name: &'static str,
    pub create: &'static str,
    pub drop: &'static str,
    pub insert: &'static str,
    pub heads: &'static str,
    pub newest: &'static str,
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
