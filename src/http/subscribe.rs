//! Reads where a stream, or a page of the history, starts. Pure.

use crate::http::problem::Problem;
use crate::http::query;
use sse_hub::ReplayFrom;
use sse_hub::sse::{CombinedId, Epoch, EventId};

/// The header that a client sends when it reconnects.
pub const LAST_EVENT_ID_HEADER: &str = "Last-Event-ID";

/// The parameter for clients that cannot set the header, in the URL that the client was given.
const LAST_EVENT_ID: &str = "last_event_id";

/// The parameters that libraries such as event-source-polyfill and reconnecting-eventsource append to the URL when they
/// reconnect. They are newer than a [`LAST_EVENT_ID`] in the same URL.
const APPENDED_IDS: [&str; 2] = ["lastEventId", "lastEventID"];

/// The parameters of `GET /channels/{id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// `Last-Event-ID`, `lastEventId`, `last_event_id` or `history`: where the stream starts.
    pub since: ReplayFrom,
    /// `catch_up`: if the stream falls behind the log, it later reads the events that it missed from the history,
    /// instead of dropping them.
    pub catch_up: bool,
}

impl Subscription {
    /// Reads the header `Last-Event-ID` and the query, for a stream of `channel`. Fails with
    /// [`Problem::InvalidQuery`]. An id that cannot be read counts as unknown and is not an error, because a browser
    /// would stop reconnecting after an error.
    pub fn read(channel: &str, last_event_id: Option<&str>, query: &str) -> Result<Self, Problem> {
        let Parameters { history, catch_up } = Parameters::read(query)?;
        let since = match (GivenId::find(last_event_id, query), history) {
            (Some(id), _) => id.position_in(channel),
            (None, Some(events)) => ReplayFrom::Last(events),
            (None, None) => ReplayFrom::Now,
        };
        Ok(Self { since, catch_up })
    }
}

/// The parameters of `GET /channels/{id}` beside those with an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// `history`: how many events before the next one the stream starts.
    pub history: Option<u64>,
    /// `catch_up`.
    pub catch_up: bool,
}

impl Parameters {
    /// Reads the query. Fails with [`Problem::InvalidQuery`].
    pub fn read(query: &str) -> Result<Self, Problem> {
        let history = query::number(query, "history", 0, u64::MAX)?;
        let catch_up = query::number(query, "catch_up", 0, 1)?;
        Ok(Self {
            history,
            catch_up: catch_up == Some(1),
        })
    }

    /// The query that has these parameters.
    pub fn to_query(self) -> String {
        let history = self.history.map(|events| format!("history={events}"));
        let catch_up = self.catch_up.then(|| "catch_up=1".to_owned());
        let parameters: Vec<String> = history.into_iter().chain(catch_up).collect();
        parameters.join("&")
    }
}

/// An id that no channel has assigned, because no epoch began in 1970.
const NEVER_ASSIGNED: EventId = EventId {
    epoch: Epoch::new(0, 0),
    seq: 1,
};

/// The id after which a client wants to continue.
#[derive(Clone, Debug)]
pub enum GivenId {
    /// The id of a stream of several channels.
    Combined(CombinedId),
    /// The id of a stream of one channel.
    Plain(EventId),
    /// A text that is no id.
    Unknown,
}

impl GivenId {
    /// Finds the id in the header `Last-Event-ID`, or else in the query.
    pub fn find(last_event_id: Option<&str>, query: &str) -> Option<Self> {
        let in_header = last_event_id.filter(|id| !id.is_empty()).map(Self::parse);
        let in_query = || {
            let appended = last_id(query, &APPENDED_IDS);
            appended.or_else(|| last_id(query, &[LAST_EVENT_ID]))
        };
        in_header.or_else(in_query)
    }

    fn parse(text: &str) -> Self {
        let plain = || text.parse().map(Self::Plain);
        let combined = || text.parse().map(Self::Combined);
        plain().or_else(|_| combined()).unwrap_or(Self::Unknown)
    }

    /// The id after which a stream of several channels continues in `channel`. `None` if it starts at the next event of
    /// the channel.
    pub fn id_for(&self, channel: &str) -> Option<EventId> {
        match self {
            Self::Combined(id) => id.position(channel),
            Self::Plain(id) => Some(*id),
            Self::Unknown => Some(NEVER_ASSIGNED),
        }
    }

    /// Where a stream of `channel` starts. A channel that a combined id does not have is new in the client's list, and
    /// starts at the next event.
    fn position_in(&self, channel: &str) -> ReplayFrom {
        match self {
            Self::Combined(id) => id
                .position(channel)
                .map_or(ReplayFrom::Now, ReplayFrom::After),
            Self::Plain(id) => ReplayFrom::After(*id),
            Self::Unknown => ReplayFrom::Unknown,
        }
    }
}

/// The most events on a page of the history.
const MAX_PAGE_EVENTS: u64 = 1_000;

/// The number of events on a page if the query does not set it.
const PAGE_EVENTS: u64 = 100;

/// The parameters of `GET /channels/{id}/events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsQuery {
    /// `after`: where the page starts. Without it, the page starts with the oldest event.
    pub since: ReplayFrom,
    /// `limit`: the most events on the page.
    pub limit: usize,
}

