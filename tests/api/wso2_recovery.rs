//! WSO2's recovery API v0.9: a link's token or an OTP is validated, any number of times, and then sets the password.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::directory::Fault;
use crate::support::{PASSWORD, Reply, TestApp, User};

pub(crate) const VALIDATE: &str = "/api/identity/recovery/v0.9/validate-code";
pub(crate) const SET: &str = "/api/identity/recovery/v0.9/set-password";

/// An invitation that was sent, and what shows that one is its person.
pub(crate) struct Invited {
    pub(crate) user: User,
    pub(crate) id: Value,
    pub(crate) secret: String,
    is_code: bool,
}

impl Invited {
    pub(crate) async fn by(app: &TestApp, method: &str, fields: Value) -> Self {
        let user = app.user().await;
        let mut body = json!({"method": method});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let issued = app.issue(&user, body).await;
        let secret = match method {
            "email_link" => app.gateway.last_token().await,
            method => app.gateway.last_code(method.trim_end_matches("_otp")).await,
        };
        Self { user, id: issued["id"].clone(), secret, is_code: method != "email_link" }
    }

    /// The secret, or another in its place, with whose it is where that matters.
    fn with(&self, field: &str, secret: &str) -> Value {
        let mut body = json!({"properties": [{"key": "callback", "value": "https://app.example.com"}]});
        body[field] = json!(secret);
        if self.is_code {
            body["properties"].as_array_mut().unwrap().push(json!({"key": "username", "value": self.user.username}));
        }
        body
    }

    pub(crate) fn code(&self) -> Value {
        self.with("code", &self.secret)
    }

    pub(crate) fn guess(&self) -> Value {
        self.with("code", "wrong1")
    }

    fn key(&self, password: &str) -> Value {
        let mut body = self.with("key", &self.secret);
        body["password"] = json!(password);
        body
    }

    pub(crate) async fn validate(&self, app: &TestApp) -> Reply {
        app.post(VALIDATE, self.code()).await
    }

    pub(crate) async fn set(&self, app: &TestApp, password: &str) -> Reply {
        app.post(SET, self.key(password)).await
    }

    /// How answers name the person.
    pub(crate) fn named(&self) -> Value {
        json!({"username": self.user.username, "realm": "PRIMARY", "tenant-domain": "carbon.super", "userId": self.user.id})
    }

    /// Wrong codes that count against the account.
    pub(crate) async fn failures(&self, app: &TestApp) -> Value {
        app.account(&self.user).await["otpFailures"].clone()
    }

    /// Tries that the code has left, and the account's wrong ones.
    pub(crate) async fn budgets(&self, app: &TestApp) -> (Value, Value) {
        let attempts = app.invitation(&self.id).await["attemptsRemaining"].clone();
        (attempts, self.failures(app).await)
    }
}

pub(crate) fn passwords_set(app: &TestApp) -> Vec<Value> {
    app.directory.patches().iter().filter_map(|patch| patch.replaced("password").cloned()).collect()
}

