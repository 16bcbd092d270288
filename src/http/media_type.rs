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

/// The charset that a `Content-Type` names, if it is not UTF-8 or its subset ASCII. An empty charset names none.
pub fn other_charset(content_type: &str) -> Option<String> {
    // Most types have no parameter.
    if !content_type.contains(';') {
        return None;
    }
    let parameters = split(content_type).into_iter().skip(1);
    let charsets = parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| value.trim().to_owned())
    });
    let is_utf_8 = |charset: &str| {
        let known = ["", "utf-8", "utf8", "us-ascii", "ascii"];
        known
            .iter()
            .any(|known| known.eq_ignore_ascii_case(charset))
    };
    charsets.into_iter().find(|charset| !is_utf_8(charset))
}

/// Splits the value of a header at semicolons, and at the commas between the values of several headers. Resolves quoted
/// strings (RFC 9110, section 5.6.4).
fn split(value: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut is_quoted = false;
    let mut chars = value.chars();
    while let Some(character) = chars.next() {
        match character {
            '"' => is_quoted = !is_quoted,
            '\\' if is_quoted => part.extend(chars.next()),
            ';' | ',' if !is_quoted => parts.push(std::mem::take(&mut part)),
            other => part.push(other),
        }
    }
    parts.push(part);
    parts
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

    #[test]
    fn a_charset_is_utf_8_or_its_subset_or_none() {
        for good in [
            "",
            "text/plain",
            "text/plain;",
            "text/plain; charset=utf-8",
            "application/json;CHARSET=UTF-8",
            "text/event-stream; a=b; charset = UTF8",
            "text/plain; charset=\"utf-8\"",
            "text/plain; charset=\"u\\tf-8\"; a=b",
            "text/plain; charset=us-ascii",
            "text/plain; charset=",
            "text/plain; charset=\"\"",
            "text/plain; charset",
            "text/plain; charsets=utf-16; xcharset=utf-16",
            "text/plain; a=\"; charset=utf-16\"",
            "text/plain; a=\"\\\"; charset=utf-16\"",
            "multipart/form-data; boundary=charset=utf-16",
            "charset=utf-16",
        ] {
            assert_eq!(other_charset(good), None, "{good}");
        }
        for (other, charset) in [
            ("text/plain; charset=utf-16", "utf-16"),
            ("text/plain; charset=\"UTF-16LE\"", "UTF-16LE"),
            (
                "application/json ; a=b ;\tcharset = iso-8859-1 ; c=d",
                "iso-8859-1",
            ),
            ("text/event-stream;charset=windows-1252", "windows-1252"),
            ("a; charset=utf-8; charset=utf-16", "utf-16"),
            ("text/plain, text/plain; charset=utf-16", "utf-16"),
            ("text/plain; a=\"b\"; charset=\"utf-\\16\"", "utf-16"),
            ("text/plain; charset=\"utf-16", "utf-16"),
            ("text/plain; charset=utf-8x", "utf-8x"),
            ("; charset=binary", "binary"),
        ] {
            assert_eq!(other_charset(other).as_deref(), Some(charset), "{other}");
        }
    }
}
