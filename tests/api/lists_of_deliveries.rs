//! Invitations by the state of their message.

use std::time::Duration;

use serde_json::json;
use wiremock::ResponseTemplate;

use crate::lists::all;
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn invitations_are_found_by_the_state_of_their_current_message() {
    let app = TestApp::spawn().await;
    let users = [app.user().await, app.user().await, app.user().await, app.user().await, app.user().await];
    let unlocked = |more| {
        let mut fields = json!({"lockAccount": false});
        fields.as_object_mut().unwrap().extend(serde_json::Value::as_object(&more).unwrap().clone());
        fields
    };
    let id = |issued: &serde_json::Value| issued["id"].as_str().unwrap().to_owned();
    let sent = id(&app.issue(&users[0], unlocked(json!({}))).await);
    app.gateway.answers("email", ResponseTemplate::new(422), 1).await;
    let failed = id(&app.issue(&users[1], unlocked(json!({}))).await);
    let returned = id(&app.issue(&users[2], unlocked(json!({"delivery": "return"}))).await);
    let revoked = id(&app.try_issue(&users[3], unlocked(json!({}))).await.ok(201));
    app.post(&format!("/v1/invitations/{revoked}/revoke"), json!({})).await.ok(200);
    let queued = id(&app.try_issue(&users[4], unlocked(json!({"method": "sms_otp"}))).await.ok(201));
    let listed = async |query: &str| all(&app, &format!("/v1/invitations?limit=1&order=asc&{query}")).await;
    let expect = async |query: &str, expected: &[&String]| {
        assert_eq!(listed(query).await.iter().collect::<Vec<_>>(), expected, "{query}");
    };
    expect("deliveryStatus=sent", &[&sent]).await;
    expect("deliveryStatus=failed", &[&failed]).await;
    expect("deliveryStatus=skipped", &[&returned, &revoked]).await;
    expect("deliveryStatus=queued,sending", &[&queued]).await;
    expect("deliveryStatus=scheduled,delivered&deliveryStatus=bounced", &[]).await;
    expect("deliveryStatus=skipped,sent&status=pending", &[&sent, &returned]).await;
    expect("deliveryStatus=sent,queued&method=sms_otp", &[&queued]).await;
    expect(&format!("deliveryStatus=sent&username={}", users[0].username), &[&sent]).await;
    expect(&format!("deliveryStatus=failed&username={}", users[0].username), &[]).await;
    let soon = app.clock_after(Duration::from_hours(48));
    expect(&format!("deliveryStatus=sent,failed&expiresBefore={soon}"), &[&sent, &failed]).await;
    let later = app.clock_after(Duration::from_mins(10));
    let timed = id(&app.try_issue(&app.user().await, unlocked(json!({"sendAt": later}))).await.ok(201));
    expect("deliveryStatus=scheduled", &[&timed]).await;
    app.advance(Duration::from_mins(10));
    expect("deliveryStatus=scheduled", &[]).await;
    expect("deliveryStatus=queued", &[&queued, &timed]).await;
    app.post(&format!("/v1/invitations/{timed}/revoke"), json!({})).await.ok(200);
    for status in ["sent", "failed", "skipped", "queued"] {
        for id in listed(&format!("deliveryStatus={status}")).await {
            assert_eq!(app.invitation(&json!(id)).await["delivery"]["status"], status);
        }
    }

    app.advance(Duration::from_mins(1));
    app.post(&format!("/v1/invitations/{failed}/resend"), json!({})).await.ok(200);
    expect("deliveryStatus=failed", &[]).await;
    app.work().await;
    expect("deliveryStatus=sent", &[&sent, &failed, &queued]).await;
    app.advance(Duration::from_mins(1));
    app.post(&format!("/v1/invitations/{sent}/resend"), json!({"delivery": "return"})).await.ok(200);
    expect("deliveryStatus=skipped", &[&sent, &returned, &revoked, &timed]).await;
    app.finish().await;
}