impl EventsQuery {
    /// Reads the query. Fails with [`Problem::InvalidQuery`].
    pub fn read(query: &str) -> Result<Self, Problem> {
        let limit = query::number(query, "limit", 1, MAX_PAGE_EVENTS)?.unwrap_or(PAGE_EVENTS);
        Ok(Self {
            since: match last_id(query, &["after"]) {
                Some(GivenId::Plain(id)) => ReplayFrom::After(id),
                Some(GivenId::Combined(_) | GivenId::Unknown) => ReplayFrom::Unknown,
                None => ReplayFrom::Oldest,
            },
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        })
    }
}

/// The id in the parameters that have one of `names`. An empty id counts as none. If there are several, the last one
/// counts, because clients append the newest one.
fn last_id(query: &str, names: &[&str]) -> Option<GivenId> {
    let ids = query::values(query, names).filter(|id| id.as_deref() != Some(""));
    let id = ids.last()?;
    Some(id.as_deref().map_or(GivenId::Unknown, GivenId::parse))
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "38G3E9VRB4D2P-8";

    fn since(header: Option<&str>, query: &str) -> ReplayFrom {
        Subscription::read("foo", header, query).unwrap().since
    }

    #[test]
    fn last_event_id_in_the_header_comes_before_that_in_the_query_and_before_history() {
        let seq = |since| match since {
            ReplayFrom::After(EventId { seq, .. }) => seq,
            other => panic!("{other:?}"),
        };
        let query = "history=5&last_event_id=38G3E9VRB4D2P-7";
        assert_eq!(seq(since(Some(ID), query)), 8);
        assert_eq!(seq(since(None, query)), 7);
        assert_eq!(seq(since(Some(""), query)), 7);
        assert_eq!(since(None, "history=5"), ReplayFrom::Last(5));
        assert_eq!(since(None, "history=5&last_event_id="), ReplayFrom::Last(5));
        assert_eq!(since(Some("x"), query), ReplayFrom::Unknown);
        assert_eq!(since(None, ""), ReplayFrom::Now);
    }

    #[test]
    fn an_id_that_a_library_appends_comes_before_last_event_id_and_the_last_one_counts() {
        let seq = |header, query: &str| {
            let id = |seq: &str| format!("38G3E9VRB4D2P-{seq}");
            let query = query.split('&').map(|pair| match pair.split_once('=') {
                Some((name, seq)) if !seq.is_empty() => format!("{name}={}", id(seq)),
                _ => pair.to_owned(),
            });
            let query: Vec<_> = query.collect();
            match since(header, &query.join("&")) {
                ReplayFrom::After(EventId { seq, .. }) => Some(seq),
                _ => None,
            }
        };
        for (query, expected) in [
            ("lastEventId=1", Some(1)),
            ("lastEventID=1", Some(1)),
            ("lastEventId=1&last_event_id=2", Some(1)),
            ("last_event_id=2&lastEventID=1", Some(1)),
            ("lastEventId=1&lastEventId=2", Some(2)),
            ("lastEventId=1&lastEventID=2", Some(2)),
            ("lastEventID=1&lastEventId=2", Some(2)),
            ("lastEventId=1&lastEventId=", Some(1)),
            ("lastEventId=&lastEventID=&last_event_id=2", Some(2)),
            ("last_event_id=1&last_event_id=2", Some(2)),
            ("lasteventid=1", None),
            ("LastEventId=1", None),
            ("lastEventId=", None),
        ] {
            assert_eq!(seq(None, query), expected, "{query}");
            assert_eq!(seq(Some(ID), query), Some(8), "{query}");
        }
        let query = "last_event_id=38G3E9VRB4D2P-7&lastEventId=x";
        assert_eq!(since(None, query), ReplayFrom::Unknown);
        let query = "after=38G3E9VRB4D2P-7&after=x&lastEventId=y";
        let events = EventsQuery::read(query).unwrap();
        assert_eq!(events.since, ReplayFrom::Unknown);
    }

    #[test]
    fn an_id_that_cannot_be_read_is_unknown_and_not_an_error() {
        for id in ["x", "-", "%ff", "%0A", "1-1", "38G3E9VRB4D2P-8%20"] {
            assert_eq!(
                since(None, &format!("last_event_id={id}")),
                ReplayFrom::Unknown
            );
        }
        let events = EventsQuery::read("after=x").unwrap();
        assert_eq!(events.since, ReplayFrom::Unknown);
    }

    #[test]
    fn all_other_parameters_are_checked() {
        assert!(
            Subscription::read("foo", None, "catch_up=1")
                .unwrap()
                .catch_up
        );
        assert!(
            !Subscription::read("foo", None, "catch_up=0")
                .unwrap()
                .catch_up
        );
        for bad in ["history=-1", "history=+", "catch_up=yes", "catch_up=2"] {
            assert!(Subscription::read("foo", Some(ID), bad).is_err(), "{bad}");
        }
        for bad in ["limit=0", "limit=1001", "limit=+", "limit=1&limit=2"] {
            assert!(EventsQuery::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_empty_parameter_counts_as_none() {
        let plain = Subscription::read("foo", None, "").unwrap();
        for query in ["history=", "history", "catch_up=", "lastEventId=&history="] {
            assert_eq!(Subscription::read("foo", None, query).as_ref(), Ok(&plain));
        }
        assert_eq!(since(None, "last_event_id=&history=5"), ReplayFrom::Last(5));
        for query in ["", "limit=", "limit", "after=&limit="] {
            let query = EventsQuery::read(query).unwrap();
            assert_eq!((query.since, query.limit), (ReplayFrom::Oldest, 100));
        }
    }
}
