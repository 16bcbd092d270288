//! The ids of channels. Pure.

use percent_encoding::percent_decode_str;

/// The longest id, in characters.
pub const MAX_CHARS: usize = 128;

/// Reads a channel's id from a segment of a path. After percent-decoding an id is 1 to [`MAX_CHARS`] characters of
/// `A-Z a-z 0-9 . _ ~ : @ -`, but not `.` or `..`, which stand for other paths in a URL.
pub fn parse(segment: &str) -> Option<String> {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~:@-".contains(byte);
    let id: Vec<u8> = percent_decode_str(segment).collect();
    let is_dots = id == b"." || id == b"..";
    if !(1..=MAX_CHARS).contains(&id.len()) || !id.iter().all(is_allowed) || is_dots {
        return None;
    }
    String::from_utf8(id).ok()
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_checked_after_it_was_percent_decoded() {
        assert_eq!(parse("a.B_c~1:2@x-y").as_deref(), Some("a.B_c~1:2@x-y"));
        assert_eq!(parse("%66oo").as_deref(), Some("foo"));
        let longest = "x".repeat(128);
        assert_eq!(parse(&longest).as_deref(), Some(longest.as_str()));
        let too_long = "x".repeat(129);
        for bad in [
            "", ".", "..", "%2e", "%2E.", "%2F", "%00", "a b", "%20", "%zz", "%", "é", "%C3%A9",
            "a+b", "a*", &too_long,
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
