//! Properties of the ids of channels.

use proptest::prelude::*;

use super::*;
use proptest_support::{check, edited, hidden, percent_decoded, percent_encoded, text};

const ALLOWED: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:@-";

fn is_dots(id: &str) -> bool {
    [".", ".."].contains(&id)
}

#[test]
fn an_id_is_the_same_however_it_is_percent_encoded() {
    let ids = prop_oneof!["[A-Za-z0-9._~:@-]{1,12}", "[A-Za-z0-9._~:@-]{126,130}"];
    let classes = ["short", "of the largest length", "too long"];
    check(&classes, (ids, hidden()), |(id, hidden), seen| {
        seen.note(match id.len() {
            ..=127 => "short",
            128 => "of the largest length",
            _ => "too long",
        });
        let segment = percent_encoded(&id, &hidden, |_| true);
        let expected = (id.len() <= 128 && !is_dots(&id)).then_some(id);
        prop_assert_eq!(parse(&segment), expected);
        Ok(())
    });
}

#[test]
fn exactly_the_texts_of_allowed_characters_are_ids() {
    let pieces = &[
        "a", "Z", "0", "-", "~", ":", "@", ".", "_", "%61", "%5a", "%2F", "%2", "%", "%zz", "%00",
        "%25", "%2525", "%C3%A9", "%ff", "é", "*", "+", " ", "\0", "/", "\\", "..",
    ];
    let long = "[a-z]{126,129}";
    let segments = prop_oneof![
        3 => text(pieces, 6),
        1 => edited(long, pieces),
        2 => edited("([A-Za-z0-9._~:@-]|%[46][1-9a-f]){1,9}", pieces),
    ];
    let classes = ["an id", "empty", "too long", "other characters", "decoded"];
    check(&classes, segments, |segment: String, seen| {
        let decoded = percent_decoded(&segment);
        let text = String::from_utf8(decoded.clone()).ok();
        let allowed = text.filter(|text| text.chars().all(|c| ALLOWED.contains(c)));
        let expected = allowed.filter(|id| !id.is_empty() && id.len() <= 128 && !is_dots(id));
        seen.note(match &expected {
            Some(id) if *id == segment => "an id",
            Some(_) => "decoded",
            None if decoded.is_empty() => "empty",
            None if decoded.len() > 128 => "too long",
            None => "other characters",
        });
        prop_assert_eq!(parse(&segment), expected.clone());
        if let Some(id) = expected {
            prop_assert_eq!(parse(&id), Some(id.clone()));
        }
        Ok(())
    });
}

#[test]
fn a_list_is_refused_exactly_if_it_is_too_long_or_a_part_is_empty_wrong_or_repeated() {
    let pieces = &[
        "a", "b", "%61", ",", "%2C", "%2c", "%252C", " ", "..", "%", "é", "foo",
    ];
    let segments = prop_oneof![
        2 => text(pieces, 12),
        2 => edited("[a-f]{1,2}((,|%2C)[a-f]{1,2}){0,5}", pieces),
    ];
    let classes = [
        "one", "several", "no id", "empty", "wrong", "repeated", "too many",
    ];
    check(&classes, (segments, 1..8_usize), |(segment, max), seen| {
        let decoded = percent_decoded(&segment);
        let parts: Vec<String> = decoded
            .split(|byte| *byte == b',')
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect();
        // After the decoding, an id has nothing that is decoded again.
        let is_id = |part: &String| !part.contains('%') && parse(part).is_some();
        let count = parts.len();
        let found = parse_list(&segment, max);
        match &found {
            Ok(ChannelIds::One(id)) => {
                seen.note("one");
                prop_assert_eq!(Some(id.clone()), parse(&segment));
            }
            Ok(ChannelIds::Several(ids)) => {
                seen.note("several");
                prop_assert_eq!(ids, &parts);
                prop_assert!((2..=max).contains(&count));
                prop_assert!(parts.iter().all(is_id));
                let different: std::collections::HashSet<_> = ids.iter().collect();
                prop_assert_eq!(different.len(), count);
            }
            Err(ListError::NotAnId) => {
                seen.note("no id");
                prop_assert_eq!((count, parse(&segment)), (1, None));
            }
            Err(ListError::EmptyId { number, count: of }) => {
                seen.note("empty");
                prop_assert_eq!((parts[number - 1].as_str(), *of), ("", count));
                prop_assert!(parts[..number - 1].iter().all(is_id));
            }
            Err(ListError::NotAnIdOfList { number, count: of }) => {
                seen.note("wrong");
                prop_assert!(!is_id(&parts[number - 1]) && !parts[number - 1].is_empty());
                prop_assert!(parts[..number - 1].iter().all(is_id));
                prop_assert_eq!(*of, count);
            }
            Err(ListError::Repeated { id }) => {
                seen.note("repeated");
                prop_assert!(parts.iter().filter(|part| *part == id).count() > 1);
            }
            Err(ListError::TooMany {
                count: of,
                max: most,
            }) => {
                seen.note("too many");
                prop_assert_eq!((*of, *most), (count, max));
                prop_assert!(count > max && count > 1);
            }
        }
        Ok(())
    });
}
