//! The header `Idempotency-Key`, which names a publish so that it can be repeated. Pure.

/// The name of the header.
pub const HEADER: &str = "Idempotency-Key";

/// The query parameter that may have the key instead, because many webhooks cannot set headers.
pub const PARAMETER: &str = "idempotency_key";

/// The longest key, in characters.
pub const MAX_CHARS: usize = 128;

/// Whether `text` is a key: 1 to [`MAX_CHARS`] printable ASCII characters, without a space at either end, because a
/// header cannot have these spaces.
pub fn is_key(text: &str) -> bool {
    let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let has_outer_space = text.starts_with(' ') || text.ends_with(' ');
    is_printable && !has_outer_space && (1..=MAX_CHARS).contains(&text.len())
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_printable_ascii() {
        let longest = "x".repeat(128);
        for good in [
            "a",
            "8e03978e-40d5-43e8-bc93-6894a57f9324",
            "\"a b~\"",
            &longest,
        ] {
            assert!(is_key(good), "{good}");
        }
        for bad in [
            "",
            " ",
            " a",
            "a ",
            "a\nb",
            "a\tb",
            "\u{7f}",
            "\u{e9}",
            &format!("{longest}x"),
        ] {
            assert!(!is_key(bad), "{bad}");
        }
    }
}
