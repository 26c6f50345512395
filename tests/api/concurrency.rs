//! Many racers, one winner: every transition under parallel load.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Reply, TestApp};

const RACERS: usize = 24;

fn count(replies: &[Reply], status: u16) -> usize {
    replies.iter().filter(|reply| reply.status == status).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_guesses_get_no_more_than_five_comparisons() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({"method": "email_otp"})).await;
    let replies = join_all((0..RACERS).map(|_| app.redeem_code(&user, "wrong1"))).await;
    assert_eq!(count(&replies, 400), RACERS);
    assert_eq!(app.invitation(&issued["id"]).await["attemptsRemaining"], 0);
    assert_eq!(app.account(&user).await["otpFailures"], 5, "exactly five were reserved, so five were compared");
    let failed = app.events(&issued["id"]).await.iter().filter(|event| *event == "invitation.redeem_failed").count();
    assert_eq!(failed, 5);
    app.redeem_code(&user, &app.gateway.last_code("email").await).await.problem(400, "invalid_or_expired");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_gives_one_grant() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({"method": "email_otp"})).await;
    let code = app.gateway.last_code("email").await;
    let replies = join_all((0..RACERS).map(|_| app.redeem_code(&user, &code))).await;
    assert_eq!((count(&replies, 200), count(&replies, 400)), (1, RACERS - 1));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_grants_of_one_link_the_newest_counts() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let token = app.gateway.last_token().await;
    let replies = join_all((0..RACERS).map(|_| app.redeem_token(&token))).await;
    assert_eq!(count(&replies, 200), RACERS);
    let grants: HashSet<String> =
        replies.iter().map(|reply| reply.body["grant"].as_str().unwrap().to_owned()).collect();
    assert_eq!(grants.len(), RACERS);
    let set = join_all(grants.iter().map(|grant| app.set_password(grant, PASSWORD))).await;
    assert_eq!((count(&set, 200), count(&set, 401)), (1, RACERS - 1));
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_invitation_sets_one_password() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    app.issue(&user, json!({})).await;
    let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    let grant = redeemed["grant"].as_str().unwrap();
    let passwords: Vec<String> = (0..RACERS).map(|racer| format!("{PASSWORD} {racer}")).collect();
    let replies = join_all(passwords.iter().map(|password| app.set_password(grant, password))).await;
    let winner = replies.iter().position(|reply| reply.status == 200).expect("nobody won");
    assert_eq!(count(&replies, 200), 1);
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 401 | 409)));
    let set: Vec<Value> =
        app.directory.patches().iter().filter_map(|patch| patch.replaced("password").cloned()).collect();
    assert_eq!(set, [json!(passwords[winner])], "the directory got the winner's password and no other");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_has_one_live_invitation() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let replies = join_all((0..RACERS).map(|_| app.try_issue(&user, json!({"user": user.known()})))).await;
    assert_eq!((count(&replies, 201), count(&replies, 409)), (1, RACERS - 1));
    let id = replies.iter().find(|reply| reply.status == 201).unwrap().body["id"].clone();
    for reply in replies.into_iter().filter(|reply| reply.status == 409) {
        assert_eq!(reply.problem(409, "invitation_exists")["invitationId"], id);
    }
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn replacing_in_parallel_leaves_one_live_invitation() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let replies =
        join_all((0..RACERS).map(|_| app.try_issue(&user, json!({"user": user.known(), "ifExists": "replace"})))).await;
    assert_eq!(count(&replies, 201), RACERS);
    app.work().await;
    assert_eq!(app.gateway.received("email").await.len(), 1, "only the last one is sent");
    let mut live = 0;
    for reply in &replies {
        live += usize::from(app.invitation(&reply.body["id"]).await["status"] == "pending");
    }
    assert_eq!(live, 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_resends_make_one_generation() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.issue(&user, json!({})).await;
    app.advance(Duration::from_mins(1));
    let path = format!("/v1/invitations/{}/resend", issued["id"].as_str().unwrap());
    let replies = join_all((0..RACERS).map(|_| app.post(&path, json!({})))).await;
    assert_eq!((count(&replies, 200), count(&replies, 429)), (1, RACERS - 1));
    app.work().await;
    let invitation = app.invitation(&issued["id"]).await;
    assert_eq!((&invitation["generation"], &invitation["resends"]), (&json!(2), &json!(1)));
    assert_eq!(app.gateway.received("email").await.len(), 2);
    app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revoking_and_accepting_never_both_succeed() {
    let app = TestApp::spawn().await;
    for _ in 0..8 {
        let user = app.user().await;
        let issued = app.issue(&user, json!({})).await;
        let redeemed = app.redeem_token(&app.gateway.last_token().await).await.ok(200);
        let path = format!("/v1/invitations/{}/revoke", issued["id"].as_str().unwrap());
        let (revoked, set) =
            tokio::join!(app.post(&path, json!({})), app.set_password(redeemed["grant"].as_str().unwrap(), PASSWORD));
        let status = app.invitation(&issued["id"]).await["status"].clone();
        match (revoked.status, set.status) {
            (200, 401) => assert_eq!(status, "revoked"),
            (409, 200) => assert_eq!(status, "accepted"),
            other => panic!("{other:?}: {} {}", revoked.text, set.text),
        }
        let was_set = app
            .directory
            .patches()
            .iter()
            .any(|patch| patch.path.contains(&user.id) && patch.replaced("password").is_some());
        assert_eq!(was_set, set.status == 200);
    }
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_send_each_message_once() {
    let app = TestApp::spawn().await;
    for _ in 0..20 {
        let user = app.user().await;
        app.try_issue(&user, json!({"lockAccount": false})).await.ok(201);
    }
    while join_all((0..4).map(|_| app.tick())).await.iter().sum::<usize>() > 0 {}
    let received = app.gateway.received("email").await;
    let keys: HashSet<&str> = received.iter().map(|message| message["key"].as_str().unwrap()).collect();
    assert_eq!((received.len(), keys.len()), (20, 20));
    app.finish().await;
}
