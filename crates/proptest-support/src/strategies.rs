//! Strategies for texts and numbers.

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Makes texts of up to `most` pieces. Most pieces are from `pieces`, and some are any character.
pub fn text(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = String> + Clone {
    prop::collection::vec(piece(pieces), 0..=most).prop_map(|pieces| pieces.concat())
}

fn piece(pieces: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    prop_oneof![
        15 => select(pieces).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

/// Makes texts that are nearly valid: half of `texts` get one or two edits. An edit inserts a piece, replaces a
/// character by a piece, or deletes a character.
pub fn edited(
    texts: impl Strategy<Value = String>,
    pieces: &'static [&'static str],
) -> impl Strategy<Value = String> {
    let edit = (0..3_u8, any::<Index>(), piece(pieces));
    let edits = prop_oneof![
        1 => Just(Vec::new()),
        1 => prop::collection::vec(edit, 1..=2),
    ];
    (texts, edits).prop_map(|(mut text, edits)| {
        for (kind, position, piece) in edits {
            let at = position.index(text.chars().count() + 1);
            let at = text.char_indices().nth(at).map_or(text.len(), |(at, _)| at);
            let length = text[at..].chars().next().map_or(0, char::len_utf8);
            match kind {
                0 => text.insert_str(at, &piece),
                1 => text.replace_range(at..at + length, &piece),
                _ => text.replace_range(at..at + length, ""),
            }
        }
        text
    })
}

/// Makes numbers. Most are within 2 of one of `edges`, where mistakes are likely; the others are any number.
pub fn number_near(edges: &'static [u64]) -> impl Strategy<Value = u64> + Clone {
    prop_oneof![
        3 => (select(edges), 0..=2_u64, any::<bool>()).prop_map(|(edge, by, more)| {
            if more { edge.saturating_add(by) } else { edge.saturating_sub(by) }
        }),
        1 => any::<u64>(),
    ]
}
