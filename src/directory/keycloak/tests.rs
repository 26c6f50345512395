use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::{any, body_partial_json, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::KeycloakDirectory;
use crate::clock::SystemClock;
use crate::directory::{BaseUrl, Credential, DirectoryError, DirectoryUser, Endpoint, PasswordChange};
use crate::domain::account::{Access, LockReason};
use crate::domain::dialect::KeycloakAttributes;
use crate::domain::ids::{Realm, TenantId, UserStore, Username};
use crate::domain::invitation::Channel;
use crate::domain::secret::{Password, Secret};
use crate::outbound::Egress;

const ALEX: &str = "/admin/realms/acme/users/7d1f";

fn directory(server: &MockServer) -> KeycloakDirectory {
    let endpoint = Endpoint {
        egress: Egress::default(),
        base_url: BaseUrl::new(&format!("{}/admin/realms/{{realm}}", server.uri()), "default", false).unwrap(),
        credential: Credential::Bearer(Secret::new("directory-token".to_owned())),
        timeout: Duration::from_millis(400),
        allow_insecure_http: false,
        metrics: Arc::default(),
    };
    KeycloakDirectory::new(endpoint, attributes(), Arc::new(SystemClock)).unwrap()
}

/// A representation with much in it that is none of our affair.
fn alex() -> Value {
    json!({
        "id": "7d1f", "username": "alex", "enabled": true, "emailVerified": false, "firstName": "Alex", "lastName": "Doe",
        "email": "alex@example.com", "requiredActions": ["UPDATE_PASSWORD", "CONFIGURE_TOTP"], "notBefore": 0,
        "attributes": {"phoneNumber": ["+94771234567"], "locale": ["de"], "department": ["a", "b"]},
        "access": {"manage": true}
    })
}

fn locked() -> Value {
    let mut user = alex();
    user["enabled"] = json!(false);
    user
}

async fn at_realm<T, F: Future<Output = T>>(call: impl FnOnce(UserStore<'static>) -> F) -> T {
    let tenant: &'static TenantId = Box::leak(Box::new(TenantId::default_tenant()));
    let realm: &'static Realm = Box::leak(Box::new(Realm::parse("acme").unwrap()));
    call(UserStore { tenant, realm }).await
}

async fn find(server: &MockServer, name: &str) -> Result<DirectoryUser, DirectoryError> {
    let (directory, name) = (directory(server), Username::parse(name).unwrap());
    at_realm(|store| async move { directory.find_user(store, &name).await }).await
}

fn user(representation: &Value) -> DirectoryUser {
    super::user::user_from(representation, &attributes()).unwrap()
}

fn attributes() -> KeycloakAttributes {
    KeycloakAttributes { phone: "phoneNumber".to_owned(), marker: Some("lastAcceptance".to_owned()) }
}

async fn set_password(server: &MockServer, proved: Option<Channel>) -> Result<(), DirectoryError> {
    let password = Password::new("N3w-S3cret!".to_owned());
    let directory = directory(server);
    at_realm(|store| async move {
        let change = PasswordChange { password: &password, unlock: true, proved, marker: "inv:1:1" };
        directory.set_password(store, &user(&locked()), &change).await
    })
    .await
}

/// Answers reads of the user with `found` and takes every write but those of the password.
async fn server_with(found: Value) -> MockServer {
    let server = MockServer::start().await;
    let read = ResponseTemplate::new(200).set_body_json(found);
    Mock::given(method("GET")).and(path(ALEX)).respond_with(read).mount(&server).await;
    Mock::given(method("PUT")).and(path(ALEX)).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    server
}

async fn password_is_answered(server: &MockServer, answer: ResponseTemplate) {
    Mock::given(method("PUT")).and(path(format!("{ALEX}/reset-password"))).respond_with(answer).mount(server).await;
}

/// What was written, as `path` and body.
async fn written(server: &MockServer) -> Vec<(String, Value)> {
    let requests = server.received_requests().await.unwrap().into_iter();
    let writes = requests.filter(|request| request.method.as_str() == "PUT");
    writes.map(|one| (one.url.path().to_owned(), serde_json::from_slice(&one.body).unwrap())).collect()
}

#[tokio::test]
async fn a_user_is_found_by_its_exact_name_with_all_that_is_said_of_them() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/admin/realms/acme/users"))
        .and(query_param("username", "Alex"))
        .and(query_param("exact", "true"))
        .and(query_param("briefRepresentation", "false"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!([alex()])))
        .mount(&server)
        .await;
    let user = find(&server, "Alex").await.unwrap();
    assert_eq!((user.id.as_str(), user.username.as_str(), user.access), ("7d1f", "alex", Access::Usable));
    assert_eq!(user.email.unwrap().as_str(), "alex@example.com");
    assert_eq!(user.phone.unwrap().as_str(), "+94771234567");
    assert_eq!((user.display_name.as_deref(), user.locale.as_deref()), (Some("Alex Doe"), Some("de")));
}

#[tokio::test]
async fn names_that_only_begin_alike_are_nobody() {
    let server = MockServer::start().await;
    let crowd = |count: usize| -> Vec<_> {
        (0..count).map(|n| json!({"id": n.to_string(), "username": format!("alex{n}")})).collect()
    };
    for (users, is_all) in [(crowd(0), true), (crowd(2), true), (crowd(100), false)] {
        server.reset().await;
        Mock::given(any()).respond_with(ResponseTemplate::new(200).set_body_json(users)).mount(&server).await;
        let found = find(&server, "alex").await;
        let expected = if is_all { "NotFound" } else { "Ambiguous" };
        assert_eq!(format!("{:?}", found.err().unwrap()), expected);
    }
}

#[tokio::test]
async fn a_lock_writes_the_whole_user_back() {
    for (wanted, enabled) in [(Some(LockReason::PendingAskPassword), false), (None, true)] {
        let server = server_with(if enabled { locked() } else { alex() }).await;
        let directory = directory(&server);
        at_realm(|store| async move { directory.set_lock(store, &user(&alex()), wanted).await }).await.unwrap();
        let mut whole = alex();
        whole["enabled"] = json!(enabled);
        assert_eq!(written(&server).await, [(ALEX.to_owned(), whole)]);
    }
}

#[tokio::test]
async fn whom_somebody_disabled_in_between_is_not_locked_by_us() {
    let server = server_with(locked()).await;
    let (directory, seen) = (directory(&server), user(&alex()));
    let reason = Some(LockReason::PendingAskPassword);
    let error = at_realm(|store| async move { directory.set_lock(store, &seen, reason).await }).await.unwrap_err();
    assert!(matches!(error, DirectoryError::Changed) && written(&server).await.is_empty());
}

#[tokio::test]
async fn the_password_goes_first_and_then_all_that_belongs_to_it_at_once() {
    let server = server_with(locked()).await;
    password_is_answered(&server, ResponseTemplate::new(204)).await;
    set_password(&server, Some(Channel::Email)).await.unwrap();
    let mut whole = alex();
    whole["emailVerified"] = json!(true);
    whole["requiredActions"] = json!(["CONFIGURE_TOTP"]);
    whole["attributes"]["lastAcceptance"] = json!(["inv:1:1"]);
    let password = json!({"type": "password", "value": "N3w-S3cret!", "temporary": false});
    let expected = [(format!("{ALEX}/reset-password"), password), (ALEX.to_owned(), whole)];
    assert_eq!(written(&server).await, expected);
}

#[tokio::test]
async fn a_proved_phone_verifies_no_email() {
    let server = server_with(locked()).await;
    password_is_answered(&server, ResponseTemplate::new(204)).await;
    set_password(&server, Some(Channel::Sms)).await.unwrap();
    assert_eq!(written(&server).await[1].1["emailVerified"], false);
}

#[tokio::test]
async fn the_realms_policy_is_told_in_its_words_and_nothing_else_is_written() {
    for (answer, expected) in [
        (
            json!({"error": "invalidPasswordMinLengthMessage", "error_description": "Invalid password: minimum length 12."}),
            "PasswordRejected { reason: Some(\"Invalid password: minimum length 12.\") }",
        ),
        (
            json!({"error": "invalidPasswordBlacklistedMessage", "error_description": "N3w-S3cret! is blacklisted"}),
            "PasswordRejected { reason: None }",
        ),
        (json!({"error": "unknown_error"}), "NotApplied(\"refused\")"),
    ] {
        let server = server_with(locked()).await;
        password_is_answered(&server, ResponseTemplate::new(400).set_body_json(answer)).await;
        let refused = set_password(&server, None).await;
        assert_eq!(format!("{:?}", refused.unwrap_err()), expected);
        assert_eq!(written(&server).await.len(), 1);
    }
}

#[tokio::test]
async fn what_goes_wrong_after_the_password_leaves_an_unknown_outcome() {
    for status in [400, 403, 409, 500, 503] {
        let server = MockServer::start().await;
        let read = ResponseTemplate::new(200).set_body_json(locked());
        Mock::given(method("GET")).and(path(ALEX)).respond_with(read).mount(&server).await;
        Mock::given(method("PUT"))
            .and(path(ALEX))
            .and(body_partial_json(json!({"enabled": true})))
            .respond_with(ResponseTemplate::new(status))
            .mount(&server)
            .await;
        password_is_answered(&server, ResponseTemplate::new(204)).await;
        let outcome = set_password(&server, None).await;
        assert!(matches!(outcome, Err(DirectoryError::Unknown("half_applied"))), "{status}: {outcome:?}");
    }
}

#[tokio::test]
async fn refusals_of_the_password_itself_changed_nothing() {
    for (status, expected) in [
        (401, "NotApplied(\"unauthorized\")"),
        (404, "NotFound"),
        (429, "NotApplied(\"throttled\")"),
        (500, "Unknown(\"server_error\")"),
    ] {
        let server = server_with(locked()).await;
        let answer = ResponseTemplate::new(status).set_body_json(json!({"error": "User not found"}));
        password_is_answered(&server, answer).await;
        assert_eq!(format!("{:?}", set_password(&server, None).await.unwrap_err()), expected);
        assert_eq!(written(&server).await.len(), 1);
    }
}

#[tokio::test]
async fn another_users_representation_is_never_written_back() {
    let mut other = alex();
    other["id"] = json!("somebody-else");
    let server = server_with(other).await;
    let directory = directory(&server);
    let refused = at_realm(|store| async move { directory.set_lock(store, &user(&alex()), None).await }).await;
    assert!(matches!(refused, Err(DirectoryError::Ambiguous)));
    assert!(written(&server).await.is_empty());
}
