//! Reads where a stream, or a page of the history, starts. Pure.

use crate::http::problem::Problem;
use crate::http::query;
use sse_hub::ReplayFrom;

/// The header that a client sends when it reconnects.
pub const LAST_EVENT_ID_HEADER: &str = "Last-Event-ID";

/// The parameters of `GET /channels/{id}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// `Last-Event-ID`, `last_event_id` or `history`: where the stream starts.
    pub since: ReplayFrom,
    /// `catch_up`: if the stream falls behind the log, it later reads the events that it missed from the history,
    /// instead of dropping them.
    pub catch_up: bool,
}

impl Subscription {
    /// Reads the header `Last-Event-ID` and the query. Fails with [`Problem::InvalidQuery`]. An id that cannot be read
    /// counts as unknown and is not an error, because a browser would stop reconnecting after an error.
    pub fn read(last_event_id: Option<&str>, query: &str) -> Result<Self, Problem> {
        let history = query::number(query, "history", 0, u64::MAX)?;
        let catch_up = query::number(query, "catch_up", 0, 1)?;
        let in_query = last_id(query, "last_event_id");
        let last_event_id = last_event_id.filter(|id| !id.is_empty());
        let since = match (last_event_id.map(after).or(in_query), history) {
            (Some(since), _) => since,
            (None, Some(events)) => ReplayFrom::Last(events),
            (None, None) => ReplayFrom::Now,
        };
        Ok(Self {
            since,
            catch_up: catch_up == Some(1),
        })
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
            since: last_id(query, "after").unwrap_or(ReplayFrom::Oldest),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        })
    }
}

/// The id in the parameter `name`. An empty id counts as none. If there are several, the first one counts.
fn last_id(query: &str, name: &str) -> Option<ReplayFrom> {
    let id = query::values(query, name).next()?;
    match id.as_deref() {
        Some("") => None,
        Some(id) => Some(after(id)),
        None => Some(ReplayFrom::Unknown),
    }
}

fn after(id: &str) -> ReplayFrom {
    id.parse().map_or(ReplayFrom::Unknown, ReplayFrom::After)
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;
    use sse_hub::sse::EventId;

    const ID: &str = "38G3E9VRB4D2P-8";

    fn since(header: Option<&str>, query: &str) -> ReplayFrom {
        Subscription::read(header, query).unwrap().since
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
        assert!(Subscription::read(None, "catch_up=1").unwrap().catch_up);
        assert!(!Subscription::read(None, "catch_up=0").unwrap().catch_up);
        for bad in ["history=-1", "history=", "catch_up=yes", "catch_up=2"] {
            assert!(Subscription::read(Some(ID), bad).is_err(), "{bad}");
        }
        for bad in ["limit=0", "limit=1001", "limit=", "limit=1&limit=2"] {
            assert!(EventsQuery::read(bad).is_err(), "{bad}");
        }
        let query = EventsQuery::read("").unwrap();
        assert_eq!((query.since, query.limit), (ReplayFrom::Oldest, 100));
    }
}
