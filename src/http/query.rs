//! The parameters in the query of a URL, in the encoding of HTML forms. Pure.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::http::problem::Problem;

/// Removes the parameters called `name` from `query`.
pub fn without<'a>(query: &'a str, name: &str) -> Cow<'a, str> {
    let named =
        |pair: &str| decode(pair.split('=').next().unwrap_or(pair)).as_deref() == Some(name);
    if !query.split('&').any(named) {
        return query.into();
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| !named(pair)).collect();
    kept.join("&").into()
}

/// The values of the parameters that have one of `names`, in the order of the query. A value that is not valid UTF-8 is
/// `None`.
pub fn values<'a>(query: &'a str, names: &'a [&str]) -> impl Iterator<Item = Option<String>> + 'a {
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decode(key)?;
        names.contains(&key.as_str()).then(|| decode(value))
    })
}

fn decode(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    let decoded = percent_decode_str(&text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// The value of a parameter that may be given only once. Fails with [`Problem::InvalidQuery`].
pub fn value(query: &str, name: &str) -> Result<Option<String>, Problem> {
    let names = [name];
    let mut values = values(query, &names);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Problem::InvalidQuery(format!(
            "The parameter \"{name}\" is given more than once. Give it once."
        )));
    }
    let not_text = || {
        Problem::InvalidQuery(format!(
            "The parameter \"{name}\" is not valid UTF-8. Send text."
        ))
    };
    value.map(Some).ok_or_else(not_text)
}

/// Like [`value`], for a parameter to which an empty value means nothing: it counts as if it was not given.
pub fn value_if_any(query: &str, name: &str) -> Result<Option<String>, Problem> {
    Ok(value(query, name)?.filter(|value| !value.is_empty()))
}

/// The value of a parameter that is a whole number from `least` to `most`. An empty value counts as if it was not
/// given. Fails with [`Problem::InvalidQuery`]. A number that does not fit into a `u64` counts as the largest one.
pub fn number(query: &str, name: &str, least: u64, most: u64) -> Result<Option<u64>, Problem> {
    let Some(text) = value_if_any(query, name)? else {
        return Ok(None);
    };
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().unwrap_or(u64::MAX));
    let range = if most == u64::MAX {
        format!("from {least} on")
    } else {
        format!("from {least} to {most}")
    };
    match number {
        Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(Problem::InvalidQuery(format!(
            "The parameter \"{name}\" has to be a whole number {range}."
        ))),
    }
}

#[cfg(test)]
mod proptests;

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(result: Result<impl std::fmt::Debug, Problem>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn without_removes_a_parameter_however_its_name_is_encoded() {
        let without = |query| without(query, "token");
        for query in ["", "a", "tokens=c&d=token"] {
            assert_eq!(without(query), query);
        }
        assert_eq!(without("token=c"), "");
        assert_eq!(without("c=d&token=e&%74oken=f&g+h&token"), "c=d&g+h");
    }

    #[test]
    fn a_value_is_decoded_and_may_be_given_once() {
        assert_eq!(
            value("a=b&event=sc+%6Fre", "event"),
            Ok(Some("sc ore".into()))
        );
        assert_eq!(value("events=x&%65vent", "event"), Ok(Some("".into())));
        assert_eq!(value("", "event"), Ok(None));
        assert!(detail(value("event=x&%65vent=y", "event")).contains("more than once"));
        assert!(detail(value("event=%ff", "event")).contains("not valid UTF-8"));
    }

    #[test]
    fn the_values_of_several_names_come_in_the_order_of_the_query() {
        let values: Vec<_> = values("b=1&a=2&c=3&%62=4&b&a=%ff", &["a", "b"]).collect();
        let expected = [Some("1"), Some("2"), Some("4"), Some(""), None];
        assert_eq!(values, expected.map(|value| value.map(str::to_owned)));
    }

    #[test]
    fn a_number_is_digits_and_in_its_range() {
        assert_eq!(number("n=7", "n", 1, 1_000), Ok(Some(7)));
        for none in ["", "n", "n=", "m=x&n="] {
            assert_eq!(number(none, "n", 1, 1_000), Ok(None), "{none}");
        }
        let huge = "n=99999999999999999999999";
        assert_eq!(number(huge, "n", 0, u64::MAX), Ok(Some(u64::MAX)));
        for bad in [
            "n=-1", "n=%20", "n=%2B1", "n=1.5", "n=x", "n=0", "n=1001", huge,
        ] {
            assert_eq!(
                detail(number(bad, "n", 1, 1_000)),
                "The parameter \"n\" has to be a whole number from 1 to 1000."
            );
        }
        assert!(detail(number("n=-1", "n", 0, u64::MAX)).ends_with("number from 0 on."));
    }
}
