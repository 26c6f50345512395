//! The platform reports users that were created, or are to set a new password: they are invited, once.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::database::unique;
use crate::support::{Reply, Settings, TestApp, User};

const SYSTEM: &str = "urn:scim:wso2:schema";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

impl TestApp {
    pub(crate) async fn report(&self, what: &str, user: Value) -> Reply {
        self.post("/v1/directory-events", json!({"type": what, "user": user})).await
    }

    /// Reports something that happened to the user, of whom nothing more is said.
    pub(crate) async fn report_of(&self, what: &str, user: &User) -> Value {
        self.report(what, json!({"id": user.id, "userName": user.username})).await.ok(200)
    }
}

/// The user as the directory has them, with a wish in one of WSO2's extensions.
async fn resource(app: &TestApp, user: &User, extension: &str, wish: Value) -> Value {
    let mut resource = app.directory.user("PRIMARY", &user.id).await;
    resource[extension] = wish;
    resource
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_created_to_be_asked_for_a_password_is_invited() {
    let app = TestApp::spawn().await;
    for (extension, wish) in [
        (SYSTEM, json!({"askPassword": true})),
        (SYSTEM, json!({"askPassword": "true"})),
        (ENTERPRISE, json!({"askPassword": "true"})),
        (ENTERPRISE, json!({"askpassword": true, "employeeNumber": "7"})),
    ] {
        let user = app.user().await;
        let calls = app.directory.calls().len();
        let created = app.report("user.created", resource(&app, &user, extension, wish).await).await;
        assert_eq!(created.header("ask-password-confirmation-code"), "", "we send it");
        let location = created.header("location").to_owned();
        let issued = created.ok(201);
        assert_eq!(location, format!("/v1/invitations/{}", issued["id"].as_str().unwrap()));
        assert_eq!(app.directory.calls().len(), calls, "the report says all that is needed");
        assert_eq!((&issued["purpose"], &issued["method"]), (&json!("onboarding"), &json!("email_link")));
        assert_eq!((&issued["user"]["id"], &issued["user"]["username"]), (&json!(user.id), &json!(user.username)));
        app.work().await;
        assert_eq!(app.gateway.last("email").await["to"], user.email);
        assert_eq!(app.account(&user).await["state"], "PENDING_AP");
        app.accept(&app.gateway.last_token().await).await;
        app.work().await;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_resource_says_of_the_person_is_what_is_used() {
    let app = TestApp::with(Settings { defaults: "method = \"sms_otp\"", ..Settings::default() }).await;
    let user = app.user().await;
    let created = json!({
        "id": user.id, "userName": user.username, "name": {"formatted": "Alex Example"}, "preferredLanguage": "de-CH",
        "emails": ["not an object", {"value": "first@example.com"}], "phoneNumbers": [{"type": "mobile", "value": "tel:+1-555-010-0009"}],
        SYSTEM: {"askPassword": true}, "urn:example:anything": {"goes": [1, null]}
    });
    let issued = app.report("user.created", created).await.ok(201);
    assert_eq!((&issued["user"]["displayName"], &issued["user"]["locale"]), (&json!("Alex Example"), &json!("de-CH")));
    app.work().await;
    assert_eq!(app.gateway.last("sms").await["to"], "+15550100009");

    let nameless = app.user().await;
    let bare = json!({"id": nameless.id, "userName": nameless.username, SYSTEM: {"askPassword": true}});
    app.report("user.created", bare).await.ok(201);
    app.work().await;
    assert_eq!(app.gateway.last("sms").await["to"], nameless.phone, "what it does not say is asked of the directory");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_to_be_asked_is_let_be() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let ignored = json!({"outcome": "ignored", "invitationId": null});
    for wish in [
        json!({"askPassword": false}),
        json!({"askPassword": "false"}),
        json!({}),
        json!(null),
        json!({"askPassword": null}),
    ] {
        for extension in [SYSTEM, ENTERPRISE] {
            let created = resource(&app, &user, extension, wish.clone()).await;
            assert_eq!(app.report("user.created", created).await.ok(200), ignored, "{wish}");
        }
    }
    let updated = resource(&app, &user, SYSTEM, json!({"askPassword": true, "forcePasswordReset": false})).await;
    assert_eq!(app.report("user.updated", updated).await.ok(200), ignored);
    app.work().await;
    assert!(app.gateway.received("email").await.is_empty());
    app.get(&format!("/v1/accounts/PRIMARY/{}", user.username)).await.problem(404, "account_not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_neither_true_nor_false_is_refused() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    for wrong in [json!("yes"), json!("TRUE"), json!(""), json!(1), json!([true]), json!({})] {
        for (what, wish) in [("user.created", "askPassword"), ("user.updated", "forcePasswordReset")] {
            for extension in [SYSTEM, ENTERPRISE] {
                let reported = resource(&app, &user, extension, json!({wish: wrong})).await;
                let pointer = format!("/user/{extension}/{wish}");
                app.report(what, reported).await.field_problem(400, &pointer, "invalid_value");
            }
        }
    }
    let mut torn = resource(&app, &user, SYSTEM, json!({"askPassword": true})).await;
    torn[ENTERPRISE] = json!({"askPassword": false});
    app.report("user.created", torn).await.field_problem(
        400,
        &format!("/user/{ENTERPRISE}/askPassword"),
        "invalid_value",
    );
    let flat = resource(&app, &user, SYSTEM, json!(true)).await;
    app.report("user.created", flat).await.field_problem(400, &format!("/user/{SYSTEM}"), "invalid_value");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_can_not_be_used_says_where() {
    let app = TestApp::spawn().await;
    let refused = |body: Value| app.post("/v1/directory-events", body);
    let ask = json!({"askPassword": true});
    for (user, pointer, code) in [
        (json!({"userName": "alex"}), "/user/id", "missing"),
        (json!({"id": "1"}), "/user/userName", "missing"),
        (json!({"id": "1", "userName": ""}), "/user/userName", "empty"),
        (json!({"id": 1, "userName": "alex"}), "/user/id", "invalid_value"),
        (json!({"id": "x".repeat(256), "userName": "alex"}), "/user/id", "too_long"),
        (json!({"id": "1", "userName": "SECONDARY/"}), "/user/userName", "empty"),
        (json!([]), "/user", "invalid_value"),
    ] {
        app.report("user.deleted", user).await.field_problem(400, pointer, code);
    }
    app.report("user.created", json!({"id": "a/b", "userName": "alex", SYSTEM: ask})).await.field_problem(
        422,
        "/user/id",
        "invalid_value",
    );
    let user = json!({"id": "1", "userName": "alex"});
    refused(json!({"type": "user.renamed", "user": user})).await.field_problem(400, "/type", "invalid_value");
    refused(json!({"type": "user.deleted", "user": user, "realm": "a b"})).await.field_problem(
        400,
        "/realm",
        "invalid_characters",
    );
    refused(json!({"type": "user.deleted", "user": user, "more": 1})).await.field_problem(
        400,
        "/more",
        "unknown_field",
    );
    refused(json!({"type": "user.deleted"})).await.field_problem(400, "/user", "missing");
    let long = json!({"id": "1", "userName": "alex", "note": "x".repeat(70_000)});
    app.report("user.deleted", long).await.problem(413, "payload_too_large");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_the_resource_is_never_read() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let report = async |password: &str| {
        let mut created = resource(&app, &user, SYSTEM, json!({"askPassword": true})).await;
        (created["password"], created["Password"]) = (json!(password), json!([password]));
        let request =
            app.request("POST", "/v1/directory-events").bearer_auth(app.token()).header("Idempotency-Key", "k-1");
        app.send(request.json(&json!({"type": "user.created", "user": created}))).await
    };
    let first = report("hunter2-hunter2").await;
    let again = report("another-password").await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"), "it is no part of the call");
    assert_eq!(first.ok(201), again.body);
    app.work().await;
    assert!(app.directory.patches().iter().all(|patch| patch.replaced("password").is_none()));
    assert!(!app.gateway.last("email").await.to_string().contains("hunter2"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_others_notify_the_code_comes_back_in_the_header() {
    let app = TestApp::with(Settings { defaults: "notifications = \"external\"", ..Settings::default() }).await;
    for method in ["email_link", "email_otp", "sms_otp"] {
        app.tenant_wants("default", json!({"method": method, "passwordReset": {"method": method}})).await;
        let user = app.user().await;
        let created = resource(&app, &user, SYSTEM, json!({"askPassword": true})).await;
        let call = || {
            let request = app.request("POST", "/v1/directory-events").bearer_auth(app.token());
            request.header("Idempotency-Key", user.id.clone()).json(&json!({"type": "user.created", "user": created}))
        };
        let reply = app.send(call()).await;
        let code = reply.header("ask-password-confirmation-code").to_owned();
        let repeated = app.send(call()).await;
        assert_eq!(repeated.header("ask-password-confirmation-code"), code, "to a repeat as well");
        assert_eq!(repeated.ok(201), reply.body);
        let issued = reply.ok(201);
        if method == "email_link" {
            assert!(issued["secret"]["link"].as_str().unwrap().ends_with(&format!("#token={code}")));
        } else {
            assert_eq!(issued["secret"]["otp"], code);
        }
        app.work().await;
        let redeemed =
            if method == "email_link" { app.redeem_token(&code).await } else { app.redeem_code(&user, &code).await };
        redeemed.ok(200);

        let updated = resource(&app, &user, SYSTEM, json!({"forcePasswordReset": true})).await;
        let reset = app.report("user.updated", updated).await;
        assert!(!reset.header("ask-password-confirmation-code").is_empty());
        reset.ok(201);
        let native = app.try_issue(&user, json!({"ifExists": "replace"})).await;
        let code = native.header("ask-password-confirmation-code").to_owned();
        assert!(!code.is_empty() && native.ok(201)["secret"].to_string().contains(&code));
    }
    app.work().await;
    assert!(app.gateway.received("email").await.is_empty() && app.gateway.received("sms").await.is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_reset_goes_out_by_the_method_that_the_tenant_set() {
    let app =
        TestApp::with(Settings { defaults: "password_reset = { method = \"sms_otp\" }", ..Settings::default() }).await;
    let user = app.user().await;
    let onboarding = app.issue(&user, json!({})).await;
    for extension in [SYSTEM, ENTERPRISE] {
        let updated = resource(&app, &user, extension, json!({"forcePasswordReset": "true"})).await;
        let replies = join_all((0..4).map(|_| app.report("user.updated", updated.clone()))).await;
        let issued: Vec<_> = replies.iter().filter(|reply| reply.status == 201).map(|reply| &reply.body).collect();
        let reset = issued.last().copied().unwrap().clone();
        let repeated = app.report("user.updated", updated).await.ok(200);
        assert_eq!(repeated["outcome"], "unchanged", "the person is not asked twice for one report");
        assert_eq!((&reset["purpose"], &reset["method"]), (&json!("password_reset"), &json!("sms_otp")));
        app.work().await;
        assert_eq!(app.gateway.last("sms").await["kind"], "password_reset_sms_otp");
        let account = app.account(&user).await;
        assert_eq!(account["lockReason"], "PENDING_ADMIN_FORCED_USER_PASSWORD_RESET");
        assert_eq!((&account["state"], &account["invitationId"]), (&json!("PENDING_FUPR"), &repeated["invitationId"]));
        app.advance(Duration::from_secs(61));
    }
    let replaced = app.invitation(&onboarding["id"]).await;
    assert_eq!((&replaced["status"], &replaced["revokeReason"]), (&json!("revoked"), &json!("replaced")));
    app.redeem_code(&user, &app.gateway.last_code("sms").await).await.ok(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_invited_once_however_often_that_is_reported() {
    let app = TestApp::spawn().await;
    let user = app.user().await;
    let created = resource(&app, &user, SYSTEM, json!({"askPassword": true})).await;
    let replies = join_all((0..16).map(|_| app.report("user.created", created.clone()))).await;
    let (issued, repeated): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!((issued.len(), repeated.len()), (1, 15));
    let unchanged = json!({"outcome": "unchanged", "invitationId": issued[0].body["id"]});
    for reply in repeated {
        assert_eq!(reply.ok(200), unchanged);
    }
    app.work().await;
    app.accept(&app.gateway.last_token().await).await;
    app.work().await;
    assert_eq!(app.report("user.created", created).await.ok(200), unchanged, "a late repeat locks nobody out");
    assert_eq!(app.account(&user).await["state"], "UNLOCKED");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refusals_of_an_invitation_are_those_of_the_report() {
    let app = TestApp::spawn().await;
    let name = format!("nowhere.{}", unique());
    let nowhere = app.directory.create("PRIMARY", json!({"userName": name})).await;
    let created = json!({"id": nowhere, "userName": name, SYSTEM: {"askPassword": true}});
    app.report("user.created", created.clone()).await.problem(422, "recipient_missing");
    app.tenant_wants("default", json!({"enabled": false})).await;
    app.report("user.created", created).await.problem(409, "feature_disabled");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_store_is_the_one_named_or_the_one_before_the_name() {
    let app = TestApp::spawn().await;
    let User { id, username: sam, .. } = app.directory.person_in("SECONDARY").await;
    for (given, name, realm, username) in [
        (Value::Null, format!("SECONDARY/{sam}"), "SECONDARY", &*sam),
        (json!("SECONDARY"), format!("secondary/{sam}"), "SECONDARY", &*sam),
        (json!("SECONDARY"), sam.clone(), "SECONDARY", &*sam),
        (json!("PRIMARY"), "a/b".to_owned(), "PRIMARY", "a/b"),
        (Value::Null, "no store/sam".to_owned(), "PRIMARY", "no store/sam"),
    ] {
        let user = json!({"id": id, "userName": name, "emails": [{"value": "sam@example.com"}], SYSTEM: {"forcePasswordReset": true}});
        let issued = app
            .post("/v1/directory-events", json!({"type": "user.updated", "realm": given, "user": user}))
            .await
            .ok(201);
        assert_eq!(
            (&issued["user"]["realm"], &issued["user"]["username"]),
            (&json!(realm), &json!(username)),
            "{name}"
        );
        app.advance(Duration::from_secs(61));
    }
    app.work().await;
    app.finish().await;
}
