//! The form of the body of a publish: one event, or a batch. Pure.

use crate::http::media_type;
use crate::http::problem::Problem;
use crate::http::query;
use crate::settings::Settings;
use sse_hub::sse;

/// The form of a body.
#[derive(Debug, PartialEq, Eq)]
pub enum Form {
    /// The whole body is the data of one event.
    Single {
        /// The type of the event; empty for none.
        event_type: String,
    },
    /// The body is an event stream.
    Batch,
}

impl Form {
    /// Reads the form from the header `Content-Type` and the query.
    pub fn of(content_type: Option<&str>, query: &str) -> Result<Self, Problem> {
        let event_type = query::value_if_any(query, "event")?;
        if content_type.is_some_and(|value| media_type::is(value, sse::MEDIA_TYPE)) {
            return match event_type {
                None => Ok(Self::Batch),
                Some(_) => Err(Problem::InvalidQuery(
                    "The parameter \"event\" has no meaning for a body of type text/event-stream. Give each event its own \"event:\" line.".to_owned(),
                )),
            };
        }
        let event_type = event_type.unwrap_or_default();
        check_type(&event_type, || "in the parameter \"event\"".to_owned())?;
        Ok(Self::Single { event_type })
    }

    /// Whether the body `text` stands for no event, where a body is optional. An empty body with a type is an event.
    pub fn is_no_event(&self, text: &str) -> bool {
        text.is_empty()
            && match self {
                Self::Single { event_type } => event_type.is_empty(),
                Self::Batch => true,
            }
    }

    /// The largest body of this form, in bytes, with the name of the setting that limits it.
    pub fn max_bytes(&self, settings: &Settings) -> (usize, &'static str) {
        match self {
            Self::Single { .. } => (settings.max_event_bytes, "MAX_EVENT_BYTES"),
            Self::Batch => (settings.max_batch_bytes, "MAX_BATCH_BYTES"),
        }
    }
}

/// Checks the type of an event. `place` says where it is, for the error.
pub fn check_type(event_type: &str, place: impl FnOnce() -> String) -> Result<(), Problem> {
    sse::check_type(event_type).map_err(|error| Problem::InvalidEventType {
        place: place(),
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_follows_from_the_content_type_and_the_query() {
        let single = |event_type: &str| {
            Ok(Form::Single {
                event_type: event_type.to_owned(),
            })
        };
        assert_eq!(Form::of(None, ""), single(""));
        assert_eq!(
            Form::of(Some("application/json"), "a=b&event=sc+%6Fre"),
            single("sc ore")
        );
        assert_eq!(
            Form::of(Some("Text/Event-Stream; charset=utf-8"), "events=x"),
            Ok(Form::Batch)
        );
        assert_eq!(Form::of(None, "event="), single(""));
        assert_eq!(
            Form::of(Some("text/event-stream"), "event="),
            Ok(Form::Batch)
        );
        for (content_type, query) in [
            (Some("text/event-stream"), "event=x"),
            (None, "event=x&%65vent=y"),
            (None, "event=%ff"),
        ] {
            let form = Form::of(content_type, query);
            assert!(matches!(form, Err(Problem::InvalidQuery(_))), "{query}");
        }
        assert!(matches!(
            Form::of(None, "event=a%0Ab"),
            Err(Problem::InvalidEventType { .. })
        ));
    }
}
