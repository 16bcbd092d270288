//! Deletes a channel, even when its object cannot open its database.

use web_sys::Response;

use super::Channel;
use crate::http::object;
use crate::http::problem::Problem;
use crate::http::response::Failure;
use crate::http::route::Action;
use crate::isolate::disk::{self, Disk, Location};
use crate::isolate::storage_failure::StorageFailure;
use crate::logging::{Level, Line};

/// How the attempt to end a channel went.
struct Ended {
    answer: Result<Response, Problem>,
    /// Why the storage did not let it, where it did not.
    failure: Option<StorageFailure>,
}

impl Channel<'_> {
    /// Ends the channel. Where its database is broken, removes the database and starts the channel anew. Where the disk is
    /// full, removes it once the channel has ended: SQLite keeps the space of what it removes to itself.
    pub(super) async fn delete(&self) -> Result<Response, Failure> {
        // Not again: somebody may have published meanwhile.
        let mut ended = self.end_once().await?;
        if matches!(ended.failure, Some(StorageFailure::Full(_))) {
            // The reserve has given some space back.
            ended = self.end_once().await?;
        }
        let removes = match &ended.failure {
            Some(failure) => !matches!(failure, StorageFailure::Full(_)),
            None => ended.answer.as_ref().is_ok_and(Response::ok) && disk::is_full(),
        };
        let Some(files) = Disk::open(self.env).filter(|_| removes) else {
            return Ok(ended.answer?);
        };
        // An answer that was not read to its end breaks off with its object.
        let receipt = match ended.answer {
            Ok(answer) if ended.failure.is_none() => {
                Some(worker::Response::from(answer).text().await?)
            }
            _ => None,
        };
        self.remove_database(&files).await?;
        // The next object has to know that the channel has ended.
        let again = self.end_once().await?;
        match receipt {
            Some(receipt) => Ok(self.responder.json_text(&receipt)?),
            None => Ok(again.answer?),
        }
    }

    /// Has the channel's object end the channel.
    async fn end_once(&self) -> Result<Ended, Failure> {
        let call = self.prepare(Action::Channel, "", "DELETE", &[], None)?;
        let answer = match self.send(&call, 1).await? {
            Ok(answer) => answer,
            Err(rejection) => {
                let problem = self.problem(&rejection, 0).await?;
                let failure = match &problem {
                    Problem::StorageFailed(failure) => Some(failure.clone()),
                    _ => None,
                };
                let answer = Err(problem);
                return Ok(Ended { answer, failure });
            }
        };
        let mut failure = None;
        if answer.status() == 503 {
            let copy = answer.clone().map_err(worker::Error::from)?;
            let problem = worker::Response::from(copy).text().await?;
            let is_storage = problem.contains(":storage-failed\"");
            failure = is_storage.then(|| StorageFailure::from_message(&problem));
        }
        let answer = Ok(answer);
        Ok(Ended { answer, failure })
    }

    /// Removes the database of the channel's object. An object that has it open would go on writing to files that are
    /// gone, so the object is aborted before, and once more, in case a new object opened the files in between.
    async fn remove_database(&self, files: &Disk) -> Result<(), Failure> {
        let object = object::object_id(self.env, self.id)?;
        let place = Location::of(self.env, self.id, object.clone());
        let abort = self.prepare(Action::Channel, "", object::ABORT_METHOD, &[], None)?;
        let _ = self.send_once(&abort).await?;
        let removed = files.remove(&object).await;
        let _ = self.send_once(&abort).await?;
        match removed {
            Ok(()) => {
                Level::Warn.log(|| {
                    place.name_in(Line::new("channel starts anew, its database was removed"))
                });
                Ok(())
            }
            Err(error) => {
                Level::Error.log(|| {
                    let line = Line::new("channel cannot start anew");
                    place.name_in(line).error(&error)
                });
                let failure = StorageFailure::from_message(&error);
                Err(Problem::StorageFailed(failure).into())
            }
        }
    }
}
