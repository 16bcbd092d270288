//! Percent-encoding, as RFC 3986 defines it.

use proptest::prelude::*;

/// Decodes `text`: `%` and two hexadecimal digits are one byte, and every other byte stands for itself.
pub fn percent_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = text.as_bytes();
    loop {
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        rest = match rest {
            [] => return decoded,
            [b'%', high, low, after @ ..] if digit(high).is_some() && digit(low).is_some() => {
                let byte = digit(high).unwrap() * 16 + digit(low).unwrap();
                decoded.push(u8::try_from(byte).unwrap());
                after
            }
            [byte, after @ ..] => {
                decoded.push(*byte);
                after
            }
        };
    }
}

/// Encodes the bytes of `text` that `plain` does not allow, and some others.
///
/// `hidden` says what happens to the bytes, one number for each byte, from the start again after the last: 1 encodes
/// the byte with upper-case digits, 2 with lower-case digits, and any other number only if it has to be encoded.
pub fn percent_encoded(text: &str, hidden: &[u8], plain: impl Fn(u8) -> bool) -> String {
    let mut out = String::new();
    let mut hidden = hidden.iter().cycle();
    for byte in text.bytes() {
        match hidden.next() {
            Some(1) => out.push_str(&format!("%{byte:02X}")),
            Some(2) => out.push_str(&format!("%{byte:02x}")),
            _ if plain(byte) => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Writes parameters as an HTML form sends them. `hidden` has the same meaning as in [`percent_encoded`]. A space that
/// is not encoded is written as `+`.
pub fn query_of(pairs: &[(String, String)], hidden: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -._~*:@/?".contains(&byte);
    let encoded = |text: &String| percent_encoded(text, hidden, plain).replace(' ', "+");
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    pairs.join("&")
}

/// Makes the `hidden` numbers for [`percent_encoded`] and [`query_of`].
pub fn hidden() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..6_u8, 1..9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_percent_and_two_digits_are_decoded() {
        assert_eq!(percent_decoded("a%41%c3%A9%4%zz%"), b"aA\xc3\xa9%4%zz%");
    }

    #[test]
    fn bytes_are_encoded_if_they_are_hidden_or_not_plain() {
        let plain = |byte: u8| byte != b'/';
        assert_eq!(percent_encoded("kkk/k", &[0, 1, 2], plain), "k%6B%6b%2F%6B");
        let pairs = [("a b".into(), "1&2".into()), ("c".into(), "+".into())];
        assert_eq!(query_of(&pairs, &[0]), "a+b=1%262&c=%2B");
    }
}
