//! The ids of channels. Pure.

use percent_encoding::percent_decode_str;

/// The longest id, in characters.
pub const MAX_CHARS: usize = 128;

/// Reads a channel's id from a segment of a path. After percent-decoding an id is 1 to [`MAX_CHARS`] characters of
/// `A-Z a-z 0-9 . _ ~ : @ -`, but not `.` or `..`, which stand for other paths in a URL.
pub fn parse(segment: &str) -> Option<String> {
    let decoded: Vec<u8> = percent_decode_str(segment).collect();
    decoded_id(&decoded)
}

/// The id that is `decoded`, after percent-decoding.
fn decoded_id(decoded: &[u8]) -> Option<String> {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~:@-".contains(byte);
    let is_dots = decoded == b"." || decoded == b"..";
    if !(1..=MAX_CHARS).contains(&decoded.len()) || !decoded.iter().all(is_allowed) || is_dots {
        return None;
    }
    String::from_utf8(decoded.to_vec()).ok()
}

/// The end of a sentence that says what an id has to be.
pub fn rule() -> String {
    format!(
        "has to be 1 to {MAX_CHARS} characters of A-Z a-z 0-9 . _ ~ : @ -, after percent-decoding, and not . or .."
    )
}

/// The channels that a segment of a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelIds {
    /// One id.
    One(String),
    /// Two or more different ids, in the order of the path.
    Several(Vec<String>),
}

impl ChannelIds {
    /// The ids, separated by commas.
    pub fn joined(self) -> String {
        match self {
            Self::One(id) => id,
            Self::Several(ids) => ids.join(","),
        }
    }
}

/// Why a segment of a path names no channels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The segment has no comma, and is not an id.
    #[error("The channel id in the path {}", rule())]
    NotAnId,
    /// The list has an empty part.
    #[error(
        "Channel id {number} of the {count} in the path is empty. Separate the ids with one comma, without a comma at either end."
    )]
    EmptyId {
        /// The place of the part in the list, counted from 1.
        number: usize,
        /// The number of parts.
        count: usize,
    },
    /// The list has a part that is not an id.
    #[error("Channel id {number} of the {count} in the path {}", rule())]
    NotAnIdOfList {
        /// The place of the part in the list, counted from 1.
        number: usize,
        /// The number of parts.
        count: usize,
    },
    /// The list has an id twice.
    #[error("The path names the channel \"{id}\" more than once. Name each channel once.")]
    Repeated {
        /// The id.
        id: String,
    },
    /// The list has more parts than one request may have channels.
    #[error(
        "The path names {count} channels; at most {max} go into one request (MAX_CHANNELS_PER_STREAM). Send several requests."
    )]
    TooMany {
        /// The number of parts.
        count: usize,
        /// The number of channels that are allowed.
        max: usize,
    },
}

/// Reads the ids in a segment of a path: one, or up to `max` that are separated by commas. The segment is
/// percent-decoded first, so `%2C` is the same as a comma. No id has a comma.
pub fn parse_list(segment: &str, max: usize) -> Result<ChannelIds, ListError> {
    let decoded: Vec<u8> = percent_decode_str(segment).collect();
    let is_comma = |byte: &u8| *byte == b',';
    // Count first, so that a path of many commas takes no memory for its parts.
    let commas = decoded.iter().filter(|byte| is_comma(byte)).count();
    let count = commas.saturating_add(1);
    if commas == 0 {
        let id = decoded_id(&decoded).ok_or(ListError::NotAnId)?;
        return Ok(ChannelIds::One(id));
    }
    if count > max {
        return Err(ListError::TooMany { count, max });
    }
    let mut ids = Vec::with_capacity(count);
    for (number, part) in (1..).zip(decoded.split(is_comma)) {
        if part.is_empty() {
            return Err(ListError::EmptyId { number, count });
        }
        let id = decoded_id(part).ok_or(ListError::NotAnIdOfList { number, count })?;
        if ids.contains(&id) {
            return Err(ListError::Repeated { id });
        }
        ids.push(id);
    }
    Ok(ChannelIds::Several(ids))
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

    fn list(segment: &str) -> Result<ChannelIds, ListError> {
        parse_list(segment, 3)
    }

    #[test]
    fn the_ids_of_a_list_are_separated_by_commas_however_these_are_encoded() {
        let ids = |ids: &[&str]| {
            let ids = ids.iter().map(|id| (*id).to_owned());
            Ok(ChannelIds::Several(ids.collect()))
        };
        assert_eq!(list("foo"), Ok(ChannelIds::One("foo".to_owned())));
        assert_eq!(list("b,a"), ids(&["b", "a"]));
        assert_eq!(list("foo%2Cbar%2cuser.42"), ids(&["foo", "bar", "user.42"]));
        assert_eq!(list("%66oo,foo.,Foo"), ids(&["foo", "foo.", "Foo"]));
    }

    #[test]
    fn the_error_of_a_list_names_the_part_that_is_wrong() {
        let count = 3;
        for (segment, error) in [
            ("", ListError::NotAnId),
            ("a%2Fb", ListError::NotAnId),
            (
                ",",
                ListError::EmptyId {
                    number: 1,
                    count: 2,
                },
            ),
            ("a,,b", ListError::EmptyId { number: 2, count }),
            ("a,b%2C", ListError::EmptyId { number: 3, count }),
            ("a, b,c", ListError::NotAnIdOfList { number: 2, count }),
            ("a,b,..", ListError::NotAnIdOfList { number: 3, count }),
            ("a%252Cb,b,c", ListError::NotAnIdOfList { number: 1, count }),
            (
                "foo,bar,%66oo",
                ListError::Repeated {
                    id: "foo".to_owned(),
                },
            ),
            ("a,b,c,", ListError::TooMany { count: 4, max: 3 }),
        ] {
            assert_eq!(list(segment), Err(error), "{segment}");
        }
    }

    #[test]
    fn a_list_may_have_as_many_ids_as_the_limit_allows() {
        let segment = |count: usize| {
            let ids: Vec<_> = (0..count).map(|number| format!("c{number}")).collect();
            ids.join(",")
        };
        for max in [1, 2, 100] {
            assert!(parse_list(&segment(max), max).is_ok(), "{max}");
            let count = max + 1;
            let error = ListError::TooMany { count, max };
            assert_eq!(parse_list(&segment(count), max), Err(error));
        }
    }
}
