//! Media types in the headers `Accept` and `Content-Type`. Pure.

use sse_hub::sse;

/// Whether `value`, a `Content-Type` or a part of an `Accept`, is the media type `name`. Parameters do not count, and
/// neither do upper and lower case.
pub fn is(value: &str, name: &str) -> bool {
    without_parameters(value).eq_ignore_ascii_case(name)
}

/// Whether the header `Accept` names event streams. `*/*` does not name them.
pub fn accepts_stream(accept: &str) -> bool {
    accept.split(',').any(|range| is(range, sse::MEDIA_TYPE))
}

fn without_parameters(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_accepted_only_if_accept_names_it() {
        assert!(accepts_stream("text/event-stream"));
        assert!(accepts_stream("text/html, Text/Event-Stream;q=0.9"));
        assert!(!accepts_stream("*/*"));
        assert!(!accepts_stream("text/event-stream-not"));
        assert!(!accepts_stream(""));
    }
}
