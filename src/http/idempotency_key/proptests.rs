//! Properties of idempotency keys.

use proptest::prelude::*;

use super::*;
use proptest_support::{check, edited};

#[test]
fn a_key_is_up_to_128_printable_ascii_characters() {
    let pieces = &[
        "a", " ", "~", "!", "\"", "\u{7f}", "\t", "\n", "\0", "é", "\u{1f}", "\u{80}",
    ];
    let keys = prop_oneof![
        Just(String::new()),
        edited("[ -~]{0,20}", pieces),
        edited("[ -~]{126,130}", pieces),
        "( [!-~]{1,20}|[!-~]{1,20} )",
    ];
    let classes = [
        "a key",
        "empty",
        "too long",
        "other characters",
        "an outer space",
    ];
    check(&classes, keys, |key: String, seen| {
        let printable = key.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        let class = match key.chars().count() {
            0 => "empty",
            _ if !printable => "other characters",
            1..=128 if key.trim() != key => "an outer space",
            1..=128 => "a key",
            _ => "too long",
        };
        seen.note(class);
        prop_assert_eq!(is_key(&key), class == "a key");
        Ok(())
    });
}
