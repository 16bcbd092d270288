//! The endpoint that ends a channel. It works even if the object cannot open its database.

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

/// The result of one attempt to end the channel.
struct Ended {
    response: Result<Response, Problem>,
    /// Why the storage failed, if it did.
    failure: Option<StorageFailure>,
}

impl Authorized<'_> {
    /// Ends the channel. If its database is broken, removes the database. If the disk is full, also removes the
    /// database once the channel has ended, because SQLite does not give the space of deleted rows back.
    pub async fn end_channel(&self) -> Result<Response, Failure> {
        let mut ended = self.end_once().await?;
        if matches!(ended.failure, Some(StorageFailure::Full(_))) {
            // The space of the reserve file was freed meanwhile.
            ended = self.end_once().await?;
        }
        let removes_database = match &ended.failure {
            Some(failure) => !matches!(failure, StorageFailure::Full(_)),
            None => ended.response.as_ref().is_ok_and(Response::ok) && disk_space::is_full(),
        };
        let Some(disk) = Disk::open(self.request.env).filter(|_| removes_database) else {
            return Ok(ended.response?);
        };
        // Read the receipt before the object is aborted, which would cut the response.
        let receipt = match ended.response {
            Ok(response) if ended.failure.is_none() => {
                Some(worker::Response::from(response).text().await?)
            }
            _ => None,
        };
        self.remove_database(&disk).await?;
        // The new database has to know that the channel has ended.
        let again = self.end_once().await?;
        match receipt {
            Some(receipt) => Ok(self.request.responder.json_text(&receipt)?),
            None => Ok(again.response?),
        }
    }

    /// Calls the object to end the channel. Does not retry a call that the object had begun, because a client may have
    /// published since then.
    async fn end_once(&self) -> Result<Ended, Failure> {
        let call = self.prepare(ObjectRequest::EndChannel)?;
        let response = match self.send(&call, Retry::OnlyIfNotBegun).await? {
            Ok(response) => response,
            Err(error) => {
                let problem = self.explain(&error, 0).await?;
                let failure = match &problem {
                    Problem::StorageFailed(failure) => Some(failure.clone()),
                    _ => None,
                };
                return Ok(Ended {
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
        Ok(Ended {
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
