//! The object's storage as the runtime gives it: SQL that takes effect at once, and is durable once [`Database::sync`]
//! says so.

use std::cell::Cell;
use std::time::Duration;

use wasm_bindgen::prelude::*;
use worker::{Env, SqlStorage, SqlStorageValue, State, Storage};

use crate::isolate::disk::Location;
use sse_hub::{HistoryError, Millis};

#[wasm_bindgen]
extern "C" {
    /// What worker's binding of the storage lacks.
    type SyncStorage;

    /// Runs `run`; what it wrote is undone where it throws.
    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &SyncStorage,
        run: &mut dyn FnMut() -> Result<(), JsValue>,
    ) -> Result<(), JsValue>;
}

#[wasm_bindgen(module = "/src/abort.js")]
extern "C" {
    /// Ends the object with this `state`. The file says why not at once.
    #[wasm_bindgen(js_name = abortSoon)]
    fn abort_soon(state: &JsValue, reason: &str);
}

/// The storage failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StorageError(pub String);

impl From<worker::Error> for StorageError {
    fn from(error: worker::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<StorageError> for HistoryError {
    fn from(error: StorageError) -> Self {
        Self(error.0)
    }
}

/// A statement of SQL with its values.
pub type Statement = (&'static str, Vec<SqlStorageValue>);

/// A number as SQL takes it. None that is stored here comes near 2^53, up to which numbers of JavaScript are exact.
pub fn number(number: u64) -> SqlStorageValue {
    SqlStorageValue::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A row that a query found.
pub struct SqlRow(Vec<SqlStorageValue>);

impl SqlRow {
    /// The number in a column; `None` where it holds none.
    pub fn number(&self, column: usize) -> Option<u64> {
        match self.0.get(column)? {
            SqlStorageValue::Integer(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The text in a column, or its bytes where they are text.
    pub fn text(&mut self, column: usize) -> Option<String> {
        match std::mem::replace(self.0.get_mut(column)?, SqlStorageValue::Null) {
            SqlStorageValue::String(text) => Some(text),
            SqlStorageValue::Blob(bytes) => String::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The bytes in a column.
    pub fn bytes(&self, column: usize) -> Option<&[u8]> {
        match self.0.get(column)? {
            SqlStorageValue::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// An object's storage.
pub struct Database {
    state: State,
    storage: Storage,
    sql: SqlStorage,
    rows_written: Cell<u64>,
    is_aborting: Cell<bool>,
    location: Location,
}

impl Database {
    /// Of the object with this `state`.
    pub fn new(state: State, env: &Env) -> Self {
        let storage = state.storage();
        Self {
            location: Location::of(
                env,
                &state.id().name().unwrap_or_default(),
                state.id().to_string(),
            ),
            sql: storage.sql(),
            storage,
            state,
            rows_written: Cell::new(0),
            is_aborting: Cell::new(false),
        }
    }

    /// The runtime's own state of the object.
    pub fn state(&self) -> &JsValue {
        self.state.as_raw().as_ref()
    }

    /// Which channel's data this is, and where it is, for the log.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// How many rows this object has written since it started: what the platform bills.
    pub fn rows_written(&self) -> u64 {
        self.rows_written.get()
    }

    fn count(&self, rows: usize) {
        let sum = self.rows_written.get().saturating_add(rows as u64);
        self.rows_written.set(sum);
    }

    /// Asks for rows.
    pub fn query(
        &self,
        statement: &str,
        values: Vec<SqlStorageValue>,
    ) -> Result<Vec<SqlRow>, StorageError> {
        let cursor = self.sql.exec(statement, values)?;
        let rows = cursor.raw().map(|row| Ok(SqlRow(row?)));
        rows.collect()
    }

    /// Writes all of `statements` or, where that fails, none of them.
    pub fn write(&self, mut statements: Vec<Statement>) -> Result<(), StorageError> {
        let is_one = statements.len() == 1;
        let mut run = || {
            let mut rows = 0_usize;
            for (statement, values) in std::mem::take(&mut statements) {
                let cursor = self.sql.exec(statement, values)?;
                rows = rows.saturating_add(cursor.rows_written());
            }
            self.count(rows);
            Ok(())
        };
        let result: Result<(), JsValue> = if is_one {
            run()
        } else {
            let storage: &SyncStorage = self.storage.as_raw().unchecked_ref();
            storage.transaction_sync(&mut run)
        };
        Ok(result.map_err(worker::Error::from)?)
    }

    /// Waits until everything written so far is durable. Where that fails, some of it may be, and the object is of no use
    /// any more.
    pub async fn sync(&self) -> Result<(), StorageError> {
        Ok(self.storage.sync().await?)
    }

    /// Has the object woken up, in place of any time that was set before.
    pub async fn set_alarm(&self, after: Millis) -> Result<(), StorageError> {
        self.count(1);
        Ok(self.storage.set_alarm(Duration::from_millis(after)).await?)
    }

    /// When the object is woken up, in milliseconds since 1970, if it is.
    pub async fn alarm(&self) -> Result<Option<Millis>, StorageError> {
        let at = self.storage.get_alarm().await?;
        Ok(at.and_then(|at| Millis::try_from(at).ok()))
    }

    /// Removes everything, the alarm included.
    pub async fn delete_all(&self) -> Result<(), StorageError> {
        Ok(self.storage.delete_all().await?)
    }

    /// Aborts the object soon; its streams break off, and their clients come back to a new one. Nothing more is to be
    /// stored.
    pub fn abort(&self, reason: &str) {
        self.is_aborting.set(true);
        abort_soon(self.state(), reason);
    }

    /// Whether the object is about to end.
    pub fn is_aborting(&self) -> bool {
        self.is_aborting.get()
    }
}
