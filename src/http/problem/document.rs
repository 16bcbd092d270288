//! A problem as a JSON document (RFC 9457): written for clients, and read by the Worker in the response of an object.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Problem;
use crate::isolate::storage_failure::StorageFailure;

/// What the `type` of each problem begins with.
const TYPE_PREFIX: &str = "urn:sse-broadcaster:problem:";

/// The members of the JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document<'a> {
    /// The channel that has the problem, if the reader cannot know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Cow<'a, str>>,
    /// A URN.
    pub r#type: Cow<'a, str>,
    /// The meaning of the type.
    pub title: Cow<'a, str>,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong, and what would be right.
    pub detail: String,
}

impl Document<'static> {
    /// Reads a problem that an object has written. Returns `None` if `json` is not one, or if its status is not that of
    /// a failure.
    pub fn parse(json: &str) -> Option<Self> {
        let document: Self = serde_json::from_str(json).ok()?;
        matches!(document.status, 400..=599).then_some(document)
    }
}

impl Document<'_> {
    /// The document as JSON, on one line.
    pub fn to_json(&self) -> String {
        // Strings and a number can always be serialized.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Whether a request that has failed with `status` can succeed later.
pub fn is_temporary(status: u16) -> bool {
    matches!(status, 429 | 503)
}

impl Problem {
    /// The problem as JSON, on one line.
    pub fn to_json(&self) -> String {
        self.json_for(None)
    }

    /// The problem as the data of a notice in a stream of `channel`.
    pub fn to_notice(&self, channel: &str) -> String {
        self.json_for(Some(channel))
    }

    /// The problem as a document.
    pub fn document(&self) -> Document<'static> {
        let (status, kind, title) = self.kind();
        Document {
            channel: None,
            r#type: format!("{TYPE_PREFIX}{kind}").into(),
            title: title.into(),
            status,
            detail: self.to_string(),
        }
    }

    /// The problem of a channel as a document.
    pub fn document_for(&self, channel: Option<&str>) -> Document<'static> {
        Document {
            channel: channel.map(|channel| channel.to_owned().into()),
            ..self.document()
        }
    }

    fn json_for(&self, channel: Option<&str>) -> String {
        self.document_for(channel).to_json()
    }
}

/// The failure of the storage that a response of an object describes, if it describes one. `json` is the body of the
/// response.
pub fn storage_failure(json: &str) -> Option<StorageFailure> {
    let document: Document = serde_json::from_str(json).ok()?;
    // The detail contains the message of SQLite, from which the kind of the failure follows.
    let failure = StorageFailure::from_message(&document.detail);
    let (_, kind, _) = Problem::StorageFailed(failure.clone()).kind();
    (document.r#type.strip_prefix(TYPE_PREFIX) == Some(kind)).then_some(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_of_json_with_all_members() {
        let problem = Problem::MethodNotAllowed {
            method: "\"\n".into(),
            allow: "GET".into(),
        };
        let json = problem.to_json();
        assert!(!json.contains('\n'));
        let members: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            members["type"],
            "urn:sse-broadcaster:problem:method-not-allowed"
        );
        assert_eq!(members["title"], "Method not allowed");
        assert_eq!(members["status"], 405);
        assert_eq!(members.get("channel"), None);
        let notice = problem.to_notice("foo");
        assert_eq!(notice, json.replacen('{', "{\"channel\":\"foo\",", 1));
        assert_eq!(
            members["detail"],
            "This path does not take \"\n. It takes GET."
        );
    }

    #[test]
    fn the_problem_of_a_wrong_method_names_the_paths_that_take_it() {
        let problem = Problem::MethodNotAllowed {
            method: "POST".into(),
            allow: "GET".into(),
        };
        let start =
            "This path does not take POST. It takes GET. POST goes to /channels/{id}/broadcast";
        assert!(problem.to_string().starts_with(start), "{problem}");
    }

    #[test]
    fn the_kind_of_a_storage_failure_is_read_again_from_its_json() {
        let read = |message: &str| {
            let problem = Problem::StorageFailed(StorageFailure::from_message(message));
            storage_failure(&problem.to_json())
        };
        assert!(matches!(
            read("database or disk is full: SQLITE_FULL"),
            Some(StorageFailure::Full(_))
        ));
        assert!(matches!(
            read("file is not a database: SQLITE_NOTADB"),
            Some(StorageFailure::Broken(_))
        ));
        assert!(matches!(
            read("no such table: SQLITE_ERROR"),
            Some(StorageFailure::Other(_))
        ));
    }

    #[test]
    fn other_bodies_describe_no_storage_failure() {
        for body in [
            &Problem::ChannelUnavailable.to_json(),
            &Problem::InvalidQuery("SQLITE_FULL :storage-failed\"".to_owned()).to_json(),
            "{}",
            "",
            "storage-failed",
        ] {
            assert!(storage_failure(body).is_none(), "{body}");
        }
    }
}
