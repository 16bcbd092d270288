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
