//! The Durable Object's storage as the runtime offers it: SQL, which takes effect at once and is durable after
//! [`Database::sync`], the alarm, and the abort of the object.

use std::cell::Cell;
use std::time::Duration;

use wasm_bindgen::prelude::*;
use worker::{Env, SqlStorage, SqlStorageValue, State, Storage};

use super::engine::{Sql, SqlRow, SqlValue, Statement};
use super::error::StorageError;
use crate::isolate::disk::Location;
use sse_hub::Millis;

#[wasm_bindgen]
extern "C" {
    /// The part of the storage that the worker crate does not bind.
    type SyncStorage;

    /// Runs `run` in a transaction. If it throws, its writes are rolled back.
    #[wasm_bindgen(method, catch, js_name = transactionSync)]
    fn transaction_sync(
        this: &SyncStorage,
        run: &mut dyn FnMut() -> Result<(), JsValue>,
    ) -> Result<(), JsValue>;
}

#[wasm_bindgen(module = "/src/abort.js")]
extern "C" {
    /// Aborts the object with this `state` in a timer. The file explains why.
    #[wasm_bindgen(js_name = abortSoon)]
    fn abort_soon(state: &JsValue, reason: &str);
}

impl From<worker::Error> for StorageError {
    fn from(error: worker::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<SqlValue> for SqlStorageValue {
    fn from(value: SqlValue) -> Self {
        match value {
            SqlValue::Null => Self::Null,
            SqlValue::Integer(number) => Self::Integer(number),
            SqlValue::Real(number) => Self::Float(number),
            SqlValue::Text(text) => Self::String(text),
            SqlValue::Blob(bytes) => Self::Blob(bytes),
        }
    }
}

impl From<SqlStorageValue> for SqlValue {
    fn from(value: SqlStorageValue) -> Self {
        match value {
            SqlStorageValue::Null => Self::Null,
            SqlStorageValue::Boolean(is) => Self::Integer(i64::from(is)),
            SqlStorageValue::Integer(number) => Self::Integer(number),
            SqlStorageValue::Float(number) => Self::Real(number),
            SqlStorageValue::String(text) => Self::Text(text),
            SqlStorageValue::Blob(bytes) => Self::Blob(bytes),
        }
    }
}

/// The runtime's own values. Both enums have the same layout, so that the vector is converted in place.
fn to_runtime(values: Vec<SqlValue>) -> Vec<SqlStorageValue> {
    values.into_iter().map(SqlStorageValue::from).collect()
}

/// The storage of one object.
pub struct Database {
    state: State,
    storage: Storage,
    sql: SqlStorage,
    rows_written: Cell<u64>,
    is_aborting: Cell<bool>,
    location: Location,
}

impl Sql for Database {
    fn query(&self, statement: &str, values: Vec<SqlValue>) -> Result<Vec<SqlRow>, StorageError> {
        let cursor = self.sql.exec(statement, to_runtime(values))?;
        let rows = cursor.raw().map(|row| {
            let values = row?.into_iter().map(SqlValue::from);
            Ok(SqlRow(values.collect()))
        });
        rows.collect()
    }

    fn write(&self, mut statements: Vec<Statement>) -> Result<(), StorageError> {
        let is_single = statements.len() == 1;
        let mut run = || {
            let mut rows = 0_usize;
            for (statement, values) in std::mem::take(&mut statements) {
                let cursor = self.sql.exec(statement, to_runtime(values))?;
                rows = rows.saturating_add(cursor.rows_written());
            }
            self.count_rows(rows);
            Ok(())
        };
        // A single statement is atomic without a transaction, which would cost more calls into JavaScript.
        let result: Result<(), JsValue> = if is_single {
            run()
        } else {
            let storage: &SyncStorage = self.storage.as_raw().unchecked_ref();
            storage.transaction_sync(&mut run)
        };
        Ok(result.map_err(worker::Error::from)?)
    }

    /// The platform bills these rows.
    fn rows_written(&self) -> u64 {
        self.rows_written.get()
    }
}

impl Database {
    /// The storage of the object with this `state`.
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

    /// The channel and its file, for the log.
    pub fn location(&self) -> &Location {
        &self.location
    }

    fn count_rows(&self, rows: usize) {
        let sum = self.rows_written.get().saturating_add(rows as u64);
        self.rows_written.set(sum);
    }

    /// Waits until all writes so far are durable. If this fails, some of them may be durable, and the object has to be
    /// [aborted](Self::abort).
    pub async fn sync(&self) -> Result<(), StorageError> {
        Ok(self.storage.sync().await?)
    }

    /// Sets the object's only alarm to a time in `after` milliseconds.
    pub async fn set_alarm(&self, after: Millis) -> Result<(), StorageError> {
        self.count_rows(1);
        Ok(self.storage.set_alarm(Duration::from_millis(after)).await?)
    }

    /// Returns the time for which the alarm is set, if it is, in milliseconds since 1970.
    pub async fn alarm(&self) -> Result<Option<Millis>, StorageError> {
        let at = self.storage.get_alarm().await?;
        Ok(at.and_then(|at| Millis::try_from(at).ok()))
    }

    /// Removes all tables and the alarm.
    pub async fn delete_all(&self) -> Result<(), StorageError> {
        Ok(self.storage.delete_all().await?)
    }

    /// Aborts the object with the next timer: its streams break off, and their clients reconnect to a new object. The
    /// caller must not store anything after this call.
    pub fn abort(&self, reason: &str) {
        self.is_aborting.set(true);
        abort_soon(self.state(), reason);
    }

    /// Returns whether the object is about to be aborted.
    pub fn is_aborting(&self) -> bool {
        self.is_aborting.get()
    }
}
