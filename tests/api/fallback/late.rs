//! Reports that come after the other channel was decided on, and before anything was made of that.

use std::sync::Arc;

use invited::domain::fallback::Fallback;
use tokio::sync::Notify;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_arrived_after_all_is_not_followed_unless_it_comes_back() {
    let (app, vendors, user, issued) = invited(BOTH, json!({})).await;
    vendors.report(&app, "sendgrid", "sg-1", "soft").await.ok(200);
    assert!(diagnosis(&app, &user).await.0.contains(&"fallback_due".to_owned()));
    vendors.report(&app, "sendgrid", "sg-1", "delivered").await.ok(200);
    assert!(!diagnosis(&app, &user).await.0.contains(&"fallback_due".to_owned()));
    assert_nothing_followed(&app, &issued).await;
    assert_eq!(sent(&app).await, (1, 0));
    bounces(&app, &vendors).await;
    app.work().await;
    assert_eq!(sent(&app).await, (1, 1));
    app.finish().await;

    let (app, vendors, _, issued) = invited(BOTH, json!({})).await;
    bounces(&app, &vendors).await;
    vendors.report(&app, "sendgrid", "sg-1", "complained").await.ok(200);
    assert_nothing_followed(&app, &issued).await;
    assert_eq!(sent(&app).await, (1, 0), "it arrived, and was not wanted");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_had_claimed_it_makes_nothing_of_what_arrived_meanwhile() {
    let (app, vendors) = listening(BOTH).await;
    let user = app.user().await;
    let known = json!({"username": user.username, "id": user.id, "email": user.email});
    let issued = app.post("/v1/invitations", json!({"user": known, "lockAccount": false})).await.ok(201);
    app.work().await;
    vendors.report(&app, "sendgrid", "sg-1", "soft").await.ok(200);
    // The directory is asked for the number, and the vendor calls before it answers.
    let let_go = Arc::new(Notify::new());
    app.directory.break_next("GET", Fault::Held(Arc::clone(&let_go)));
    let asked = app.directory.calls().len();
    let late = async {
        while app.directory.calls().len() == asked {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        vendors.report(&app, "sendgrid", "sg-1", "delivered").await.ok(200);
        let_go.notify_one();
    };
    tokio::join!(app.sweep(), late);
    assert_nothing_followed(&app, &issued).await;
    assert_eq!(app.invitation(&issued["id"]).await["delivery"]["status"], "delivered");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_wanted_anew_is_not_settled_by_whoever_had_claimed_it_before() {
    let (app, vendors, _, _) = invited(BOTH, json!({})).await;
    vendors.report(&app, "sendgrid", "sg-1", "soft").await.ok(200);
    let store = app.store();
    let claimed = store.write(|conn| {
        let now = conn.now()?;
        fallbacks::claim(conn, now)
    });
    let claimed = claimed.await.unwrap().unwrap();
    vendors.report(&app, "sendgrid", "sg-1", "delivered").await.ok(200);
    bounces(&app, &vendors).await;
    assert!(!store.write(move |conn| fallbacks::settle(conn, &claimed, Fallback::Moot)).await.unwrap());
    app.work().await;
    assert_eq!(sent(&app).await, (1, 1));
    app.finish().await;
}
