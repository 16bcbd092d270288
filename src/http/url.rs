//! Splits the URL of a request, as the runtime writes it. Pure.

/// The path of an absolute URL, still percent-encoded.
pub fn path_of(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = after_scheme
        .find('/')
        .and_then(|at| after_scheme.get(at..))
        .unwrap_or("/");
    path.split(['?', '#']).next().unwrap_or(path)
}

/// The query of a URL, still percent-encoded, without its question mark.
pub fn query_of(url: &str) -> &str {
    let url = url.split('#').next().unwrap_or(url);
    url.split_once('?').map_or("", |(_, query)| query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_ends_at_the_query_or_the_fragment() {
        assert_eq!(path_of("http://a.example/"), "/");
        assert_eq!(
            path_of("http://a.example:1/channels/%66?x=/y#/z"),
            "/channels/%66"
        );
        assert_eq!(path_of("http://a.example/#/z?"), "/");
    }

    #[test]
    fn the_query_ends_at_the_fragment() {
        assert_eq!(query_of("http://a.example/b?c=d?e&f#g?h"), "c=d?e&f");
        assert_eq!(query_of("http://a.example/b#g?h"), "");
    }
}
