//! Reads the idempotency key of a publish. Pure.

use crate::http::idempotency_key::{self, PARAMETER};
use crate::http::problem::Problem;
use crate::http::query;

/// The idempotency key of a publish, if it has one: in `header`, the value of the header, or in the query. If it is in
/// both, it has to be the same. Fails with [`Problem::InvalidIdempotencyKey`], [`Problem::DifferentIdempotencyKeys`],
/// or [`Problem::InvalidQuery`].
pub fn idempotency_key(header: Option<String>, query: &str) -> Result<Option<String>, Problem> {
    let parameter = query::value(query, PARAMETER)?;
    let in_header = checked(header, "header Idempotency-Key")?;
    let in_query = checked(parameter, "parameter \"idempotency_key\"")?;
    match (in_header, in_query) {
        (Some(header), Some(parameter)) if header != parameter => {
            Err(Problem::DifferentIdempotencyKeys)
        }
        (header, parameter) => Ok(header.or(parameter)),
    }
}

fn checked(key: Option<String>, place: &'static str) -> Result<Option<String>, Problem> {
    match key {
        Some(key) if !idempotency_key::is_key(&key) => {
            Err(Problem::InvalidIdempotencyKey { place })
        }
        key => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: Option<&str>, query: &str) -> Result<Option<String>, String> {
        let read = idempotency_key(header.map(str::to_owned), query);
        read.map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_key_is_in_the_header_or_in_the_query_or_the_same_in_both() {
        let key = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(read(None, "event=x"), Ok(None));
        assert_eq!(read(Some("a b"), ""), key("a b"));
        assert_eq!(read(None, "event=x&idempotency_key=a+%62"), key("a b"));
        assert_eq!(read(Some("a b"), "idempotency_key=a%20b"), key("a b"));
        let longest = "x".repeat(idempotency_key::MAX_CHARS);
        assert_eq!(read(None, &format!("{PARAMETER}={longest}")), key(&longest));
    }

    #[test]
    fn different_keys_are_refused_and_the_detail_names_both_places() {
        let detail = read(Some("a"), "idempotency_key=b").unwrap_err();
        assert!(
            detail.contains(idempotency_key::HEADER) && detail.contains("\"idempotency_key\""),
            "{detail}"
        );
    }

    #[test]
    fn the_detail_of_an_invalid_key_names_its_place() {
        let long = "x".repeat(idempotency_key::MAX_CHARS + 1);
        for bad in ["", "+", "a+", "+a", "a%0Ab", "%00", "caf%C3%A9", &long] {
            let query = format!("idempotency_key={bad}");
            for header in [None, Some("a")] {
                let detail = read(header, &query).unwrap_err();
                let start =
                    "The parameter \"idempotency_key\" cannot be used: it has to be 1 to 128";
                assert!(detail.starts_with(start), "{detail}");
            }
        }
        let detail = read(Some(""), "idempotency_key=a").unwrap_err();
        assert!(
            detail.starts_with("The header Idempotency-Key cannot be used"),
            "{detail}"
        );
        for query in ["idempotency_key=a&idempotency_key=a", "idempotency_key=%ff"] {
            let detail = read(None, query).unwrap_err();
            assert!(detail.contains("\"idempotency_key\""), "{detail}");
        }
    }
}
