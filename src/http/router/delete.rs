//! The endpoint that deletes a channel. It works even if the object cannot open its database.

use web_sys::Response;

use super::authorized::Authorized;
use super::call::Retry;
use crate::http::object::request::ObjectRequest;
use crate::http::problem::{Problem, document};
use crate::http::response::Failure;
use crate::isolate::disk::Disk;
use crate::isolate::disk_space;
use crate::isolate::storage_failure::StorageFailure;
use crate::logging::{Level, Line};

/// The result of one attempt to delete the channel.
struct Deleted {
    response: Result<Response, Problem>,
    /// Why the storage failed, if it did.
    failure: Option<StorageFailure>,
}

impl Authorized<'_> {
    /// Deletes the channel. If its database is broken, removes the database. If the disk is full, also removes the
    /// database once the channel was deleted, because SQLite does not give the space of deleted rows back.
    pub async fn delete_channel(&self) -> Result<Response, Failure> {
        let mut deleted = self.delete_once().await?;
        if matches!(deleted.failure, Some(StorageFailure::Full(_))) {
            // The space of the reserve file was freed meanwhile.
            deleted = self.delete_once().await?;
        }
        let removes_database = match &deleted.failure {
            Some(failure) => !matches!(failure, StorageFailure::Full(_)),
            None => deleted.response.as_ref().is_ok_and(Response::ok) && disk_space::is_full(),
        };
        let Some(disk) = Disk::open(self.request.env).filter(|_| removes_database) else {
            return Ok(deleted.response?);
        };
        // Read the receipt before the object is aborted, which would cut the response.
        let receipt = match deleted.response {
            Ok(response) if deleted.failure.is_none() => {
                Some(worker::Response::from(response).text().await?)
            }
            _ => None,
        };
        self.remove_database(&disk).await?;
        // The new database has to know that the channel has ended.
        let again = self.delete_once().await?;
        match receipt {
            Some(receipt) => Ok(self.request.responder.json_text(&receipt)?),
            None => Ok(again.response?),
        }
    }

    /// Calls the object to delete the channel. Does not retry a call that the object had begun, because a client may
    /// have published since then.
    async fn delete_once(&self) -> Result<Deleted, Failure> {
        let call = self.prepare(ObjectRequest::DeleteChannel)?;
        let response = match self.send(&call, Retry::OnlyIfNotBegun).await? {
            Ok(response) => response,
            Err(error) => {
                let problem = self.explain(&error, 0).await?;
                let failure = match &problem {
                    Problem::StorageFailed(failure) => Some(failure.clone()),
                    _ => None,
                };
                return Ok(Deleted {
                    response: Err(problem),
                    failure,
                });
            }
        };
        let mut failure = None;
        if response.status() == 503 {
            let copy = response.clone().map_err(worker::Error::from)?;
            let body = worker::Response::from(copy).text().await?;
            failure = document::storage_failure(&body);
        }
        Ok(Deleted {
            response: Ok(response),
            failure,
        })
    }

    /// Removes the database of the channel's object. An object that has it open would keep writing to the removed
    /// files, so the object is aborted before, and again afterwards, in case a new object has opened the files
    /// meanwhile.
    async fn remove_database(&self, disk: &Disk) -> Result<(), Failure> {
        let location = self.location()?;
        let abort = self.prepare(ObjectRequest::Abort)?;
        let _ = self.send_once(&abort).await?;
        let removed = disk.remove_database(location.object()).await;
        let _ = self.send_once(&abort).await?;
        match removed {
            Ok(()) => {
                Level::Warn.log(|| {
                    let line = Line::new("database was removed");
                    location.name_in(line)
                });
                Ok(())
            }
            Err(error) => {
                Level::Error.log(|| {
                    let line = Line::new("database cannot be removed");
                    location.name_in(line).error(&error)
                });
                let failure = StorageFailure::from_message(&error);
                Err(Problem::StorageFailed(failure).into())
            }
        }
    }
}
