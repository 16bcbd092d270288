//! Parses an event stream.

/// An event as a publisher wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedEvent {
    /// The event type, or an empty string if the publisher gave none.
    pub event_type: String,
    /// The lines of the data, joined by LF.
    pub data: String,
}

/// Parses `body` by the rules of WHATWG, with one exception: the last event also counts without its blank line.
///
/// `id:` and `retry:` are ignored. A block without `data:` is not an event.
pub fn parse(body: &str) -> Vec<ParsedEvent> {
    let mut parsed = Vec::new();
    let mut event_type = "";
    let mut data: Option<String> = None;
    let body = body.strip_prefix('\u{feff}').unwrap_or(body);
    // The added blank line ends an event that the end of the body cut short.
    for line in lines(body).chain([""]) {
        if line.is_empty() {
            if let Some(data) = data.take() {
                parsed.push(ParsedEvent {
                    event_type: event_type.to_owned(),
                    data,
                });
            }
            event_type = "";
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event_type = value,
            "data" => match &mut data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => data = Some(value.to_owned()),
            },
            _ => {}
        }
    }
    parsed
}

/// Iterates over the lines of `text`. CR, LF and CRLF end a line. There is one line more than there are line ends; the
/// last line may be empty.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some((line, _)) = text.split_once(['\r', '\n']) else {
            rest = None;
            return Some(text);
        };
        let line_end = text.get(line.len()..)?;
        rest = line_end
            .strip_prefix("\r\n")
            .or_else(|| line_end.strip_prefix(['\r', '\n']));
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_parsed_as_browsers_parse_a_stream() {
        let event = |event_type: &str, data: &str| ParsedEvent {
            event_type: event_type.into(),
            data: data.into(),
        };
        assert_eq!(
            parse("data: a\n\ndata:b\ndata:  c\n\n"),
            [event("", "a"), event("", "b\n c")]
        );
        assert_eq!(
            parse("\u{feff}event: x\rdata\r\rdata: 2\r\nid: 7\r\nretry: 1\r\n: c\r\n\r\n"),
            [event("x", ""), event("", "2")]
        );
        assert_eq!(
            parse("event: lost\n\ndata: last"),
            [event("", "last")],
            "a type without data is no event, and the next event does not get the type"
        );
        assert_eq!(parse("data: a:b"), [event("", "a:b")]);
        assert_eq!(parse(" data: x\nDATA: y\n\n"), []);
        assert_eq!(parse(""), []);
        assert_eq!(parse(":\n\n\n"), []);
    }
}
