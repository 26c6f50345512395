//! The e-mail vendors.

use serde_json::json;

use super::*;

pub(super) fn sendgrid(url: Url) -> EmailDriver {
    EmailDriver::SendGrid(SendGrid { url, token: secret("SG.key"), from: sender() })
}

pub(super) fn resend(url: Url) -> EmailDriver {
    EmailDriver::Resend(Resend { url, token: secret("re_key"), from: sender() })
}

pub(super) fn postmark(url: Url) -> EmailDriver {
    EmailDriver::Postmark(Postmark { url, token: secret("pm-token"), from: sender(), stream: "outbound".to_owned() })
}

pub(super) fn mailgun(url: Url) -> EmailDriver {
    EmailDriver::Mailgun(Mailgun { url, token: secret("mg-key"), from: sender(), domain: "mg.example.com".to_owned() })
}

pub(super) fn mailpit(url: Url) -> EmailDriver {
    let credential = Some(("user".to_owned(), secret("pass")));
    EmailDriver::Mailpit(Mailpit { url, credential, from: sender() })
}

#[tokio::test]
async fn sendgrid_gets_a_message_whose_links_it_leaves_alone() {
    let (server, url) = vendor(ResponseTemplate::new(202).insert_header("X-Message-Id", "sg-1")).await;
    assert_eq!(send_email(sendgrid(url)).await, accepted("sg-1"));
    let request = request(&server).await;
    assert_eq!((request.url.path(), header(&request, "authorization")), ("/v3/mail/send", "Bearer SG.key"));
    let expected = json!({
        "personalizations": [{
            "to": [{"email": "alex@example.com", "name": "Alex"}],
            "custom_args": {"message_id": "msg_1", "tenant": "acme.example"},
        }],
        "from": {"email": "no-reply@example.com", "name": "Example"},
        "subject": "Set your password",
        "content": [
            {"type": "text/plain", "value": "text & more"}, {"type": "text/html", "value": "<p>html</p>"},
        ],
        "categories": ["invitation_email_link"],
        "tracking_settings": {
            "click_tracking": {"enable": false, "enable_text": false},
            "open_tracking": {"enable": false},
            "subscription_tracking": {"enable": false},
        },
    });
    assert_eq!(json_of(&request), expected);
}

