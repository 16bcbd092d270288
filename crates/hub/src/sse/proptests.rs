//! Property tests of bodies, event types and ids.

use proptest::prelude::*;

use super::*;
use proptest_support::{check, edited, number_near, text};

const PIECES: &[&str] = &[
    "\n",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\r\r",
    "data: ",
    "data: ",
    "data:",
    "data",
    "event: ",
    "event:",
    "event",
    "id: 7",
    "retry: 1",
    ":",
    " ",
    "x",
    "y",
    "\u{feff}",
    "\0",
    "é",
    "DATA:",
    "hub.",
    "data: x\n",
    "event: x\n",
    "\u{2028}",
    "\u{85}",
    "\t",
];

/// Returns the type and data of each event, by the algorithm of WHATWG HTML, section 9.2.6, step by step. It differs in
/// one point, as `parse` does: the end of the body ends the last line and the last event.
fn interpret(body: &str) -> Vec<(String, String)> {
    let body = body.as_bytes();
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    let mut after_cr = false;
    for byte in body {
        match byte {
            b'\n' if after_cr => {}
            b'\n' | b'\r' => lines.push(Vec::new()),
            other => lines.last_mut().unwrap().push(*other),
        }
        after_cr = *byte == b'\r';
    }
    lines.push(Vec::new());

    let mut events = Vec::new();
    let (mut data, mut event_type) = (Vec::new(), Vec::new());
    for line in lines {
        if line.is_empty() {
            if data.last() == Some(&b'\n') {
                data.pop();
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                events.push((text(&event_type), text(&data)));
            }
            data.clear();
            event_type.clear();
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, mut value) = match colon {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (&line[..], &line[..0]),
        };
        if value.first() == Some(&b' ') {
            value = &value[1..];
        }
        if field == b"event" {
            event_type = value.to_vec();
        } else if field == b"data" {
            data.extend(value);
            data.push(b'\n');
        }
    }
    events
}

#[test]
fn a_body_is_parsed_as_the_standard_says() {
    let classes = [
        "no event",
        "several events",
        "a type",
        "several lines",
        "a byte order mark",
        "CR alone",
        "CRLF",
        "NUL",
        "cut short",
    ];
    let mark = prop_oneof![7 => Just(""), 1 => Just("\u{feff}")];
    let bodies = (mark, text(PIECES, 40)).prop_map(|(mark, body)| mark.to_owned() + &body);
    check(&classes, bodies, |body, seen| {
        let expected = interpret(&body);
        seen.note_if(expected.is_empty(), "no event");
        seen.note_if(expected.len() > 1, "several events");
        let any = |is: fn(&(String, String)) -> bool| expected.iter().any(is);
        seen.note_if(any(|(event_type, _)| !event_type.is_empty()), "a type");
        seen.note_if(any(|(_, data)| data.contains('\n')), "several lines");
        seen.note_if(body.starts_with('\u{feff}'), "a byte order mark");
        seen.note_if(body.replace("\r\n", "").contains('\r'), "CR alone");
        seen.note_if(body.contains("\r\n"), "CRLF");
        seen.note_if(body.contains('\0'), "NUL");
        let whole = body.ends_with("\n\n") || body.ends_with("\r\r");
        seen.note_if(!expected.is_empty() && !whole, "cut short");

        let parsed = parse(&body);
        let found: Vec<_> = parsed
            .iter()
            .map(|event| (event.event_type.clone(), event.data.clone()))
            .collect();
        prop_assert_eq!(&found, &expected);
        // The published events mean the same to a client.
        let mut wire = String::new();
        for event in &parsed {
            write_event(&mut wire, &event.event_type, &event.data);
        }
        prop_assert_eq!(interpret(&wire), expected);
        Ok(())
    });
}

#[test]
fn written_events_are_parsed_back_unchanged() {
    let event_type = text(PIECES, 4).prop_map(|text| text.replace(['\r', '\n'], ""));
    let event = (event_type, text(PIECES, 12));
    let classes = ["a type", "CR", "blank lines", "fields in data"];
    check(
        &classes,
        prop::collection::vec(event, 1..6),
        |events_in, seen| {
            let mut wire = String::new();
            let mut expected = Vec::new();
            for (event_type, data) in &events_in {
                let start = wire.len();
                write_event(&mut wire, event_type, data);
                let lines = data.replace("\r\n", "\n").replace('\r', "\n");
                seen.note_if(!event_type.is_empty(), "a type");
                seen.note_if(data.contains('\r'), "CR");
                seen.note_if(lines.contains("\n\n"), "blank lines");
                seen.note_if(lines.contains("\nevent: "), "fields in data");
                let event_type = event_type.clone();
                expected.push((
                    wire[start..].to_owned(),
                    ParsedEvent {
                        event_type,
                        data: lines,
                    },
                ));
            }
            let batch = Batch::from_wire(wire.clone());
            prop_assert_eq!(batch.events, events_in.len());
            let (wires, parsed): (Vec<String>, Vec<ParsedEvent>) = expected.into_iter().unzip();
            prop_assert_eq!(batch.iter().collect::<Vec<_>>(), wires);
            prop_assert_eq!(parse(&wire), parsed);
            Ok(())
        },
    );
}

