//! What the bearer of a link may do besides redeeming it: decline, and ask for a new one.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::directory::Fault;
use crate::support::{PASSWORD, Reply, Settings, TestApp, User};

const ALLOWED: &str = "self_service_request_new = true";
const NONSENSE: [&str; 4] = ["", "x", "inv1_000", "eyJhbGciOiJIUzI1NiJ9.e30.x"];

async fn allowing(defaults: &'static str) -> TestApp {
    TestApp::with(Settings { defaults, ..Settings::default() }).await
}

async fn decline(app: &TestApp, token: &str) -> Reply {
    app.send(app.request("POST", "/v1/redemptions/decline").json(&json!({"token": token}))).await
}

/// Asks for a new link and lets the work be done; every answer is the same.
async fn request_new(app: &TestApp, token: &str) {
    let reply = app.send(app.request("POST", "/v1/redemptions/request-new").json(&json!({"token": token}))).await;
    assert_eq!((reply.status, reply.text.as_str(), reply.header("content-length")), (202, "", "0"));
    assert_eq!(reply.header("cache-control"), "no-store");
    app.work().await;
}

async fn linked(app: &TestApp) -> (User, Value, String) {
    let user = app.user().await;
    let issued = app.issue(&user, json!({"expiresInMinutes": 60})).await;
    (user, issued["id"].clone(), app.gateway.last_token().await)
}

async fn mails(app: &TestApp) -> usize {
    app.gateway.received("email").await.len()
}

