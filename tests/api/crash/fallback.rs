//! A message that was refused, and a process that dies before the other channel follows: the next one sees to it.

use std::time::Duration;

use serde_json::json;
use wiremock::ResponseTemplate;

use super::{LATER, World, until};
use crate::support::Settings;

#[tokio::test(flavor = "multi_thread")]
async fn with_the_other_channel_decided_on_but_not_tried() {
    let world = World::new(Settings { defaults: "fallback.email_to = \"sms_otp\"", ..Settings::default() }).await;
    world.gateway.answers("email", ResponseTemplate::new(422), 1).await;
    let doomed = world.start(Duration::ZERO, "fallback.claimed").await;
    world.issue(&doomed, json!({})).await;
    doomed.dies().await;
    assert!(world.gateway.received("sms").await.is_empty());
    let _next = world.start(LATER, "").await;
    until("a code arrives", || async { !world.gateway.received("sms").await.is_empty() }).await;
    world.outbox_is_settled().await;
    assert_eq!(world.gateway.received("email").await.len(), 1);
    assert_eq!(world.gateway.received("sms").await.len(), 1);
}