#[tokio::test]
async fn resend_gets_the_message_under_its_idempotency_key() {
    let (server, url) = vendor(answer(200, r#"{"id": "re-1"}"#)).await;
    assert_eq!(send_email(resend(url)).await, accepted("re-1"));
    let request = request(&server).await;
    assert_eq!((request.url.path(), header(&request, "authorization")), ("/emails", "Bearer re_key"));
    assert_eq!(header(&request, "idempotency-key"), "msg_1");
    let expected = json!({
        "from": "\"Example\" <no-reply@example.com>", "to": ["alex@example.com"], "subject": "Set your password",
        "text": "text & more", "html": "<p>html</p>",
        "tags": [{"name": "message_id", "value": "msg_1"}, {"name": "kind", "value": "invitation_email_link"}],
    });
    assert_eq!(json_of(&request), expected);
}

#[tokio::test]
async fn postmark_gets_a_message_whose_links_it_leaves_alone() {
    let (server, url) = vendor(answer(200, r#"{"ErrorCode": 0, "MessageID": "pm-1"}"#)).await;
    assert_eq!(send_email(postmark(url)).await, accepted("pm-1"));
    let request = request(&server).await;
    assert_eq!((request.url.path(), header(&request, "x-postmark-server-token")), ("/email", "pm-token"));
    let expected = json!({
        "From": "\"Example\" <no-reply@example.com>", "To": "alex@example.com", "Subject": "Set your password",
        "TextBody": "text & more", "HtmlBody": "<p>html</p>", "MessageStream": "outbound", "Tag": "invitation_email_link",
        "Metadata": {"message_id": "msg_1", "tenant": "acme.example"}, "TrackOpens": false, "TrackLinks": "None",
    });
    assert_eq!(json_of(&request), expected);
}

#[tokio::test]
async fn mailgun_gets_a_form_and_leaves_the_links_alone() {
    let (server, url) = vendor(answer(200, r#"{"id": "<mg-1@mg.example.com>", "message": "Queued."}"#)).await;
    assert_eq!(send_email(mailgun(url)).await, accepted("<mg-1@mg.example.com>"));
    let request = request(&server).await;
    assert_eq!(request.url.path(), "/v3/mg.example.com/messages");
    assert_eq!(header(&request, "authorization"), "Basic YXBpOm1nLWtleQ==");
    let expected = [
        ("from", "\"Example\" <no-reply@example.com>"),
        ("to", "alex@example.com"),
        ("subject", "Set your password"),
        ("text", "text & more"),
        ("html", "<p>html</p>"),
        ("o:tag", "invitation_email_link"),
        ("o:tracking", "no"),
        ("o:tracking-clicks", "no"),
        ("o:tracking-opens", "no"),
        ("v:message_id", "msg_1"),
        ("v:tenant", "acme.example"),
    ];
    assert_eq!(form_of(&request), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn mailpit_gets_the_message() {
    let (server, url) = vendor(answer(200, r#"{"ID": "mp-1"}"#)).await;
    assert_eq!(send_email(mailpit(url)).await, accepted("mp-1"));
    let request = request(&server).await;
    assert_eq!((request.url.path(), header(&request, "authorization")), ("/api/v1/send", "Basic dXNlcjpwYXNz"));
    let expected = json!({
        "From": {"Email": "no-reply@example.com", "Name": "Example"},
        "To": [{"Email": "alex@example.com", "Name": "Alex"}],
        "Subject": "Set your password", "Text": "text & more", "HTML": "<p>html</p>",
        "Tags": ["invitation_email_link"], "Headers": {"X-Message-Id": "msg_1"},
    });
    assert_eq!(json_of(&request), expected);
}

#[tokio::test]
async fn every_answer_of_a_vendor_has_its_meaning() {
    let cases: [(Driver<EmailDriver>, u16, &str, Outcome); 36] = [
        (sendgrid, 202, "", Outcome::Accepted { provider_id: None }),
        (sendgrid, 400, r#"{"errors": [{"message": "bad"}]}"#, rejected("http_400")),
        (sendgrid, 401, "", misconfigured("gateway_unauthorized")),
        (sendgrid, 403, "", misconfigured("gateway_unauthorized")),
        (sendgrid, 404, "", misconfigured("http_404")),
        (sendgrid, 413, "", rejected("http_413")),
        (sendgrid, 429, "", throttled(None)),
        (sendgrid, 500, "", unknown("http_500")),
        (sendgrid, 302, "", unknown("http_302")),
        (sendgrid, 200, "<html>", unknown("unreadable_answer")),
        (resend, 200, "{}", unknown("unreadable_answer")),
        (resend, 404, "<html>", misconfigured("http_404")),
        (mailgun, 200, "<html>", unknown("unreadable_answer")),
        (resend, 400, r#"{"name": "validation_error"}"#, rejected("resend_validation_error")),
        (resend, 403, r#"{"name": "validation_error"}"#, misconfigured("resend_validation_error")),
        (resend, 401, r#"{"name": "missing_api_key"}"#, misconfigured("resend_missing_api_key")),
        (
            resend,
            409,
            r#"{"name": "concurrent_idempotent_requests"}"#,
            unknown("resend_concurrent_idempotent_requests"),
        ),
        (resend, 409, r#"{"name": "invalid_idempotent_request"}"#, Outcome::Accepted { provider_id: None }),
        (resend, 422, r#"{"name": "missing_required_field"}"#, rejected("resend_missing_required_field")),
        (resend, 429, r#"{"name": "rate_limit_exceeded"}"#, throttled(None)),
        (resend, 429, r#"{"name": "daily_quota_exceeded"}"#, throttled(Some(900))),
        (resend, 500, r#"{"name": "application_error"}"#, unknown("resend_application_error")),
        (postmark, 200, r#"{"ErrorCode": 406}"#, rejected("postmark_406")),
        (postmark, 200, "<html>", unknown("unreadable_answer")),
        (postmark, 401, r#"{"ErrorCode": 10}"#, misconfigured("postmark_10")),
        (postmark, 422, r#"{"ErrorCode": 300}"#, rejected("postmark_300")),
        (postmark, 422, r#"{"ErrorCode": 400}"#, misconfigured("postmark_400")),
        (postmark, 422, r#"{"ErrorCode": 405}"#, misconfigured("postmark_405")),
        (postmark, 422, r#"{"ErrorCode": 406, "Message": "inactive"}"#, rejected("postmark_406")),
        (postmark, 429, "", throttled(None)),
        (postmark, 503, r#"{"ErrorCode": 100}"#, unknown("postmark_100")),
        (mailgun, 400, r#"{"message": "to parameter is not a valid address"}"#, rejected("http_400")),
        (mailgun, 401, "Forbidden", misconfigured("gateway_unauthorized")),
        (mailgun, 404, r#"{"message": "Domain not found"}"#, misconfigured("http_404")),
        (mailpit, 400, r#"{"Error": "invalid format"}"#, rejected("http_400")),
        (mailpit, 401, "", misconfigured("gateway_unauthorized")),
    ];
    for (driver, status, body, expected) in cases {
        let (_server, url) = vendor(answer(status, body)).await;
        assert_eq!(send_email(driver(url)).await, expected, "{status} {body}");
    }
}

#[tokio::test]
async fn an_error_that_is_no_code_is_not_repeated() {
    for name in ["a b", "<script>", "", &"x".repeat(65), "alex@example.com"] {
        let (_server, url) = vendor(answer(422, &json!({"name": name}).to_string())).await;
        assert_eq!(send_email(resend(url)).await, rejected("http_422"), "{name}");
    }
}

#[tokio::test]
async fn every_way_to_say_when_to_come_back_is_understood() {
    let soon = (SystemClock.now().seconds() + 30).to_string();
    let long = (SystemClock.now().seconds() + 86_400).to_string();
    for (name, value, at_least, at_most) in [
        ("Retry-After", "7", 7, 7),
        ("RateLimit-Reset", "9", 9, 9),
        ("X-RateLimit-Reset", soon.as_str(), 28, 30),
        ("X-RateLimit-Reset", long.as_str(), 3600, 3600),
    ] {
        let (_server, url) = vendor(ResponseTemplate::new(429).insert_header(name, value)).await;
        let Outcome::Throttled { after: Some(after) } = send_email(sendgrid(url)).await else { panic!("{name}") };
        assert!((at_least..=at_most).contains(&after.as_secs()), "{name}: {after:?}");
    }
    let (_server, url) = vendor(ResponseTemplate::new(503).insert_header("RateLimit-Reset", "9")).await;
    assert_eq!(send_email(sendgrid(url)).await, unknown("http_503"));
}