/// What the audit trail says about requests for a new link.
fn requests(app: &TestApp) -> Vec<String> {
    let details = "SELECT count(*) AS count FROM audit_event WHERE event = 'invitation.new_requested' AND actor = 'person' AND detail";
    let known = ["resent", "not_allowed", "resend_too_soon", "resend_limit", "invitation_exists", "refused"];
    known
        .into_iter()
        .flat_map(|detail| {
            let count = app.database.count(&format!("{details} = '{detail}'"));
            (0..count).map(move |_| detail.to_owned())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_declines_ends_the_invitation_and_the_lock_stays() {
    let app = TestApp::spawn().await;
    let (user, id, token) = linked(&app).await;
    let grant = app.redeem_token(&token).await.ok(200)["grant"].as_str().unwrap().to_owned();
    let declined = decline(&app, &token).await;
    assert_eq!(declined.text, "");
    declined.ok(204);
    let over = app.invitation(&id).await;
    assert_eq!((&over["status"], &over["revokeReason"]), (&json!("revoked"), &json!("declined")));
    assert!(over["revokedAt"].is_string());
    assert_eq!(app.directory.user("PRIMARY", &user.id).await["active"], false);
    assert_eq!(app.account(&user).await["lockReason"], "PENDING_ASK_PASSWORD");
    let by_person =
        "SELECT count(*) AS count FROM audit_event WHERE event = 'invitation.declined' AND actor = 'person'";
    assert_eq!(app.database.count(by_person), 1);
    app.redeem_token(&token).await.problem(410, "invitation_revoked");
    app.set_password(&grant, PASSWORD).await.problem(401, "grant_invalid");
    decline(&app, &token).await.problem(410, "invitation_revoked");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_is_declined_like_it_is_redeemed() {
    let app = TestApp::spawn().await;
    let (_, id, token) = linked(&app).await;
    app.advance(Duration::from_mins(1));
    app.post(&format!("/v1/invitations/{}/resend", id.as_str().unwrap()), json!({})).await.ok(200);
    app.work().await;
    decline(&app, &token).await.problem(410, "invitation_superseded");
    assert_eq!(app.invitation(&id).await["status"], "pending", "the newer generation is not touched");
    let newer = app.gateway.last_token().await;
    app.accept(&newer).await;
    decline(&app, &newer).await.problem(410, "invitation_accepted");

    let (_, _, token) = linked(&app).await;
    app.advance(Duration::from_hours(1));
    decline(&app, &token).await.problem(410, "invitation_expired");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_string_is_refused_with_the_bytes_of_a_wrong_code() {
    let app = TestApp::spawn().await;
    let (_, _, token) = linked(&app).await;
    let forged = format!("{}{}", &token[..token.len() - 1], if token.ends_with('0') { "1" } else { "0" });
    let of_nobody = invited::domain::token::LinkToken::generate(
        invited::domain::ids::InvitationId::from_bytes([7; 16]),
        &mut invited::entropy::rng(),
    );
    let known = app.redeem_token("x").await.problem(400, "invalid_or_expired")["detail"].clone();
    for string in NONSENSE.into_iter().chain([forged.as_str(), of_nobody.expose().as_str()]) {
        assert_eq!(decline(&app, string).await.problem(400, "invalid_or_expired")["detail"], known, "{string}");
    }
    let other = app.request("POST", "/t/acme/v1/redemptions/decline").json(&json!({"token": token}));
    app.send(other).await.problem(400, "invalid_or_expired");
    app.redeem_token(&token).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_declines_while_a_password_is_being_set() {
    let app = TestApp::spawn().await;
    let (_, id, token) = linked(&app).await;
    let grant = app.redeem_token(&token).await.ok(200)["grant"].as_str().unwrap().to_owned();
    app.directory.break_next("PATCH", Fault::Status(500));
    app.set_password(&grant, PASSWORD).await.problem(503, "directory_unavailable");
    decline(&app, &token).await.problem(409, "accept_in_progress");
    app.advance(Duration::from_mins(1));
    app.set_password(&grant, PASSWORD).await.ok(200);
    assert_eq!(app.invitation(&id).await["status"], "accepted");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn declining_and_accepting_never_both_succeed() {
    let app = TestApp::spawn().await;
    for _ in 0..6 {
        let (_, id, token) = linked(&app).await;
        let grant = app.redeem_token(&token).await.ok(200)["grant"].as_str().unwrap().to_owned();
        let (declined, set) = tokio::join!(decline(&app, &token), app.set_password(&grant, PASSWORD));
        let status = app.invitation(&id).await["status"].clone();
        match (declined.status, set.status) {
            (204, 401) => assert_eq!(status, "revoked"),
            (409 | 410, 200) => assert_eq!(status, "accepted"),
            other => panic!("{other:?}: {} {}", declined.text, set.text),
        }
    }
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_link_gets_its_person_a_new_one_at_the_registered_address() {
    let app = allowing(ALLOWED).await;
    let (user, id, token) = linked(&app).await;
    app.advance(Duration::from_hours(1));
    request_new(&app, &token).await;
    let mail = app.gateway.last("email").await;
    assert_eq!((mails(&app).await, &mail["to"]), (2, &json!(user.email)));
    let renewed = app.invitation(&id).await;
    assert_eq!((&renewed["status"], &renewed["generation"]), (&json!("pending"), &json!(2)));
    assert_eq!(requests(&app), ["resent"]);
    app.redeem_token(&token).await.problem(410, "invitation_superseded");
    request_new(&app, &token).await;
    assert_eq!(mails(&app).await, 2, "the old link asks for nothing any more");
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_for_anything_else() {
    let app = allowing(ALLOWED).await;
    let (_, id, token) = linked(&app).await;
    request_new(&app, &token).await;
    assert_eq!(app.invitation(&id).await["generation"], 1, "it is live");
    for string in NONSENSE {
        request_new(&app, string).await;
    }
    decline(&app, &token).await.ok(204);
    app.advance(Duration::from_mins(61));
    request_new(&app, &token).await;
    let (_, _, token) = linked(&app).await;
    app.accept(&token).await;
    app.advance(Duration::from_mins(61));
    let before = {
        app.work().await;
        mails(&app).await
    };
    request_new(&app, &token).await;
    assert_eq!(mails(&app).await, before);
    assert!(requests(&app).is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_the_settings_that_the_invitation_was_issued_under() {
    let app = TestApp::spawn().await;
    let (_, id, token) = linked(&app).await;
    app.advance(Duration::from_hours(1));
    app.database.execute(
        "INSERT INTO tenant_settings (tenant, overrides, version, updated_at)
         VALUES ('default', '{\"selfServiceRequestNew\": true}', 1, 0)",
    );
    request_new(&app, &token).await;
    assert_eq!((mails(&app).await, app.invitation(&id).await["status"].clone()), (1, json!("expired")));
    assert_eq!(requests(&app), ["not_allowed"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cap_and_cool_down_apply() {
    let app =
        allowing("self_service_request_new = true\nresend = { max_per_invitation = 1, cooldown_seconds = 7200 }").await;
    let user = app.user().await;
    app.issue(&user, json!({"expiresInMinutes": 60})).await;
    let token = app.gateway.last_token().await;
    app.advance(Duration::from_hours(1));
    request_new(&app, &token).await;
    assert_eq!(mails(&app).await, 1);
    app.advance(Duration::from_hours(1));
    request_new(&app, &token).await;
    assert_eq!(mails(&app).await, 2);
    let newer = app.gateway.last_token().await;
    app.advance(Duration::from_hours(48));
    request_new(&app, &newer).await;
    assert_eq!(mails(&app).await, 2);
    assert_eq!(requests(&app), ["resent", "resend_too_soon", "resend_limit"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_ask_at_once_get_one_new_link() {
    let app = allowing("self_service_request_new = true\nresend = { cooldown_seconds = 0 }").await;
    let (_, id, token) = linked(&app).await;
    app.advance(Duration::from_hours(1));
    let body = json!({"token": token});
    let ask = || app.send(app.request("POST", "/v1/redemptions/request-new").json(&body));
    let replies = join_all((0..16).map(|_| ask())).await;
    assert!(replies.iter().all(|reply| reply.status == 202));
    app.work().await;
    assert_eq!((mails(&app).await, app.invitation(&id).await["generation"].clone()), (2, json!(2)));
    assert_eq!(requests(&app).iter().filter(|detail| *detail == "resent").count(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_budget_of_wrong_codes_is_not_refilled() {
    let app = allowing(ALLOWED).await;
    let (user, id, _) = linked(&app).await;
    app.advance(Duration::from_mins(1));
    let resend = format!("/v1/invitations/{}/resend", id.as_str().unwrap());
    app.post(&resend, json!({"method": "email_otp"})).await.ok(200);
    app.work().await;
    for _ in 0..5 {
        app.redeem_code(&user, "wrong1").await.problem(400, "invalid_or_expired");
    }
    app.advance(Duration::from_mins(1));
    app.post(&resend, json!({"method": "email_link", "expiresInMinutes": 5})).await.ok(200);
    app.work().await;
    app.advance(Duration::from_mins(5));
    request_new(&app, &app.gateway.last_token().await).await;
    assert_eq!(
        (app.invitation(&id).await["generation"].clone(), app.account(&user).await["otpFailures"].clone()),
        (json!(4), json!(5))
    );
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_are_limited_by_address_and_open_to_the_tenants_pages() {
    let settings = Settings { calls_per_minute: 3, ..Settings::default() };
    let app = TestApp::with(settings).await;
    for path in ["/v1/redemptions/decline", "/v1/redemptions/request-new"] {
        let preflight = app
            .request("OPTIONS", path)
            .header("Origin", "https://app.example.com")
            .header("Access-Control-Request-Method", "POST");
        assert_eq!(app.send(preflight).await.header("access-control-allow-origin"), "https://app.example.com");
    }
    let body = json!({"token": "x"});
    let ask = |path| app.send(app.request("POST", path).json(&body));
    let replies = [ask("/v1/redemptions/decline").await.status, ask("/v1/redemptions/request-new").await.status];
    assert_eq!(replies, [400, 202]);
    let mut last = ask("/v1/redemptions/request-new").await;
    for _ in 0..3 {
        last = ask("/v1/redemptions/request-new").await;
    }
    last.problem(429, "rate_limited");
    ask("/v1/redemptions/decline").await.problem(429, "rate_limited");
    app.finish().await;
}
