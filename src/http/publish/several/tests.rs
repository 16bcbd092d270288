use serde_json::{Value, json};

use super::*;
use crate::http::problem::Problem;

fn receipt(id: &str) -> Receipt {
    Receipt {
        id: id.to_owned(),
        events: 1,
        subscribers: 3,
        dropped: 0,
    }
}

fn failed(problem: &Problem) -> ChannelAnswer {
    ChannelAnswer::Failed(ChannelFailure {
        problem: problem.document(),
        retry_after: problem.retry_after().map(str::to_owned),
    })
}

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.json).unwrap()
}

#[test]
fn the_receipts_are_in_the_order_of_the_channels() {
    let answers = [
        ("foo", ChannelAnswer::Published(receipt("a-1"))),
        ("bar", ChannelAnswer::Replayed(receipt("b-7"))),
    ];
    let answer = join(&answers, true);
    assert_eq!(answer.outcome, Outcome::Published);
    assert_eq!(
        answer.json,
        r#"{"channels":[{"channel":"foo","id":"a-1","events":1,"subscribers":3,"dropped":0,"replayed":false},{"channel":"bar","id":"b-7","events":1,"subscribers":3,"dropped":0,"replayed":true}]}"#
    );
}

#[test]
fn a_publish_is_a_replay_only_if_it_is_one_in_every_channel() {
    let replayed = ("foo", ChannelAnswer::Replayed(receipt("a-1")));
    let published = ("bar", ChannelAnswer::Published(receipt("b-1")));
    let failed = ("baz", failed(&Problem::ChannelUnavailable));
    let outcome = |answers: &[_]| join(answers, true).outcome;
    assert_eq!(outcome(std::slice::from_ref(&replayed)), Outcome::Replayed);
    assert_eq!(outcome(&[replayed.clone(), published]), Outcome::Published);
    assert!(matches!(
        outcome(&[replayed, failed]),
        Outcome::Failed { status: 503, .. }
    ));
}

#[test]
fn a_partial_failure_is_the_problem_of_a_channel_with_the_results_of_all() {
    let too_many = Problem::TooManyPublishes { max: 1 };
    let answers = [
        ("foo", ChannelAnswer::Published(receipt("a-1"))),
        ("bar", failed(&too_many)),
    ];
    let answer = join(&answers, true);
    let expected = Outcome::Failed {
        status: 429,
        retry_after: Some("1".to_owned()),
    };
    assert_eq!(answer.outcome, expected);
    let error: Value = serde_json::from_str(&too_many.to_json()).unwrap();
    let mut body = body(&answer);
    let detail = body["detail"].take();
    assert_eq!(
        body,
        json!({
            "channel": "bar",
            "type": error["type"],
            "title": error["title"],
            "status": 429,
            "detail": null,
            "channels": [
                {"channel": "foo", "id": "a-1", "events": 1, "subscribers": 3, "dropped": 0, "replayed": false},
                {"channel": "bar", "error": error},
            ],
        })
    );
    let detail = detail.as_str().unwrap();
    let start = format!(
        "1 of 2 channels failed; the member \"channels\" has the result of each. Channel bar: {too_many}"
    );
    assert!(detail.starts_with(&start), "{detail}");
}

#[test]
fn the_problem_is_that_of_the_first_channel_that_can_succeed_later() {
    let reused = failed(&Problem::IdempotencyKeyReused);
    let unavailable = failed(&Problem::ChannelUnavailable);
    let internal = failed(&Problem::Internal);
    let channel = |answers: &[_]| body(&join(answers, true))["channel"].clone();
    let (a, b, c) = (
        ("a", reused),
        ("b", unavailable.clone()),
        ("c", unavailable),
    );
    assert_eq!(channel(&[a.clone(), b.clone(), c.clone()]), "b");
    assert_eq!(channel(&[c, a.clone(), b]), "c");
    assert_eq!(channel(&[("d", internal), a]), "d");
}

#[test]
fn the_detail_says_how_to_repeat_the_publish_if_that_can_help() {
    let detail = |problem: &Problem, has_key| {
        let answers = [
            ("foo", ChannelAnswer::Published(receipt("a-1"))),
            ("bar", failed(problem)),
        ];
        body(&join(&answers, has_key))["detail"].to_string()
    };
    let with_key = detail(&Problem::MemoryFull, true);
    assert!(
        with_key.contains("with the same Idempotency-Key"),
        "{with_key}"
    );
    let without = detail(&Problem::MemoryFull, false);
    assert!(
        without.contains("only for the channels that failed"),
        "{without}"
    );
    let permanent = detail(&Problem::IdempotencyKeyReused, true);
    assert!(!permanent.contains("Repeat the request"), "{permanent}");
    let all = body(&join(&[("foo", failed(&Problem::MemoryFull))], false));
    assert!(!all["detail"].to_string().contains("Repeat the request"));
}
