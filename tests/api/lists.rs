//! Lists of invitations: every page once, every filter, and no cursor but the right one.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{TestApp, User};

/// The ids on a page.
pub(crate) fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// All ids of a list, page by page from its beginning.
pub(crate) async fn all(app: &TestApp, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut page = app.get(path).await.ok(200);
    loop {
        found.extend(ids(&page));
        let Some(after) = page["page"]["after"].as_str() else { return found };
        page = app.get(&format!("{path}&after={after}")).await.ok(200);
    }
}

/// Issues an invitation that is not sent.
async fn issue(app: &TestApp, user: &User, fields: Value) -> String {
    let mut body = json!({"user": user.known(), "lockAccount": false, "delivery": "return"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app.post("/v1/invitations", body).await.ok(201)["id"].as_str().unwrap().to_owned()
}

async fn several(app: &TestApp, count: usize) -> Vec<String> {
    let mut issued = Vec::new();
    for _ in 0..count {
        issued.push(issue(app, &app.user().await, json!({})).await);
    }
    issued
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_walk_everything_once_in_both_orders_and_directions_while_more_comes() {
    let app = TestApp::spawn().await;
    let mut old_to_new = several(&app, 7).await;
    for order in ["asc", "desc"] {
        for limit in [1, 2, 3, 7] {
            let mut expected = old_to_new.clone();
            if order == "desc" {
                expected.reverse();
            }
            let path = format!("/v1/invitations?order={order}&limit={limit}");
            let (mut walked, mut page) = (Vec::new(), app.get(&path).await.ok(200));
            assert_eq!(page["page"]["before"], json!(null));
            loop {
                walked.extend(ids(&page));
                if walked.len() < 3 * limit {
                    old_to_new.extend(several(&app, 1).await);
                }
                let Some(after) = page["page"]["after"].as_str().filter(|_| walked.len() < expected.len()) else {
                    break;
                };
                page = app.get(&format!("{path}&after={after}")).await.ok(200);
            }
            assert_eq!(walked[..expected.len()], expected, "{path}");
            let mut back = ids(&page);
            while let Some(before) = page["page"]["before"].as_str() {
                page = app.get(&format!("{path}&before={before}")).await.ok(200);
                back = [ids(&page), back].concat();
            }
            let all = if order == "desc" { old_to_new.iter().rev().cloned().collect() } else { old_to_new.clone() };
            assert!(all.windows(back.len()).any(|part| part == back), "{path} backwards");
            assert!(back.ends_with(&walked[walked.len().saturating_sub(back.len())..]), "{path} backwards");
            assert_eq!(page["page"]["before"], json!(null));
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_good_for_its_own_list_only() {
    let app = TestApp::spawn().await;
    several(&app, 3).await;
    let path = "/v1/invitations?limit=1&status=pending";
    let page = app.get(path).await.ok(200);
    let cursor = page["page"]["after"].as_str().unwrap();
    app.get(&format!("{path}&after={cursor}")).await.ok(200);
    app.get(&format!("/v1/invitations?limit=2&order=desc&status=pending&before={cursor}")).await.ok(200);
    for wrong in ["status=expired", "status=pending&method=email_link", "status=pending&order=asc", ""] {
        app.get(&format!("/v1/invitations?{wrong}&after={cursor}")).await.field_problem(400, "after", "invalid_cursor");
    }
    let other = app.token_for("acme", "invitations:read");
    let foreign = app.request("GET", &format!("/t/acme{path}&after={cursor}")).bearer_auth(other);
    app.send(foreign).await.problem(400, "invalid_cursor");
    let cut = &cursor[..cursor.len() - 1];
    for forged in [cut, "x", "", "1%20OR%201%3D1", "%27%3B--", &"A".repeat(200)] {
        app.get(&format!("{path}&before={forged}")).await.field_problem(400, "before", "invalid_cursor");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_list_can_not_read_is_named() {
    let app = TestApp::spawn().await;
    for (query, pointer, code) in [
        ("limit=0", "limit", "invalid_value"),
        ("limit=101", "limit", "invalid_value"),
        ("limit=1&limit=2", "limit", "duplicate_parameter"),
        ("order=newest", "order", "invalid_value"),
        ("status=pending,gone", "status", "invalid_value"),
        ("status=", "status", "invalid_value"),
        ("method=pigeon", "method", "invalid_value"),
        ("purpose=fun", "purpose", "invalid_value"),
        ("deliveryStatus=lost", "deliveryStatus", "invalid_value"),
        ("createdAfter=yesterday", "createdAfter", "invalid_value"),
        ("realm=a%2Fb", "realm", "invalid_characters"),
        ("username=", "username", "empty"),
        ("after=x&before=x", "before", "invalid_value"),
        ("state=pending", "state", "unknown_parameter"),
    ] {
        app.get(&format!("/v1/invitations?{query}")).await.field_problem(400, pointer, code);
    }
    let token = app.token_for("default", "invitations:write");
    app.send(app.request("GET", "/v1/invitations").bearer_auth(token)).await.problem(403, "insufficient_scope");
    app.send(app.request("GET", "/v1/invitations")).await.problem(401, "unauthorized");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_what_a_single_read_shows() {
    let app = TestApp::spawn().await;
    let (sent, locked) = (app.user().await, app.user().await);
    let first = app.issue(&sent, json!({"lockAccount": false, "metadata": {"a": 1}})).await;
    let second = app.issue(&locked, json!({"method": "sms_otp"})).await;
    let page = app.get("/v1/invitations").await.ok(200);
    assert_eq!(page["items"], json!([app.invitation(&second["id"]).await, app.invitation(&first["id"]).await]));
    assert_eq!(page["items"][0]["account"]["locked"], true);
    assert_eq!(page["items"][1]["delivery"]["status"], "sent");
    let other = app.token_for("acme", "invitations:read");
    let foreign = app.send(app.request("GET", "/t/acme/v1/invitations").bearer_auth(other)).await.ok(200);
    assert_eq!(foreign, json!({"items": [], "page": {"after": null, "before": null}}));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_listed_is_the_one_of_the_moment() {
    let app = TestApp::spawn().await;
    let long = issue(&app, &app.user().await, json!({"expiresInMinutes": -1})).await;
    let short = issue(&app, &app.user().await, json!({"expiresInMinutes": 1})).await;
    let over = issue(&app, &app.user().await, json!({"expiresInMinutes": 0})).await;
    let gone = issue(&app, &app.user().await, json!({})).await;
    app.post(&format!("/v1/invitations/{gone}/revoke"), json!({})).await.ok(200);
    let waiting = issue(&app, &app.user().await, json!({"lockAccount": true, "expiresInMinutes": 1})).await;
    let listed = async |query: &str| all(&app, &format!("/v1/invitations?limit=1&order=asc&{query}")).await;
    assert_eq!(listed("status=pending").await, [&*long, &*short]);
    assert_eq!(listed("status=provisioning").await, [&*waiting]);
    assert_eq!(listed("status=expired").await, [&*over]);
    app.advance(Duration::from_mins(1));
    for swept in [false, true] {
        assert_eq!(listed("status=pending").await, [&*long], "swept: {swept}");
        assert_eq!(listed("status=provisioning").await, [""; 0], "swept: {swept}");
        assert_eq!(listed("status=expired").await, [&*short, &*over, &*waiting], "swept: {swept}");
        assert_eq!(listed("status=expired&username=nobody").await, [""; 0]);
        let both = listed("status=expired,revoked&status=pending").await;
        assert_eq!(both, [&*long, &*short, &*over, &*gone, &*waiting], "swept: {swept}");
        for id in listed("status=expired").await {
            assert_eq!(app.invitation(&json!(id)).await["status"], "expired");
        }
        app.work().await;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_finds_its_own() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let start = app.clock_now();
    app.advance(Duration::from_secs(1));
    let link = issue(&app, &user, json!({"expiresInMinutes": 60})).await;
    app.advance(Duration::from_secs(10));
    let middle = app.clock_now();
    app.advance(Duration::from_secs(1));
    let reset = json!({"purpose": "password_reset", "method": "email_otp", "expiresInMinutes": 30});
    let code = issue(&app, &app.user().await, reset).await;
    let never = issue(&app, &app.user().await, json!({"method": "sms_otp", "expiresInMinutes": -1})).await;
    let mut elsewhere = user.known();
    elsewhere["realm"] = json!("partners");
    let abroad = issue(&app, &user, json!({"user": elsewhere})).await;
    let soon = app.clock_after(Duration::from_mins(61));
    let listed = async |query: String| all(&app, &format!("/v1/invitations?limit=2&order=asc&{query}")).await;
    let name = &user.username;
    for (query, expected) in [
        (String::new(), vec![&link, &code, &never, &abroad]),
        ("method=email_otp".to_owned(), vec![&code]),
        ("method=email_link".to_owned(), vec![&link, &abroad]),
        ("purpose=onboarding".to_owned(), vec![&link, &never, &abroad]),
        ("purpose=password_reset&method=sms_otp".to_owned(), vec![]),
        (format!("username={}", name.to_uppercase()), vec![&link]),
        (format!("username={name}&realm=PARTNERS"), vec![&abroad]),
        ("realm=Partners".to_owned(), vec![&abroad]),
        ("realm=primary&purpose=onboarding".to_owned(), vec![&link, &never]),
        (format!("createdBefore={middle}"), vec![&link]),
        (format!("createdAfter={middle}&method=sms_otp"), vec![&never]),
        (format!("createdAfter={start}&createdBefore={middle}"), vec![&link]),
        (format!("expiresBefore={soon}"), vec![&code, &link]),
        (format!("expiresBefore={soon}&status=pending&purpose=onboarding"), vec![&link]),
    ] {
        assert_eq!(listed(query.clone()).await.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    app.finish().await;
}
