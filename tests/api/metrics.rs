//! What Prometheus reads of the service, and what it must not say.

use std::sync::Arc;
use std::time::Duration;

use invited::domain::ids::TenantId;
use invited::metrics::{Metrics, Sight};
use invited::storage::StorageError;
use invited::storage::audit::{Actor, Event, record};
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::support::TestApp;

fn assert_lines(page: &str, wanted: &[&str]) {
    for line in wanted {
        assert!(page.lines().any(|found| found == *line), "{line}\nis not in\n{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_is_counted_by_route_gateway_directory_and_event() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    let page = app.metrics().await;
    assert_lines(
        &page,
        &[
            r#"invited_http_requests_total{method="POST",route="/v1/invitations",status="201"} 1"#,
            r#"invited_http_requests_total{method="POST",route="/v1/redemptions/password",status="200"} 1"#,
            r#"invited_http_request_duration_seconds_count{method="POST",route="/v1/redemptions"} 1"#,
            // The invitation, and that the account is ready.
            r#"invited_gateway_calls_total{channel="email",outcome="accepted"} 2"#,
            r#"invited_gateway_down{channel="email"} 0.0"#,
            r#"invited_gateway_down{channel="sms"} 0.0"#,
            r#"invited_events_total{event="invitation.issued"} 1"#,
            r#"invited_events_total{event="invitation.accepted"} 1"#,
            "invited_database_up 1",
        ],
    );
    assert!(page.contains(r#"invited_directory_calls_total{method="PATCH",result="204"}"#), "{page}");
    for told in [&user.username, &user.id, &user.email] {
        assert!(!page.contains(told.as_str()), "{told}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_tenants_make_no_series_of_their_own() {
    let app = TestApp::spawn().await;
    for path in ["/v1/nothing/1", "/v1/nothing/2", "/t/acme/v1/settings", "/v1/settings", "/v1/invitations/1"] {
        app.send(app.request("GET", path)).await;
    }
    app.send(app.request("BREW", "/v1/settings")).await;
    let page = app.metrics().await;
    assert_lines(
        &page,
        &[
            r#"invited_http_requests_total{method="GET",route="-",status="404"} 2"#,
            r#"invited_http_requests_total{method="GET",route="/v1/settings",status="401"} 2"#,
            r#"invited_http_requests_total{method="GET",route="/v1/invitations/{id}",status="401"} 1"#,
        ],
    );
    assert!(!page.contains("acme") && !page.contains("BREW") && page.contains(r#"method="other""#), "{page}");
    // They are for those who run the service.
    app.send(app.request("GET", "/metrics")).await.problem(404, "not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_refuses_our_credential_raises_an_alarm_that_ends_with_it() {
    let app = TestApp::spawn().await;
    app.gateway.answers("email", ResponseTemplate::new(401), 5).await;
    for _ in 0..6 {
        app.issue(&app.user().await, json!({"lockAccount": false})).await;
    }
    let refused = r#"invited_gateway_calls_total{channel="email",outcome="misconfigured"} 5"#;
    assert_lines(
        &app.metrics().await,
        &[refused, r#"invited_gateway_down{channel="email"} 1.0"#, r#"invited_gateway_down{channel="sms"} 0.0"#],
    );
    for _ in 0..4 {
        app.advance(Duration::from_secs(90));
        app.work().await;
    }
    let accepted = r#"invited_gateway_calls_total{channel="email",outcome="accepted"} 6"#;
    assert_lines(&app.metrics().await, &[refused, accepted, r#"invited_gateway_down{channel="email"} 0.0"#]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_seen_with_its_age() {
    let app = TestApp::spawn().await;
    assert!(!app.metrics().await.contains("invited_outbox_due{"), "nothing waits");
    app.try_issue(&app.user().await, json!({"lockAccount": false})).await.ok(201);
    app.advance(Duration::from_secs(90));
    let page = app.metrics().await;
    assert_lines(&page, &[r#"invited_outbox_due{channel="email"} 1.0"#]);
    let lag = page.lines().find_map(|line| line.strip_prefix(r#"invited_outbox_lag_seconds{channel="email"} "#));
    let lag: f64 = lag.unwrap().parse().unwrap();
    assert!((90.0..150.0).contains(&lag), "{lag}");
    app.work().await;
    assert!(!app.metrics().await.contains("invited_outbox_due{"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rolled_back_did_not_happen() {
    let app = TestApp::spawn().await;
    let metrics = Arc::new(Metrics::default());
    let store = app.counted_store(Arc::clone(&metrics));
    for fails in [true, false] {
        let wrote = store.write(move |conn| {
            let now = conn.now()?;
            let tenant = TenantId::default_tenant();
            let event =
                Event { event: "settings.changed", tenant: &tenant, invitation: None, account: None, detail: "" };
            record(conn, &Actor::system(), now, &event)?;
            if fails { Err(StorageError::Cancelled) } else { Ok(()) }
        });
        assert_eq!(wrote.await.is_err(), fails);
    }
    let page = metrics.render(&Sight { gateways: Vec::new(), backlog: None });
    assert_lines(&page, &[r#"invited_events_total{event="settings.changed"} 1"#]);
    app.finish().await;
}
