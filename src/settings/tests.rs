use super::*;

/// Reads the settings of a deployment that is open, unless `variables` set `ACCESS`.
fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingError> {
    let open = [("ACCESS", "open")];
    Settings::read(|name| {
        let mut all = variables.iter().chain(&open);
        let (_, value) = all.find(|(variable, _)| *variable == name)?;
        Some((*value).to_owned())
    })
}

#[test]
fn zero_switches_a_limit_off() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.limits.stall, Some(300_000));
    assert_eq!(settings.publish_per_second, None);
    assert_eq!(settings.max_open_channels, None);
    let settings = read(&[
        ("STALL_SECONDS", "0"),
        ("PUBLISH_PER_SECOND", "1"),
        ("MAX_OPEN_CHANNELS", "1"),
    ])
    .unwrap();
    assert_eq!(settings.limits.stall, None);
    assert_eq!(settings.publish_per_second, Some(1));
    assert_eq!(settings.max_open_channels, Some(1));
}

#[test]
fn the_default_of_a_batch_limit_shrinks_with_the_buffer_but_a_value_must_fit() {
    let settings = read(&[("BUFFER_EVENTS", "4"), ("BUFFER_BYTES", "2048")]).unwrap();
    assert_eq!(settings.max_batch_events, 4);
    assert_eq!(settings.max_batch_bytes, 2_048);
    assert_eq!(settings.max_event_bytes, 2_048);
    let error = read(&[("BUFFER_EVENTS", "4"), ("MAX_BATCH_EVENTS", "5")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "MAX_BATCH_EVENTS is \"5\": it has to be a whole number from 1 to 4 (at most BUFFER_EVENTS)"
    );
}

#[test]
fn memory_bytes_has_to_have_room_for_the_largest_publish() {
    let error = read(&[("MEMORY_BYTES", "8454143")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "MEMORY_BYTES is \"8454143\": it has to be a whole number from 8454144 to 2147483648 (at least 8 × BUFFER_BYTES + 65536)"
    );
    let settings = read(&[("BUFFER_BYTES", "8388608")]).unwrap();
    assert_eq!(settings.memory_bytes, 8 * 8_388_608 + 65_536);
    assert_eq!(settings.body_room, settings.memory_bytes / 4);
    let settings = read(&[("MEMORY_BYTES", "1073741824")]).unwrap();
    assert_eq!(settings.body_room, 8 << 20);
}

#[test]
fn an_error_names_the_variable_and_its_value() {
    for (name, value) in [
        ("BUFFER_EVENTS", "0"),
        ("BUFFER_EVENTS", "many"),
        ("BUFFER_BYTES", "1e6"),
        ("HEARTBEAT_SECONDS", "301"),
        ("STALL_SECONDS", "-1"),
        ("FLUSH_MAX_MS", "2.5"),
        ("MAX_BATCH_BYTES", "99999999999999999999"),
        ("MAX_SUBSCRIBERS", " 5"),
        ("LOG_LEVEL", "INFO!"),
        ("ACCESS", "Open"),
    ] {
        let error = read(&[(name, value)]).unwrap_err();
        assert_eq!((error.name, error.found), (name, format!("is {value:?}")));
        assert!(!error.expected.is_empty());
    }
}

#[test]
fn a_deployment_without_keys_has_to_say_that_it_is_open() {
    for access in ["", "token", "publish-token"] {
        let error = read(&[("ACCESS", access)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "JWT_SECRET is not set: it has to be a secret of at least 32 bytes, unless JWT_KEYS is set or ACCESS is open"
        );
    }
}

#[test]
fn an_error_never_shows_a_secret_or_a_key() {
    let error = read(&[("JWT_SECRET", "0123456789012345678901234567890")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "JWT_SECRET has 31 bytes: it has to be a secret of at least 32 bytes"
    );
    for (keys, found) in [
        ("hush", "is not JSON (expected value at line 1 column 1)"),
        ("[]", "has no list \"keys\""),
        (r#"{"keys":[]}"#, "contains no usable key"),
        (
            r#"{"keys":[{"kty":"oct","k":"aHVzaA"}]}"#,
            "contains no usable key",
        ),
        (
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"a","d":"aHVzaA"}]}"#,
            "contains a private key (\"d\")",
        ),
        (
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"aHVzaA"}]}"#,
            "contains no usable key",
        ),
    ] {
        let error = read(&[("JWT_KEYS", keys)]).unwrap_err();
        assert_eq!((error.name, error.found.as_str()), ("JWT_KEYS", found));
    }
}
