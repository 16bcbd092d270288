//! The interface between the storage and its SQL engine. The Durable Object uses the engine of
//! the runtime ([`Database`](super::database::Database)), and the tests use a SQLite of their own.

use super::error::StorageError;

/// A value of SQL.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// `NULL`.
    Null,
    /// A whole number.
    Integer(i64),
    /// Any other number. The storage writes none.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl From<u64> for SqlValue {
    /// No number that is stored here comes near 2^53, up to which JavaScript's numbers are exact.
    fn from(number: u64) -> Self {
        debug_assert!(number <= 1 << 53, "{number} is not exact in JavaScript");
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// A statement with the values of its parameters.
pub type Statement = (&'static str, Vec<SqlValue>);

/// A row that a query has returned.
#[derive(Debug)]
pub struct SqlRow(pub Vec<SqlValue>);

impl SqlRow {
    /// Returns the number in a column, or `None` if the column holds anything else.
    pub fn number(&self, column: usize) -> Option<u64> {
        match self.0.get(column)? {
            SqlValue::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// Returns whether a column holds `NULL`.
    pub fn is_null(&self, column: usize) -> bool {
        matches!(self.0.get(column), Some(SqlValue::Null))
    }

    /// Takes the text out of a column, or its bytes if they are UTF-8. `None` if the column holds anything else.
    pub fn take_text(&mut self, column: usize) -> Option<String> {
        match std::mem::replace(self.0.get_mut(column)?, SqlValue::Null) {
            SqlValue::Text(text) => Some(text),
            SqlValue::Blob(bytes) => String::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Returns the bytes in a column, or `None` if the column holds anything else.
    pub fn bytes(&self, column: usize) -> Option<&[u8]> {
        match self.0.get(column)? {
            SqlValue::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// A SQL database that belongs to one channel.
pub trait Sql {
    /// Runs a statement that returns rows.
    fn query(&self, statement: &str, values: Vec<SqlValue>) -> Result<Vec<SqlRow>, StorageError>;

    /// Runs all `statements`. If one of them fails, none of them has an effect.
    fn write(&self, statements: Vec<Statement>) -> Result<(), StorageError>;

    /// Returns how many rows were written since the object started.
    fn rows_written(&self) -> u64;
}
