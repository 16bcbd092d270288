//! Tests of the protocol between the Worker and the objects.

use super::*;

/// Decodes what was encoded.
fn decode<'a>(encoded: &'a Encoded) -> Option<(&'a str, ObjectRequest<'a>)> {
    ObjectRequest::decode(encoded.method, &encoded.url, |name| {
        let found = encoded.headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    })
}

#[test]
fn the_object_decodes_what_the_worker_encodes() {
    let publish = |number, bytes, ends, only_replay, key: Option<&str>| {
        ObjectRequest::Publish(PublishRequest {
            number,
            bytes,
            ends,
            only_replay,
            key: key.map(str::to_owned),
        })
    };
    let feed = |feed| {
        ObjectRequest::Subscribe(SubscribeRequest {
            feed: Some(feed),
            ..SubscribeRequest::default()
        })
    };
    for request in [
        ObjectRequest::Subscribe(SubscribeRequest::default()),
        ObjectRequest::Subscribe(SubscribeRequest {
            only_check: true,
            query: "history=5&catch_up=1".into(),
            last_event_id: Some("38G3E9VRB4D2P-8".into()),
            accept: Some("text/event-stream".into()),
            expires: Some(1_795_354_163_077),
            subject: Some("alice & bob \u{e9}%".into()),
            feed: None,
        }),
        feed(FeedRequest::Optional),
        feed(FeedRequest::Required),
        feed(FeedRequest::Continued),
        publish(1, 0, false, false, None),
        publish(2, 0, true, false, None),
        publish(u64::MAX, 1 << 20, true, true, Some("order 4711")),
        ObjectRequest::ReadEvents {
            query: "after=x&limit=1".into(),
        },
        ObjectRequest::ReadEvents { query: "".into() },
        ObjectRequest::ReadStats,
        ObjectRequest::DeleteChannel,
        ObjectRequest::ShutDown,
        ObjectRequest::Abort,
    ] {
        let encoded = request.clone().encode("a.B_c~1:2@x-y");
        assert_eq!(decode(&encoded), Some(("a.B_c~1:2@x-y", request)));
    }
}

#[test]
fn a_publish_without_a_key_has_no_header() {
    let publish = PublishRequest {
        number: 7,
        bytes: 9,
        ends: false,
        only_replay: false,
        key: None,
    };
    let expected = Encoded {
        method: "POST",
        url: "https://hub/channels/foo/broadcast?7.9.0".into(),
        headers: Vec::new(),
    };
    assert_eq!(ObjectRequest::Publish(publish).encode("foo"), expected);
}

#[test]
fn other_requests_are_not_decoded() {
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/channels"),
        ("HEAD", "/channels/foo/stats"),
        ("POST", "/channels/foo"),
        ("POST", "/channels/foo/stats"),
        ("GET", "/channels/foo/other"),
        ("GET", "/channels/foo/stats/"),
        ("DELETE", "/channels/foo/events"),
        ("purge", "/channels/foo"),
        ("POST", "/channels/foo/broadcast"),
        ("POST", "/channels/foo/broadcast?1.2"),
        ("POST", "/channels/foo/end"),
        ("POST", "/channels/foo/other?1.2.0"),
        ("POST", "/channels/foo/broadcast?1.2.3"),
        ("POST", "/channels/foo/broadcast?1.2.0."),
        ("POST", "/channels/foo/broadcast?1.x.0"),
        ("POST", "/channels/foo/broadcast?event=a"),
    ] {
        let url = format!("https://hub{path}");
        let decoded = ObjectRequest::decode(method, &url, |_| None);
        assert_eq!(decoded, None, "{method} {path}");
    }
}
