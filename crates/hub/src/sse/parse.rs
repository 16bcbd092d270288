//! Reading an event stream.

/// An event as a publisher wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedEvent {
    /// Empty where the publisher gave none.
    pub event_type: String,
    /// Lines joined by LF.
    pub data: String,
}

/// Reads a body as an event stream: by the WHATWG rules, but that a last event counts without its blank line, too.
/// `id:` and `retry:` are ignored; a block without `data:` is no event.
pub fn parse(body: &str) -> Vec<ParsedEvent> {
    let mut parsed = Vec::new();
    let mut event_type = "";
    let mut data: Option<String> = None;
    let body = body.strip_prefix('\u{feff}').unwrap_or(body);
    // The blank line added here ends an event that the body's own end cut short.
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

/// The lines of `text`, which CR, LF and CRLF all end. One more than there are line ends, the last one maybe empty.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some((line, _)) = text.split_once(['\r', '\n']) else {
            rest = None;
            return Some(text);
        };
        let after = text.get(line.len()..).unwrap_or_default();
        rest = after
            .strip_prefix("\r\n")
            .or_else(|| after.strip_prefix(['\r', '\n']));
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
            "a type without data is no event and does not leak into the next"
        );
        assert_eq!(parse("data: a:b"), [event("", "a:b")]);
        assert_eq!(parse(" data: x\nDATA: y\n\n"), []);
        assert_eq!(parse(""), []);
        assert_eq!(parse(":\n\n\n"), []);
    }
}
