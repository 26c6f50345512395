//! What a change of settings is refused for, and changes at the same time.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Reply, Settings, TestApp};

impl TestApp {
    async fn patch_raw(&self, content_type: &str, body: &str) -> Reply {
        let request = self.request("PATCH", "/v1/settings").bearer_auth(self.token_for("default", "settings:write"));
        self.send(request.header("Content-Type", content_type).body(body.to_owned())).await
    }

    /// The whole answer to a GET with this `If-None-Match`.
    async fn read_settings(&self, if_none_match: &str) -> Reply {
        let request = self.request("GET", "/v1/settings").bearer_auth(self.token_for("default", "settings:read"));
        self.send(request.header("If-None-Match", if_none_match)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_is_refused_with_its_place_and_loses_nothing() {
    let app = TestApp::spawn().await;
    app.tenant_wants("default", json!({"locale": "de", "otp": {"digits": false}})).await;
    let before = app.settings_of("default").await;
    let cases = [
        (json!({"otp": {"uppercase": false, "lowercase": false}}), "/otp", "no_character_class"),
        (json!({"otp": {"length": 3}}), "/otp/length", "out_of_range"),
        (json!({"otp": {"length": 300}}), "/otp/length", "invalid_value"),
        (json!({"otp": [true, true, true, 6, 5, "auto"]}), "/otp", "invalid_value"),
        (json!({"expiryMinutes": -2}), "/expiryMinutes", "out_of_range"),
        (json!({"expiryMinutes": 60.5}), "/expiryMinutes", "invalid_value"),
        (json!({"passwordReset": {"expiryMinutes": 10081}}), "/passwordReset/expiryMinutes", "out_of_range"),
        (json!({"method": "carrier_pigeon"}), "/method", "invalid_value"),
        (json!({"method": {"email_link": null}}), "/method", "invalid_value"),
        (json!({"notifications": 1}), "/notifications", "invalid_value"),
        (json!({"links": {"setupUrl": "https://exa mple/{token}"}}), "/links/setupUrl", "invalid_url"),
        (json!({"links": {"setupUrl": "https://example.com/"}}), "/links/setupUrl", "placeholder_missing"),
        (
            json!({"links": {"allowedOrigins": ["https://a.example.com/x"]}}),
            "/links/allowedOrigins/0",
            "invalid_origin",
        ),
        (json!({"links": {"allowedOrigins": ["ftp://a.example.com"]}}), "/links/allowedOrigins/0", "invalid_origin"),
        (
            json!({"links": {"allowedRedirects": ["https://a.example.com/", "/x"]}}),
            "/links/allowedRedirects/1",
            "invalid_url",
        ),
        (json!({"links": {"allowedOrigins": vec!["https://a.example.com"; 101]}}), "/links/allowedOrigins", "too_many"),
        (json!({"reminders": {"minutesBeforeExpiry": [60, 0]}}), "/reminders/minutesBeforeExpiry/1", "out_of_range"),
        (json!({"sms": {"allowedCountries": ["DE", "UK"]}}), "/sms/allowedCountries/1", "unknown_country"),
        (json!({"otp": {"lenght": 6}}), "/otp/lenght", "unknown_field"),
        (json!({"nothing": null}), "/nothing", "unknown_field"),
        (json!({"policy": {"profile": "strict"}, "expiryMinutes": -1}), "/expiryMinutes", "expiry_too_long"),
        (json!({"policy": {"profile": "strict"}, "method": "sms_otp"}), "/expiryMinutes", "expiry_too_long"),
    ];
    for (patch, pointer, code) in cases {
        let reply = app.change_settings("default", &patch, &[]).await;
        assert_eq!((reply.status, &reply.body["code"]), (422, &json!("invalid_settings")), "{patch}: {}", reply.text);
        reply.field_problem(422, pointer, code);
    }
    let all = json!({"locale": "fr", "expiryMinutes": -2, "otp": {"length": 3, "x": 1}, "method": "pigeon"});
    let problem = app.change_settings("default", &all, &[]).await.problem(422, "invalid_settings");
    let pointers: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/expiryMinutes", "/method", "/otp/length", "/otp/x"]);
    assert_eq!(app.settings_of("default").await, before);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_json_object_of_the_right_type_is_read() {
    let app = TestApp::spawn().await;
    let merge_patch = "application/merge-patch+json";
    for malformed in ["{", "{\"locale\": \"de\"} x", "{\"locale\": de}"] {
        app.patch_raw(merge_patch, malformed).await.problem(400, "malformed_json");
    }
    for not_an_object in ["null", "[]", "\"de\"", "1"] {
        app.patch_raw(merge_patch, not_an_object).await.field_problem(400, "", "invalid_value");
    }
    let twice = r#"{"otp": {"length": 8, "length": 9}}"#;
    app.patch_raw(merge_patch, twice).await.field_problem(400, "/otp/length", "duplicate_field");
    app.patch_raw("application/json-patch+json", "{}").await.problem(415, "unsupported_media_type");
    let large = json!({"locale": "x".repeat(20_000)}).to_string();
    app.patch_raw(merge_patch, &large).await.problem(413, "payload_too_large");
    for content_type in [merge_patch, "application/json", "application/merge-patch+json; charset=utf-8"] {
        app.patch_raw(content_type, r#"{"locale": "de"}"#).await.ok(200);
    }
    assert_eq!(app.settings_of("default").await["settings"]["locale"], "de");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tenant_stores_is_bounded() {
    let app = TestApp::spawn().await;
    let urls = |count: usize| vec![format!("https://example.com/{}", "x".repeat(100)); count];
    app.tenant_wants("default", json!({"links": {"allowedRedirects": urls(100)}})).await;
    let more = json!({"links": {"setupUrl": format!("https://example.com/{}#{{token}}", "x".repeat(2000)),
                                "otpUrl": format!("https://example.com/{}", "x".repeat(2000))}});
    app.change_settings("default", &more, &[]).await.field_problem(422, "", "too_large");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_needs_a_gateway_unless_somebody_else_sends() {
    let app = TestApp::with(Settings { without: &["sms"], ..Settings::default() }).await;
    let refused = app.change_settings("default", &json!({"method": "sms_otp"}), &[]).await;
    refused.field_problem(422, "/method", "channel_not_configured");
    let refused = app.change_settings("default", &json!({"passwordReset": {"method": "sms_otp"}}), &[]).await;
    refused.field_problem(422, "/passwordReset/method", "channel_not_configured");
    app.tenant_wants("default", json!({"method": "sms_otp", "notifications": "external"})).await;
    let refused = app.change_settings("default", &json!({"notifications": null}), &[]).await;
    refused.field_problem(422, "/method", "channel_not_configured");
    app.tenant_wants("default", json!({"method": null, "notifications": null})).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_leaves_impossible_is_a_warning_and_keeps_nobody_from_other_changes() {
    let settings = Settings { without: &["email"], defaults: "method = \"sms_otp\"", ..Settings::default() };
    let app = TestApp::with(settings).await;
    let changed = app.tenant_wants("default", json!({"locale": "de"})).await;
    let warnings: Vec<_> = changed["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let expected = "channel_not_configured: /passwordReset/method: no gateway is configured for this method";
    assert!(warnings.contains(&expected), "{warnings:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn warnings_tell_the_odds_for_invitations_and_password_resets() {
    let app = TestApp::spawn().await;
    let weak = json!({
        "method": "sms_otp", "passwordReset": {"method": "email_otp", "expiryMinutes": -1},
        "otp": {"uppercase": false, "lowercase": false, "length": 4, "maxAttempts": 10},
        "links": {"setupUrl": "http://app.example.com/set-password?token={token}"}, "resend": {"toleranceMinutes": 10}
    });
    let warnings = app.tenant_wants("default", weak).await["warnings"].to_string();
    for expected in [
        "otp_lifetime: /expiryMinutes: NIST SP 800-63B-4",
        "otp_lifetime: /passwordReset/expiryMinutes: NIST SP 800-63B-4",
        "never_expires: /passwordReset/expiryMinutes: ASVS 5.0 6.4.1",
        "otp_entropy: /otp: 13 bits; 10 tries guess it once in 1000 invitations",
        "token_not_in_fragment: /links/setupUrl",
        "not_https: /links/setupUrl",
        "resend_tolerance: /resend/toleranceMinutes",
        "otp_attempts: /otp/maxAttempts",
    ] {
        assert!(warnings.contains(expected), "{expected} in {warnings}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_can_be_made_on_condition_that_nobody_was_faster() {
    let app = TestApp::spawn().await;
    let first = app.read_settings("").await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() == 24, "{tag}");
    let change =
        async |patch: Value, if_match: &str| app.change_settings("default", &patch, &[("If-Match", if_match)]).await;
    for stale in ["\"other\"", "", "garbage", &tag.to_uppercase().replace('"', ""), &format!("W/{tag}")] {
        change(json!({"locale": "de"}), stale).await.problem(412, "precondition_failed");
    }
    let changed = change(json!({"locale": "de"}), &format!("\"other\", {tag}, W/\"more\"")).await;
    let next = changed.header("etag").to_owned();
    assert!(changed.status == 200 && next != tag, "{}", changed.text);
    change(json!({"locale": "fr"}), &tag).await.problem(412, "precondition_failed");
    assert_eq!(change(json!({"locale": "de"}), &next).await.header("etag"), next, "nothing was changed");
    change(json!({"locale": null}), "*").await.ok(200);
    let back = app.read_settings("").await;
    assert_ne!(back.header("etag"), tag, "the same values, but there was a change in between");
    assert_eq!(back.body, first.body);

    let reset = |if_match: String| {
        let request = app.request("DELETE", "/v1/settings").bearer_auth(app.token_for("default", "settings:write"));
        app.send(request.header("If-Match", if_match))
    };
    reset(tag).await.problem(412, "precondition_failed");
    reset(back.header("etag").to_owned()).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_already_is_not_sent_again() {
    let app = TestApp::spawn().await;
    let tag = app.read_settings("\"other\"").await.header("etag").to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let reply = app.read_settings(&known).await;
        assert_eq!((reply.status, reply.text.as_str(), reply.header("etag")), (304, "", tag.as_str()), "{known}");
    }
    app.tenant_wants("default", json!({"locale": "de"})).await;
    let reply = app.read_settings(&tag).await;
    assert_ne!(reply.header("etag"), tag);
    assert_eq!(reply.ok(200)["settings"]["locale"], "de");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_the_same_time_are_all_kept() {
    let app = TestApp::spawn().await;
    let patches = [
        json!({"locale": "de"}),
        json!({"expiryMinutes": 60}),
        json!({"otp": {"length": 8}}),
        json!({"otp": {"digits": false}}),
        json!({"otp": {"maxAttempts": 3}}),
        json!({"passwordReset": {"expiryMinutes": 30}}),
        json!({"resend": {"cooldownSeconds": 30}}),
        json!({"resend": {"maxPerInvitation": 3}}),
        json!({"reminders": {"minutesBeforeExpiry": [30]}}),
        json!({"selfServiceRequestNew": true}),
        json!({"sms": {"allowedCountries": ["CH"]}}),
        json!({"passwordPolicy": {"minLength": 15}}),
    ];
    for reply in join_all(patches.iter().map(|patch| app.change_settings("acme", patch, &[]))).await {
        reply.ok(200);
    }
    let stored = app.settings_of("acme").await;
    let own = stored["sources"].as_object().unwrap().values().filter(|source| *source == "tenant").count();
    assert_eq!(own, patches.len(), "{stored}");
    assert_eq!(app.database.count("SELECT count(*) AS count FROM audit_event"), 12);

    let request = app.request("GET", "/t/acme/v1/settings").bearer_auth(app.token_for("acme", "settings:read"));
    let tag = app.send(request).await.header("etag").to_owned();
    let headers = [("If-Match", tag.as_str())];
    let racers: Vec<_> = (0..12).map(|n| json!({"expiryMinutes": 100 + n})).collect();
    let replies = join_all(racers.iter().map(|patch| app.change_settings("acme", patch, &headers))).await;
    let won = replies.iter().filter(|reply| reply.status == 200).count();
    let lost = replies.iter().filter(|reply| reply.status == 412).count();
    assert_eq!((won, lost), (1, 11), "one of those who saw the same state is first");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_override_that_the_operators_change_made_impossible_is_set_aside_and_said() {
    let app = TestApp::with(Settings { defaults: "policy = { profile = \"strict\" }", ..Settings::default() }).await;
    app.tenant_wants("default", json!({"locale": "de"})).await;
    // As it was allowed before the operator became strict.
    let before = r#"{"locale": "de", "method": "sms_otp", "expiryMinutes": 60, "outlived": {"key": 1}}"#;
    app.database.execute(&format!("UPDATE tenant_settings SET overrides = '{before}'"));
    let settings = app.settings_of("default").await;
    assert_eq!(
        (&settings["settings"]["method"], &settings["settings"]["expiryMinutes"]),
        (&json!("email_link"), &json!(60))
    );
    assert_eq!((&settings["sources"]["method"], &settings["sources"]["locale"]), (&json!("default"), &json!("tenant")));
    let warnings = settings["warnings"].to_string();
    for key in ["override_set_aside: /method: ", "override_set_aside: /outlived: "] {
        assert!(warnings.contains(key), "{warnings}");
    }
    let user = app.user().await;
    assert_eq!(app.issue(&user, json!({})).await["method"], "email_link", "the tenant can go on");
    let refused = app.change_settings("default", &json!({"locale": "fr"}), &[]).await;
    refused.field_problem(422, "/expiryMinutes", "expiry_too_long");
    let mended = app.tenant_wants("default", json!({"locale": "fr", "method": null, "outlived": null})).await;
    assert_eq!((&mended["warnings"], &mended["settings"]["locale"]), (&json!([]), &json!("fr")));
    app.finish().await;
}
