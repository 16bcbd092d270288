//! Explains why a call to the channel's object failed.
//!
//! If an object cannot store something, or cannot open its database, the runtime gives up the object, and the Worker
//! gets an error that often does not name the reason.

use super::authorized::Authorized;
use crate::http::object::request::ObjectRequest;
use crate::http::object::{self, CallError};
use crate::http::problem::Problem;
use crate::http::response::Failure;
use crate::isolate::disk::{Disk, Location, Room};
use crate::isolate::disk_space;
use crate::isolate::storage_failure::{self, StorageFailure};
use crate::logging::{Level, Line};

impl Authorized<'_> {
    /// The problem to report for this channel of several. Logs a failure of the runtime.
    pub(super) fn problem_of(&self, failure: Failure) -> Problem {
        match failure {
            Failure::Problem(problem) => problem,
            Failure::Runtime(error) => {
                Level::Error.log(|| {
                    Line::new("request failed")
                        .field("id", self.channel())
                        .error(&error)
                });
                Problem::Internal
            }
        }
    }

    /// Finds the problem that caused the error of a call that had `bytes` to store.
    pub(super) async fn explain(
        &self,
        error: &CallError,
        bytes: usize,
    ) -> Result<Problem, Failure> {
        let message = &error.message;
        if error.is_overloaded {
            return Ok(Problem::ChannelUnavailable);
        }
        let disk = Disk::open(self.request.env);
        let failure = StorageFailure::from_message(message);
        match &failure {
            StorageFailure::Full(reason) => {
                Ok(note_full(reason.clone(), bytes, disk.as_ref()).await)
            }
            StorageFailure::Broken(_) => self.note_broken(failure, message),
            StorageFailure::Other(_) => match disk {
                Some(disk) if storage_failure::is_internal(message) => {
                    self.explain_internal(&disk, bytes).await
                }
                _ => Ok(Problem::ChannelUnavailable),
            },
        }
    }

    /// Finds the problem that caused an error whose reason the runtime hides. Tests the disk, and whether the object
    /// can be opened.
    async fn explain_internal(&self, disk: &Disk, bytes: usize) -> Result<Problem, Failure> {
        match disk_space::test_room(disk, bytes as u64).await {
            Room::Enough => {}
            Room::Unknown => return Ok(Problem::ChannelUnavailable),
            Room::TooLittle => {
                let reason = "a test file could not be written".to_owned();
                return Ok(note_full(reason, bytes, Some(disk)).await);
            }
        }
        let call = self.prepare(ObjectRequest::ReadStats)?;
        match self.send_once(&call).await? {
            Err(again) if storage_failure::is_internal(&again.message) => {
                let reason = "it cannot be opened".to_owned();
                self.note_broken(StorageFailure::Broken(reason), &again.message)
            }
            _ => Ok(Problem::ChannelUnavailable),
        }
    }

    /// Logs that the channel's database is broken.
    fn note_broken(&self, failure: StorageFailure, error: &str) -> Result<Problem, Failure> {
        let location = self.location()?;
        Level::Error.log(|| {
            let line = Line::new("database cannot be used");
            location.name_in(line).error(&error)
        });
        Ok(Problem::StorageFailed(failure))
    }

    /// Where the channel's data is.
    pub(super) fn location(&self) -> Result<Location, Failure> {
        let object = object::object_id(self.request.env, self.channel())?;
        Ok(Location::of(self.request.env, self.channel(), object))
    }
}

/// Notes that the storage is full, and frees the space of the reserve file.
async fn note_full(reason: String, bytes: usize, disk: Option<&Disk>) -> Problem {
    disk_space::set_full(&reason, bytes as u64);
    if let Some(disk) = disk {
        disk_space::release_reserve(disk).await;
    }
    Problem::StorageFailed(StorageFailure::Full(reason))
}
