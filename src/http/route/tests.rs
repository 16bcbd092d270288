//! Tests of the table of paths.

use super::*;

/// The endpoint of a request, and the segment in the place of the id.
fn found(method: &'static str, path: &'static str) -> Option<(Endpoint, Option<&'static str>)> {
    match Route::of(path) {
        Route::Api { path, id } => Some((path.endpoint(Method::parse(method))?, id)),
        Route::Server | Route::File => None,
    }
}

#[test]
fn a_path_and_a_method_name_an_endpoint() {
    let channel = |endpoint, id| Some((Channel(endpoint), Some(id)));
    assert_eq!(found("GET", "/channels/foo"), channel(Subscribe, "foo"));
    assert_eq!(
        found("HEAD", "/channels/foo"),
        channel(CheckSubscribe, "foo")
    );
    assert_eq!(
        found("DELETE", "/channels/foo"),
        channel(DeleteChannel, "foo")
    );
    assert_eq!(
        found("POST", "/channels/foo/broadcast"),
        channel(Publish, "foo")
    );
    assert_eq!(
        found("POST", "/channels/foo/end"),
        channel(EndChannel, "foo")
    );
    for method in ["GET", "HEAD"] {
        assert_eq!(
            found(method, "/channels/foo/events"),
            channel(ReadEvents, "foo")
        );
        assert_eq!(
            found(method, "/channels/a%2Fb/stats"),
            channel(ReadStats, "a%2Fb")
        );
        assert_eq!(found(method, "/healthz"), Some((Health, None)));
    }
    for (method, path) in [
        ("POST", "/channels/foo"),
        ("get", "/channels/foo"),
        ("PROPFIND", "/channels/foo"),
        ("OPTIONS", "/channels/foo"),
        ("GET", "/channels/foo/broadcast"),
        ("DELETE", "/channels/foo/events"),
        ("POST", "/healthz"),
    ] {
        assert_eq!(found(method, path), None, "{method} {path}");
    }
}

#[test]
fn every_other_path_may_be_a_file() {
    assert_eq!(Route::of("*"), Route::Server);
    for path in [
        "/",
        "/*",
        "/index.html",
        "/channels",
        "/channels/",
        "/channels//broadcast",
        "/channels/foo/",
        "/channels/foo/other",
        "/channels/foo/stats/more",
        "//channels/foo",
        "/healthz/",
        "channels/foo",
        "",
    ] {
        assert_eq!(Route::of(path), Route::File, "{path}");
    }
}

#[test]
fn allow_lists_the_methods_of_a_path_and_options() {
    let allow = |at: usize| API[at].allow();
    assert_eq!(allow(0), "GET, HEAD, DELETE, OPTIONS");
    assert_eq!(allow(1), "POST, OPTIONS");
    assert_eq!(allow(3), FILE_METHODS);
    assert_eq!(all_methods(), "GET, HEAD, POST, DELETE, OPTIONS");
}

#[test]
fn the_paths_that_take_a_method_are_listed_in_a_sentence() {
    let post = paths_for("POST");
    assert!(
        post.starts_with(" POST goes to /channels/{id}/broadcast"),
        "{post}"
    );
    assert_eq!(paths_for("DELETE"), " DELETE goes to /channels/{id}.");
    let get = paths_for("GET");
    assert!(
        get.starts_with(" GET goes to /channels/{id}, /channels/{id}/events, "),
        "{get}"
    );
    assert!(get.ends_with(" and /healthz."), "{get}");
    for other in ["PUT", "OPTIONS", "post", ""] {
        assert_eq!(paths_for(other), "", "{other}");
    }
}

#[test]
fn every_row_is_as_the_router_expects_it() {
    for row in API {
        let methods: Vec<_> = row.endpoints.iter().map(|(method, _)| *method).collect();
        let in_order = Method::KNOWN
            .into_iter()
            .filter(|known| methods.contains(known));
        assert!(in_order.eq(methods.iter().copied()), "{}", row.pattern);
        assert!(!methods.contains(&Method::Options), "{}", row.pattern);
        for (_, endpoint) in row.endpoints {
            let is_of_channel = matches!(endpoint, Channel(_));
            assert_eq!(
                row.pattern.contains("{id}"),
                is_of_channel,
                "{}",
                row.pattern
            );
        }
    }
}
