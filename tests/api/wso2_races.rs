//! Many callers at once at WSO2's routes that take a code.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{PASSWORD, TestApp};
use crate::wso2_recovery::{Invited, SET, VALIDATE, count, passwords_set};

#[tokio::test(flavor = "multi_thread")]
async fn of_many_calls_with_one_key_one_sets_its_password() {
    let app = TestApp::spawn().await;
    for method in ["email_link", "email_otp"] {
        let invited = Invited::by(&app, method, json!({})).await;
        let before = passwords_set(&app).len();
        let passwords: Vec<String> = (0..16).map(|racer| format!("{PASSWORD} {racer}")).collect();
        let replies = join_all(passwords.iter().map(|password| invited.set(&app, password))).await;
        assert_eq!(count(&replies, 200), 1);
        let winner = replies.iter().position(|reply| reply.status == 200).unwrap();
        for reply in replies.into_iter().filter(|reply| reply.status != 200) {
            let (status, code) = (reply.status, reply.body["code"].clone());
            assert!(
                [(400, json!("18001")), (409, json!("accept_in_progress"))].contains(&(status, code)),
                "{}",
                reply.text
            );
        }
        assert_eq!(passwords_set(&app)[before..], [json!(passwords[winner])]);
    }
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_on_all_paths_at_once_stay_within_the_budgets() {
    let app = TestApp::spawn().await;
    let otp = Invited::by(&app, "email_otp", json!({})).await;
    let paths = async |nth: usize| match nth % 4 {
        0 => app.post(VALIDATE, otp.guess()).await,
        1 => app.redeem_code(&otp.user, "wrong1").await,
        2 => app.post("/api/identity/user/v1.0/introspect-code", otp.guess()).await,
        _ => {
            app.post(SET, json!({"key": "wrong1", "password": PASSWORD, "user": {"username": otp.user.username}})).await
        }
    };
    let replies = join_all((0..32).map(paths)).await;
    assert_eq!(count(&replies, 400), 32);
    assert_eq!(otp.budgets(&app).await, (json!(0), json!(5)), "exactly five were reserved, so five were compared");
    let failed = app.events(&otp.id).await.iter().filter(|event| *event == "invitation.redeem_failed").count();
    assert_eq!(failed, 5);
    otp.validate(&app).await.fault(400, "18001");
    app.redeem_code(&otp.user, &otp.secret).await.problem(400, "invalid_or_expired");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_redeemed_or_sets_the_password_and_never_both() {
    let app = TestApp::spawn().await;
    for _ in 0..8 {
        let otp = Invited::by(&app, "email_otp", json!({})).await;
        let before = passwords_set(&app).len();
        let (redeemed, set) = tokio::join!(app.redeem_code(&otp.user, &otp.secret), otp.set(&app, PASSWORD));
        let sets = match (redeemed.status, set.status) {
            (400, 200) => 1,
            (200, 400 | 409) => {
                let grant = redeemed.body["grant"].as_str().unwrap();
                app.set_password(grant, PASSWORD).await.ok(200);
                1
            }
            other => panic!("{other:?}: {} {}", redeemed.text, set.text),
        };
        assert_eq!(passwords_set(&app).len() - before, sets);
    }
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_while_a_right_code_is_examined_loses_no_attempt() {
    let app = TestApp::spawn().await;
    let otp = Invited::by(&app, "email_otp", json!({})).await;
    for patience in (0..40).map(Duration::from_millis) {
        let request = app.request("POST", VALIDATE).bearer_auth(app.token()).json(&otp.code());
        request.timeout(patience / 4).send().await.ok();
    }
    otp.validate(&app).await.ok(202);
    assert_eq!(otp.budgets(&app).await, (json!(5), json!(0)));
    app.finish().await;
}
