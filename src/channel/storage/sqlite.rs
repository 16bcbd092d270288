//! A SQLite database in memory, on which the tests run the storage's statements.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::engine::{Sql, SqlRow, SqlValue, Statement};
use super::error::StorageError;

/// The database of one channel.
pub struct Sqlite {
    pub connection: Connection,
}

impl Sqlite {
    pub fn new() -> Self {
        Self {
            connection: Connection::open_in_memory().unwrap(),
        }
    }

    /// Runs statements of a test.
    pub fn run(&self, statements: &str) {
        self.connection.execute_batch(statements).unwrap();
    }

    /// Returns the number in the only row and column of a query.
    pub fn number(&self, query: &str) -> u64 {
        let rows = self.query(query, Vec::new()).unwrap();
        rows[0].number(0).unwrap()
    }

    /// Bounds the size of the database to its current size, so that writes fail with `SQLITE_FULL`.
    pub fn fill_disk(&self) {
        let pages = self.number("PRAGMA page_count").max(1);
        self.run(&format!("PRAGMA max_page_count = {pages}"));
    }

    /// Removes the bound on the size.
    pub fn free_disk(&self) {
        self.run("PRAGMA max_page_count = 1000000");
    }

    /// Removes all tables, like [`Database::delete_all`](super::database::Database::delete_all).
    pub fn delete_all(&self) {
        for name in self.tables() {
            self.run(&format!("DROP TABLE {name}"));
        }
    }

    fn tables(&self) -> Vec<String> {
        let rows = self.query(super::sql::TABLES, Vec::new()).unwrap();
        let names = rows.into_iter().map(|mut row| row.take_text(0).unwrap());
        names.collect()
    }

    /// Returns the contents of all tables as text, to compare them.
    pub fn dump(&self) -> String {
        let mut dump = String::new();
        for name in self.tables() {
            let rows = self.query(&format!("SELECT * FROM {name}"), Vec::new());
            dump.push_str(&format!("{name}: {:?}\n", rows.unwrap()));
        }
        dump
    }

    fn execute(&self, (statement, values): Statement) -> Result<(), rusqlite::Error> {
        let values = values.into_iter().map(to_sqlite);
        let values = params_from_iter(values);
        self.connection.execute(statement, values)?;
        Ok(())
    }
}

impl Sql for Sqlite {
    fn query(&self, statement: &str, values: Vec<SqlValue>) -> Result<Vec<SqlRow>, StorageError> {
        let run = || {
            let mut statement = self.connection.prepare(statement)?;
            let columns = statement.column_count();
            let values = params_from_iter(values.into_iter().map(to_sqlite));
            let rows = statement.query_map(values, |row| {
                let values = (0..columns).map(|column| row.get(column).map(from_sqlite));
                values.collect::<Result<_, _>>().map(SqlRow)
            })?;
            rows.collect::<Result<_, _>>()
        };
        run().map_err(failed)
    }

    fn write(&self, statements: Vec<Statement>) -> Result<(), StorageError> {
        let transaction = self.connection.unchecked_transaction().map_err(failed)?;
        for statement in statements {
            // A transaction that is dropped is rolled back.
            self.execute(statement).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    fn rows_written(&self) -> u64 {
        self.connection.total_changes()
    }
}

fn failed(error: rusqlite::Error) -> StorageError {
    StorageError::Failed(error.to_string())
}

fn to_sqlite(value: SqlValue) -> Value {
    match value {
        SqlValue::Null => Value::Null,
        SqlValue::Integer(number) => Value::Integer(number),
        SqlValue::Real(number) => Value::Real(number),
        SqlValue::Text(text) => Value::Text(text),
        SqlValue::Blob(bytes) => Value::Blob(bytes),
    }
}

fn from_sqlite(value: Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Integer(number) => SqlValue::Integer(number),
        Value::Real(number) => SqlValue::Real(number),
        Value::Text(text) => SqlValue::Text(text),
        Value::Blob(bytes) => SqlValue::Blob(bytes),
    }
}