pub(crate) fn count(replies: &[Reply], status: u16) -> usize {
    replies.iter().filter(|reply| reply.status == status).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_stands_alone_and_sets_the_password_once() {
    let app = TestApp::spawn().await;
    let link = Invited::by(&app, "email_link", json!({})).await;
    for step in [json!(null), json!(""), json!(" "), json!("UPDATE_PASSWORD")] {
        let body = json!({"code": link.secret, "step": step, "properties": [], "of a later version": {"a": [1]}});
        assert_eq!(app.post(VALIDATE, body).await.ok(202), link.named());
    }
    for step in ["SET_PASSWORD", "update_password", "CONFIRM_SIGN_UP"] {
        app.post(VALIDATE, json!({"code": link.secret, "step": step})).await.fault(400, "18001");
    }
    assert_eq!(app.invitation(&link.id).await["status"], "pending");
    assert_eq!(link.set(&app, PASSWORD).await.ok(200), link.named());
    assert_eq!(passwords_set(&app), [json!(PASSWORD)]);
    assert_eq!(app.directory.user("PRIMARY", &link.user.id).await["active"], true);
    assert_eq!(app.invitation(&link.id).await["status"], "accepted");
    link.validate(&app).await.fault(400, "18001");
    link.set(&app, PASSWORD).await.fault(400, "18001");
    app.work().await;
    assert_eq!(app.gateway.last("email").await["kind"], "activation_email");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_otp_comes_with_its_person_and_examining_it_uses_nothing_up() {
    let app = TestApp::spawn().await;
    let otp = Invited::by(&app, "sms_otp", json!({})).await;
    let by_user =
        json!({"code": otp.secret, "step": "SET_PASSWORD", "user": {"username": otp.user.username.to_uppercase()}});
    for _ in 0..50 {
        assert_eq!(otp.validate(&app).await.ok(202), otp.named());
        assert_eq!(app.post(VALIDATE, by_user.clone()).await.ok(202), otp.named());
    }
    let at_once = join_all((0..24).map(|_| otp.validate(&app))).await;
    assert_eq!(count(&at_once, 202), 24, "right codes do not get in each other's way");
    assert_eq!(otp.budgets(&app).await, (json!(5), json!(0)));

    let other = app.user().await;
    for body in [
        json!({"code": otp.secret}),
        json!({"code": otp.secret, "user": {"username": ""}}),
        json!({"code": otp.secret, "user": {"username": other.username}}),
        json!({"code": otp.secret, "user": {"username": otp.user.username, "realm": "SECONDARY"}}),
        json!({"code": otp.secret, "user": {"username": otp.user.username}, "step": "UPDATE_PASSWORD"}),
    ] {
        app.post(VALIDATE, body).await.fault(400, "18001");
    }
    assert_eq!(otp.budgets(&app).await, (json!(5), json!(0)));
    app.post(SET, json!({"key": otp.secret, "password": PASSWORD})).await.fault(400, "18001");
    assert_eq!(otp.set(&app, PASSWORD).await.ok(200), otp.named());
    assert_eq!(passwords_set(&app), [json!(PASSWORD)]);
    otp.validate(&app).await.fault(400, "18001");
    otp.set(&app, PASSWORD).await.fault(400, "18001");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_a_forced_reset_is_of_the_other_step() {
    let app = TestApp::spawn().await;
    let otp = Invited::by(&app, "email_otp", json!({"purpose": "password_reset"})).await;
    let step = |step: &str| {
        let mut body = otp.code();
        body["step"] = json!(step);
        app.post(VALIDATE, body)
    };
    step("UPDATE_PASSWORD").await.ok(202);
    step("SET_PASSWORD").await.fault(400, "18001");
    otp.set(&app, PASSWORD).await.ok(200);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn that_a_code_has_expired_is_told_to_who_has_it() {
    let app = TestApp::spawn().await;
    let link = Invited::by(&app, "email_link", json!({"expiresInMinutes": 5})).await;
    let otp = Invited::by(&app, "email_otp", json!({"expiresInMinutes": 5})).await;
    app.advance(Duration::from_mins(5));
    for swept in [false, true] {
        link.validate(&app).await.fault(400, "18002");
        link.set(&app, PASSWORD).await.fault(400, "18002");
        otp.validate(&app).await.fault(400, "18022");
        otp.set(&app, PASSWORD).await.fault(400, "18022");
        assert_eq!(otp.failures(&app).await, i32::from(swept));
        app.post(VALIDATE, otp.guess()).await.fault(400, "18001");
        app.work().await;
    }
    for _ in 0..5 {
        app.post(VALIDATE, otp.guess()).await.fault(400, "18001");
    }
    otp.validate(&app).await.fault(400, "18001");
    assert_eq!(otp.failures(&app).await, 5, "a code that is over has no more tries than one that is not");
    assert!(passwords_set(&app).is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_was_withdrawn_or_replaced_is_told_and_a_code_is_not() {
    let app = TestApp::spawn().await;
    let (replaced, withdrawn) =
        (Invited::by(&app, "email_link", json!({})).await, Invited::by(&app, "email_link", json!({})).await);
    let otp = Invited::by(&app, "email_otp", json!({})).await;
    app.advance(Duration::from_mins(1));
    app.post(&format!("/v1/invitations/{}/resend", replaced.id.as_str().unwrap()), json!({})).await.ok(200);
    for invited in [&withdrawn, &otp] {
        app.post(&format!("/v1/invitations/{}/revoke", invited.id.as_str().unwrap()), json!({})).await.ok(200);
    }
    app.work().await;
    for link in [&replaced, &withdrawn] {
        link.validate(&app).await.fault(400, "18023");
        link.set(&app, PASSWORD).await.fault(400, "18023");
    }
    otp.validate(&app).await.fault(400, "18001");
    otp.set(&app, PASSWORD).await.fault(400, "18001");
    assert!(passwords_set(&app).is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_our_rules_refuse_uses_nothing_up() {
    let app = TestApp::spawn().await;
    for method in ["email_link", "email_otp"] {
        let invited = Invited::by(&app, method, json!({})).await;
        let before = app.directory.calls().len();
        for (password, words) in
            [("short1", "too short"), (&*invited.user.username, "user name"), ("password123", "guessed first")]
        {
            let description = invited.set(&app, password).await.fault(400, "20035");
            assert!(description.contains(words), "{description}");
        }
        assert_eq!(app.directory.calls().len(), before);
        match method {
            "email_otp" => app.redeem_code(&invited.user, &invited.secret).await.ok(200),
            _ => app.redeem_token(&invited.secret).await.ok(200),
        };
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_directory_refused_a_key_is_good_for_as_long_as_its_invitation() {
    let app = TestApp::spawn().await;
    for method in ["email_link", "email_otp"] {
        let invited = Invited::by(&app, method, json!({})).await;
        let error = json!({"scimType": "invalidValue", "detail": "It needs a digit."});
        app.directory.refuse_next("PATCH", 400, error);
        assert_eq!(invited.set(&app, PASSWORD).await.fault(400, "20035"), "It needs a digit.");
        assert_eq!(invited.validate(&app).await.ok(202), invited.named());

        app.advance(Duration::from_mins(30));
        invited.validate(&app).await.ok(202);
        let detail = "22001 - This password has been used in recent history. Please choose a different password";
        app.directory.refuse_next("PATCH", 400, json!({"scimType": "invalidValue", "detail": detail}));
        let retry = invited.set(&app, PASSWORD).await;
        assert_eq!(retry.body["key"], json!(invited.secret));
        assert_eq!(retry.fault(412, "22001"), detail);

        app.directory.break_next("PATCH", Fault::Status(429));
        let down = invited.set(&app, PASSWORD).await;
        assert!(down.header("retry-after").parse::<u64>().is_ok() && down.body.get("key").is_none());
        down.fault(503, "directory_unavailable");
        if method == "email_otp" {
            assert_eq!(invited.budgets(&app).await, (json!(5), json!(0)));
            app.post(VALIDATE, invited.guess()).await.fault(400, "18001");
            assert_eq!(invited.budgets(&app).await, (json!(4), json!(1)), "wrong ones count as before");
            let login = json!({"username": invited.user.username, "otp": "wrong2"});
            assert_eq!(app.post("/v1/otp-logins", login).await.ok(200)["outcome"], "rejected");
        }
        invited.set(&app, PASSWORD).await.ok(200);
    }
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_directory_refused_a_code_is_good_on_every_path() {
    let app = TestApp::spawn().await;
    let otp = Invited::by(&app, "email_otp", json!({})).await;
    app.directory.refuse_next("PATCH", 400, json!({"scimType": "invalidValue"}));
    let description = otp.set(&app, PASSWORD).await.fault(400, "20035");
    assert_eq!(description, "The directory does not allow the password.");
    let login = json!({"username": otp.user.username, "otp": otp.secret});
    let login = app.post("/v1/otp-logins", login).await.ok(200);
    assert_eq!(login["outcome"], "password_setup_required");
    app.set_password(login["grant"].as_str().unwrap(), PASSWORD).await.ok(200);
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_outcome_is_left_to_the_same_key() {
    let app = TestApp::spawn().await;
    for method in ["email_link", "email_otp"] {
        let invited = Invited::by(&app, method, json!({})).await;
        app.directory.break_next("PATCH", Fault::AppliedThen(500));
        invited.set(&app, PASSWORD).await.fault(503, "directory_unavailable");
        for reply in [invited.set(&app, PASSWORD).await, invited.validate(&app).await] {
            assert!((1..=60).contains(&reply.header("retry-after").parse::<u64>().unwrap()));
            reply.fault(409, "accept_in_progress");
        }
        app.advance(Duration::from_secs(61));
        assert_eq!(app.sweep().await, 0, "nobody else may take over");
        invited.set(&app, PASSWORD).await.ok(200);
    }
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_whose_account_is_not_locked_yet_has_to_wait() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let issued = app.try_issue(&user, json!({"method": "email_otp", "delivery": "return"})).await.ok(201);
    let (id, secret) = (issued["id"].clone(), issued["secret"]["otp"].as_str().unwrap().to_owned());
    let otp = Invited { user, id, secret, is_code: true };
    for reply in [otp.validate(&app).await, otp.set(&app, PASSWORD).await] {
        assert!(reply.header("retry-after").parse::<u64>().is_ok());
        reply.fault(409, "invitation_not_ready");
    }
    app.post(VALIDATE, otp.guess()).await.fault(400, "18001");
    app.work().await;
    otp.validate(&app).await.ok(202);
    assert_eq!(otp.budgets(&app).await, (json!(4), json!(1)));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grant_that_a_login_gave_is_a_key_too() {
    let app = TestApp::spawn().await;
    let otp = Invited::by(&app, "email_otp", json!({})).await;
    let login = app.post("/v1/otp-logins", json!({"username": otp.user.username, "otp": otp.secret})).await.ok(200);
    otp.validate(&app).await.fault(400, "18001");
    otp.set(&app, PASSWORD).await.fault(400, "18001");
    let grant = login["grant"].as_str().unwrap();
    let validated = app.post(VALIDATE, json!({"code": grant, "step": "SET_PASSWORD"})).await;
    assert_eq!(validated.ok(202), otp.named());
    app.post(SET, json!({"key": grant, "password": PASSWORD})).await.ok(200);
    app.post(SET, json!({"key": grant, "password": PASSWORD})).await.fault(400, "18001");
    app.work().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_another_tenant_is_like_any_unknown_one() {
    let app = TestApp::spawn().await;
    let link = Invited::by(&app, "email_link", json!({})).await;
    let otp = Invited::by(&app, "email_otp", json!({})).await;
    let token = app.token_for("acme", "otp:verify");
    for body in [link.code(), otp.code(), json!({"code": "inv1_nonsense"}), json!({"code": ""})] {
        let foreign =
            app.send(app.request("POST", &format!("/t/acme{VALIDATE}")).bearer_auth(&token).json(&body)).await;
        assert!(!foreign.text.contains("default") && !foreign.text.contains("carbon.super"));
        assert_eq!(foreign.fault(400, "18001"), "Invalid Code.", "the code is not repeated");
    }
    assert_eq!(otp.budgets(&app).await, (json!(5), json!(0)));
    for base in ["/t/default", "/t/carbon.super"] {
        app.post(&format!("{base}{VALIDATE}"), link.code()).await.ok(202);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_are_gone_or_locked_by_somebody_else_are_told_so() {
    let app = TestApp::spawn().await;
    let (gone, locked) =
        (Invited::by(&app, "email_link", json!({})).await, Invited::by(&app, "email_otp", json!({})).await);
    app.directory.delete("PRIMARY", &gone.user.id).await;
    gone.set(&app, PASSWORD).await.fault(400, "18003");
    gone.set(&app, PASSWORD).await.fault(400, "18023");
    app.post(&format!("/v1/accounts/PRIMARY/{}/lock", locked.user.username), json!({})).await.ok(200);
    app.work().await;
    locked.set(&app, PASSWORD).await.fault(400, "17003");
    assert!(passwords_set(&app).is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_the_wrong_form_are_told_where() {
    let app = TestApp::spawn().await;
    for (path, body, place) in [
        (VALIDATE, json!({}), "/code is required"),
        (VALIDATE, json!({"code": null}), "/code"),
        (VALIDATE, json!({"code": 123_456}), "/code"),
        (VALIDATE, json!({"code": "a", "step": 1}), "/step"),
        (VALIDATE, json!({"code": "a", "properties": {}}), "/properties"),
        (VALIDATE, json!({"code": "a", "properties": [["username", "alex"]]}), "/properties/0"),
        (VALIDATE, json!({"code": "a", "properties": [{"key": "username", "value": 1}]}), "/properties/0/value"),
        (VALIDATE, json!({"code": "a", "user": ["alex"]}), "/user"),
        (VALIDATE, json!({"code": "a", "user": {"realm": "PRIMARY"}}), "/user/username"),
        (SET, json!({"password": PASSWORD}), "/key is required"),
        (SET, json!({"key": "hunter2a"}), "/password is required"),
        (SET, json!({"key": "hunter2a", "password": ["hunter2"]}), "/password"),
    ] {
        let reply = app.post(path, body).await;
        assert!(!reply.text.contains("hunter2"));
        let described = reply.fault(400, "invalid_request");
        assert!(described.contains(place), "{described}");
    }
    app.finish().await;
}