#[test]
fn only_short_types_of_one_line_without_the_reserved_prefix_are_accepted() {
    let long = (60..70_usize, text(PIECES, 1)).prop_map(|(count, more)| "é".repeat(count) + &more);
    let types = prop_oneof![
        text(
            &[
                "a", "é", "hub", "hub.", "hub.", ".", " ", "\r", "\n", "\0", "\t", "\u{a0}",
                "\u{feff}", "\u{200b}"
            ],
            4
        ),
        long
    ];
    let classes = ["fits", "Control", "TooLong", "OuterSpace", "Reserved"];
    check(&classes, types, |event_type: String, seen| {
        let control = event_type.chars().any(|c| ['\r', '\n', '\0'].contains(&c));
        let reserved = event_type.get(..4) == Some("hub.");
        let removed =
            |c: char| c.is_whitespace() || c.is_control() || "\u{180e}\u{200b}\u{feff}".contains(c);
        let outer = event_type.trim_matches(removed) != event_type;
        let expected = match (control, event_type.chars().nth(64), outer, reserved) {
            (true, ..) => Err(TypeError::Control),
            (_, Some(_), ..) => Err(TypeError::TooLong),
            (_, _, true, _) => Err(TypeError::OuterSpace),
            (_, _, _, true) => Err(TypeError::Reserved),
            _ => Ok(()),
        };
        seen.note(match expected {
            Ok(()) => "fits",
            Err(TypeError::Control) => "Control",
            Err(TypeError::TooLong) => "TooLong",
            Err(TypeError::OuterSpace) => "OuterSpace",
            Err(TypeError::Reserved) => "Reserved",
        });
        prop_assert_eq!(check_type(&event_type), expected);
        Ok(())
    });
}

fn ids() -> impl Strategy<Value = EventId> + Clone {
    let began = number_near(&[0, 1_795_354_163_077, (1 << 39) - 1, (1 << 44) - 1]);
    let seq = number_near(&[0, 1, 9, 10, u64::MAX]);
    (began, any::<u32>(), seq).prop_map(|(began, random, seq)| EventId {
        epoch: Epoch::new(began, random),
        seq,
    })
}

#[test]
fn displayed_ids_are_parsed_back() {
    let classes = ["an epoch of today", "an epoch of another time"];
    check(&classes, ids(), |id, seen| {
        seen.note(match id.epoch.began() {
            1_700_000_000_000..2_000_000_000_000 => "an epoch of today",
            _ => "an epoch of another time",
        });
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert_eq!(id.to_string(), format!("{}-{}", id.epoch, id.seq));
        let mut line = String::new();
        write_id(&mut line, id);
        prop_assert!(line.len() <= MAX_ID_LINE);
        Ok(())
    });
}

/// Parses a sequence number as ids write it: no sign, and no leading zero.
fn seq(digits: &str) -> Option<u64> {
    let canonical = digits.len() == 1 || (digits.len() > 1 && !digits.starts_with('0'));
    let mut digits = digits.chars().map(|digit| digit.to_digit(10));
    let value = digits.try_fold(0_u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit?))
    });
    value.filter(|_| canonical)
}

/// Parses an epoch as ids write it. Crockford's base32 has the letters that base 32 of the standard library has,
/// without I, L, O and U.
fn epoch(text: &str) -> Option<Epoch> {
    let digits = text.chars().map(|character| {
        let skipped = "ILOU".chars().filter(|letter| *letter < character).count();
        let is_digit = character.is_ascii_digit()
            || (character.is_ascii_uppercase() && !"ILOU".contains(character));
        let value = character.to_digit(36)? as usize;
        is_digit.then(|| value - if value < 10 { 0 } else { skipped })
    });
    let digits: Vec<usize> = digits.collect::<Option<_>>()?;
    let number = digits.iter().fold(0_u128, |value, digit| {
        value % (1 << 100) * 32 + *digit as u128
    });
    let (began, random) = (number / (1 << 21), number % (1 << 21));
    (digits.len() == EPOCH_CHARS).then(|| Epoch::new(began as u64, random as u32))
}

#[test]
fn texts_that_no_id_is_displayed_as_are_refused() {
    let loose =
        ("[0-9A-Za-z]{12,14}", "[0-9]{0,2}").prop_map(|(epoch, seq)| format!("{epoch}-{seq}"));
    let displayed = ids().prop_map(|id| id.to_string());
    let texts = prop_oneof![
        displayed,
        loose,
        text(&["0", "1", "9", "A", "-", "+", " "], 20)
    ];
    let pieces = &["0", "1", "I", "U", "z", "-", "+", " ", "\0", "\n", "٣"];
    let classes = ["an id", "no id"];
    check(&classes, edited(texts, pieces), |text: String, seen| {
        let expected = text
            .split_once('-')
            .and_then(|(epoch_text, seq_text)| Some((epoch(epoch_text)?, seq(seq_text)?)));
        seen.note(if expected.is_some() { "an id" } else { "no id" });
        let found = text.parse::<EventId>().ok();
        prop_assert_eq!(found.map(|id| (id.epoch, id.seq)), expected);
        Ok(())
    });
}
