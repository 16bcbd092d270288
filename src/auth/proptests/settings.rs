//! `ACCESS` and `JWT_SECRET`, in combination with `JWT_KEYS`.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use proptest_support::{check, edited, text};

#[test]
fn requests_need_a_token_unless_access_says_otherwise() {
    let good = json!({"keys": [Signer::p256(1).jwk()]}).to_string();
    let names = select(&["token", "publish-token", "open", ""][..]).prop_map(str::to_owned);
    let policies = prop_oneof![4 => names.clone(), 1 => edited(names, &["o", " ", "-", "T", "\0"])];
    let secrets = prop_oneof![
        1 => Just(String::new()),
        3 => (30..40_usize, select(&["s", "é", "\u{1f511}", "\0"][..])).prop_map(|(bytes, piece)| {
            "x".repeat(bytes % piece.len()) + &piece.repeat(bytes / piece.len())
        }),
        1 => text(&["hush", "é"], 12),
    ];
    let keys = select(vec![
        String::new(),
        String::new(),
        good.clone(),
        good,
        "hush-hush".to_owned(),
        r#"{"keys":[]}"#.to_owned(),
    ]);
    let classes = [
        "closed",
        "publish-token",
        "open",
        "bad ACCESS",
        "bad JWT_SECRET",
        "bad JWT_KEYS",
        "no key",
    ];
    check(
        &classes,
        (policies, secrets, keys),
        |(policy, secret, keys), seen| {
            let found = access(&[
                ("ACCESS", &policy),
                ("JWT_SECRET", &secret),
                ("JWT_KEYS", &keys),
            ]);
            let known = ["", "token", "publish-token", "open"].contains(&policy.as_str());
            let (bad, class) = if !known {
                ("ACCESS", "bad ACCESS")
            } else if (1..32).contains(&secret.len()) {
                ("JWT_SECRET", "bad JWT_SECRET")
            } else if !keys.is_empty() && !keys.contains("kty") {
                ("JWT_KEYS", "bad JWT_KEYS")
            } else if policy != "open" && secret.is_empty() && keys.is_empty() {
                ("JWT_SECRET", "no key")
            } else {
                let class = match policy.as_str() {
                    "open" => "open",
                    "publish-token" => "publish-token",
                    _ => "closed",
                };
                ("", class)
            };
            seen.note(class);
            match found {
                Err(error) => {
                    prop_assert_eq!(error.name, bad);
                    let text = error.to_string();
                    prop_assert!(secret.len() < 6 || !text.contains(&secret), "{text}");
                    prop_assert!(!text.contains("hush"), "{text}");
                }
                Ok(access) => {
                    prop_assert_eq!(bad, "");
                    let needs_token =
                        |permission| access.grant_without_token(permission, "foo").is_none();
                    prop_assert_eq!(needs_token(Permission::Publish), class != "open");
                    prop_assert_eq!(needs_token(Permission::Subscribe), class == "closed");
                    let token =
                        Signer::secret(secret.as_bytes()).sign(r#"{"alg":"HS256"}"#, CLAIMS);
                    prop_assert_eq!(subscribe(&access, &token).is_ok(), !secret.is_empty());
                }
            }
            Ok(())
        },
    );
}
