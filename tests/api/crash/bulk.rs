//! A job whose process dies between its rows: the next one goes on, and nobody is invited twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::{LATER, World, until};
use crate::bulk::{BULK, row};
use crate::support::Settings;
use crate::support::app::issue_token;

const ROWS: usize = 30;

async fn dies_while_working(place: &str) {
    let world = World::new(Settings::default()).await;
    let doomed = world.start(Duration::ZERO, place).await;
    let rows: Vec<Value> = (0..ROWS).map(|n| row(&format!("p{n}"))).collect();
    world.call(&doomed, BULK, &issue_token(LATER), json!(rows)).await;
    doomed.dies().await;

    let _next = world.start(LATER, "").await;
    let done = "SELECT count(*) AS count FROM bulk_job WHERE status = 'done' AND done = 30 AND failed = 0";
    until("the job is done", || async { world.database.count(done) == 1 }).await;
    world.outbox_is_settled().await;
    let mut messages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for mail in world.gateway.received("email").await {
        messages.entry(mail["to"].to_string()).or_default().insert(mail["key"].to_string());
    }
    assert_eq!(messages.len(), ROWS);
    assert!(messages.values().all(|keys| keys.len() == 1), "a repeated message is the same message: {messages:?}");
    assert_eq!(world.database.count("SELECT count(*) AS count FROM invitation"), 30);
    assert_eq!(world.database.count("SELECT count(*) AS count FROM bulk_row WHERE input IS NOT NULL"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_job_claimed() {
    dies_while_working("bulk.claimed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_row_of_a_job_issued() {
    dies_while_working("bulk.worked").await;
}
