//! The answer to a publish to several channels: the receipt or the problem of each. Pure.

use serde::{Deserialize, Serialize};

use crate::http::problem::document::{Document, is_temporary};

/// The receipt of a channel, as its object has written it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The id of the last event.
    pub id: String,
    /// The number of events.
    pub events: u64,
    /// The number of open streams of the channel.
    pub subscribers: u64,
    /// The number of deliveries that were dropped.
    pub dropped: u64,
}

/// Why a channel did not publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelFailure {
    /// The problem.
    pub problem: Document<'static>,
    /// When to try again, as the value of `Retry-After`.
    pub retry_after: Option<String>,
}

/// The answer of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelAnswer {
    /// It published the events.
    Published(Receipt),
    /// It had published the events before, for the same idempotency key.
    Replayed(Receipt),
    /// It did not publish them, or it is unknown whether it did.
    Failed(ChannelFailure),
}

/// The answer to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What the status and the headers say.
    pub outcome: Outcome,
    /// The body.
    pub json: String,
}

/// The result of a publish to several channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All channels have the events.
    Published,
    /// All channels had the events before.
    Replayed,
    /// At least one channel failed.
    Failed {
        /// The HTTP status.
        status: u16,
        /// The value of `Retry-After`.
        retry_after: Option<String>,
    },
}

/// A channel in the body.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Published {
        channel: &'a str,
        #[serde(flatten)]
        receipt: &'a Receipt,
        replayed: bool,
    },
    Failed {
        channel: &'a str,
        error: &'a Document<'static>,
    },
}

/// The body if all channels have the events.
#[derive(Serialize)]
struct Receipts<'a> {
    channels: Vec<Entry<'a>>,
}

/// The body if a channel failed: its problem, with two more members (RFC 9457, section 3.2).
#[derive(Serialize)]
struct PartialFailure<'a> {
    #[serde(flatten)]
    problem: Document<'a>,
    channels: Vec<Entry<'a>>,
}

impl<'a> Entry<'a> {
    fn new(channel: &'a str, answer: &'a ChannelAnswer) -> Self {
        let published = |receipt, replayed| Self::Published {
            channel,
            receipt,
            replayed,
        };
        match answer {
            ChannelAnswer::Published(receipt) => published(receipt, false),
            ChannelAnswer::Replayed(receipt) => published(receipt, true),
            ChannelAnswer::Failed(failure) => Self::Failed {
                channel,
                error: &failure.problem,
            },
        }
    }
}

/// Joins the answers of the channels, in the order of the path. `has_key` says whether the publish has an idempotency
/// key.
///
/// If a channel failed, the client gets the problem of the first channel that can succeed later, or else of the first
/// one that failed. So a client that looks only at the status repeats the publish for as long as that can help.
pub fn join(answers: &[(&str, ChannelAnswer)], has_key: bool) -> Answer {
    let channels = answers
        .iter()
        .map(|(channel, answer)| Entry::new(channel, answer))
        .collect();
    let failures: Vec<_> = answers
        .iter()
        .filter_map(|(channel, answer)| match answer {
            ChannelAnswer::Failed(failure) => Some((*channel, failure)),
            ChannelAnswer::Published(_) | ChannelAnswer::Replayed(_) => None,
        })
        .collect();
    let temporary = failures
        .iter()
        .find(|(_, failure)| is_temporary(failure.problem.status));
    let Some((channel, failure)) = temporary.or(failures.first()) else {
        let is_replayed =
            |(_, answer): &(&str, ChannelAnswer)| matches!(answer, ChannelAnswer::Replayed(_));
        return Answer {
            outcome: if answers.iter().all(is_replayed) {
                Outcome::Replayed
            } else {
                Outcome::Published
            },
            json: json(&Receipts { channels }),
        };
    };
    let (failed, count) = (failures.len(), answers.len());
    let remedy = match (temporary, has_key) {
        (Some(_), true) => {
            " Repeat the request with the same Idempotency-Key: it publishes only what is missing."
        }
        (Some(_), false) if failed < count => {
            " Repeat the request only for the channels that failed, because it has no Idempotency-Key."
        }
        _ => "",
    };
    let problem = Document {
        channel: Some((*channel).into()),
        detail: format!(
            "{failed} of {count} channels failed; the member \"channels\" has the result of each. Channel {channel}: {}{remedy}",
            failure.problem.detail
        ),
        ..failure.problem.clone()
    };
    Answer {
        outcome: Outcome::Failed {
            status: problem.status,
            retry_after: failure.retry_after.clone(),
        },
        json: json(&PartialFailure { problem, channels }),
    }
}

fn json(value: &impl Serialize) -> String {
    // Strings, numbers and lists of them can always be serialized.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
