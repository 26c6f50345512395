mod dialects;
mod lookup;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;
use wiremock::matchers::{basic_auth, body_json, body_string_contains, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::ScimDirectory;
use crate::clock::SystemClock;
use crate::directory::{BaseUrl, Credential, DirectoryError, DirectoryUser, Endpoint, PasswordChange};
use crate::domain::account::Access;
use crate::domain::dialect::Dialect;
use crate::domain::ids::{Realm, TenantId, UserStore, Username};
use crate::domain::invitation::Channel;
use crate::domain::secret::{Password, Secret};
use crate::outbound::Egress;

const MARKER: &str = "urn:example:params:scim:schemas:extension:invited:2.0:User:lastAcceptance";

fn endpoint(base_url: &str) -> Endpoint {
    Endpoint {
        egress: Egress::default(),
        base_url: BaseUrl::new(base_url, "default", false).unwrap(),
        credential: Credential::Bearer(Secret::new("directory-token".to_owned())),
        timeout: Duration::from_millis(400),
        allow_insecure_http: false,
        metrics: Arc::default(),
    }
}

fn at(endpoint: Endpoint, dialect: Dialect) -> ScimDirectory {
    ScimDirectory::new(endpoint, dialect, Arc::new(SystemClock)).unwrap()
}

fn directory(server: &MockServer) -> ScimDirectory {
    at(endpoint(&format!("{}/scim/{{realm}}/v2", server.uri())), Dialect::plain())
}

fn with_dialect(server: &MockServer, dialect: Dialect) -> ScimDirectory {
    at(endpoint(&format!("{}/t/{{tenant}}/scim2", server.uri())), dialect)
}

/// The realm of the tenant `acme`.
fn store(owned: &(TenantId, Realm)) -> UserStore<'_> {
    UserStore { tenant: &owned.0, realm: &owned.1 }
}

fn realm(name: &str) -> (TenantId, Realm) {
    (TenantId::parse("acme").unwrap(), Realm::parse(name).unwrap())
}

fn alex() -> Value {
    json!({
        "id": "2819c223", "userName": "alex", "displayName": "Alex", "active": true, "preferredLanguage": "de-CH",
        "emails": [{"value": "other@example.com"}, {"value": "alex@example.com", "primary": true}],
        "phoneNumbers": [{"value": "tel:+94 77-123 4567", "type": "mobile"}],
        "meta": {"version": "W/\"7\""}
    })
}

fn list(users: &[Value]) -> Value {
    json!({"totalResults": users.len(), "Resources": users})
}

async fn find(server: &MockServer, username: &str) -> Result<DirectoryUser, DirectoryError> {
    find_in(&directory(server), "PRIMARY", username).await
}

async fn find_in(directory: &ScimDirectory, name: &str, username: &str) -> Result<DirectoryUser, DirectoryError> {
    directory.find_user(store(&realm(name)), &Username::parse(username).unwrap()).await
}

async fn set_password(directory: &ScimDirectory, unlock: bool) -> Result<(), DirectoryError> {
    let password = Password::new("N3w-S3cret!".to_owned());
    let change = PasswordChange { password: &password, unlock, proved: Some(Channel::Email), marker: "inv:1:1" };
    directory.set_password(store(&realm("PRIMARY")), &read(&alex()).unwrap(), &change).await
}

fn read(resource: &Value) -> Option<DirectoryUser> {
    read_as(&Dialect::plain(), resource)
}

fn read_as(dialect: &Dialect, resource: &Value) -> Option<DirectoryUser> {
    super::user::user_from(resource, None, (dialect, &Realm::primary()))
}

async fn patch_answered(response: ResponseTemplate) -> Result<(), DirectoryError> {
    let server = MockServer::start().await;
    Mock::given(method("PATCH")).respond_with(response).mount(&server).await;
    set_password(&directory(&server), true).await
}

#[tokio::test]
async fn a_user_is_found_by_its_exact_name() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/scim/PRIMARY/v2/Users"))
        .and(query_param("filter", "userName eq \"alex\""))
        .and(header("authorization", "Bearer directory-token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(list(&[alex()])))
        .mount(&server)
        .await;
    let user = find(&server, "alex").await.unwrap();
    assert_eq!((user.id.as_str(), user.access, user.version.as_deref()), ("2819c223", Access::Usable, Some("W/\"7\"")));
    assert_eq!(user.email.unwrap().as_str(), "alex@example.com");
    assert_eq!(user.phone.unwrap().as_str(), "+94771234567");
    assert_eq!((user.display_name.as_deref(), user.locale.as_deref()), (Some("Alex"), Some("de-CH")));
}

#[tokio::test]
async fn a_name_cannot_break_out_of_the_filter() {
    let server = MockServer::start().await;
    Mock::given(query_param("filter", r#"userName eq "a\" or userName sw \"\\""#))
        .respond_with(ResponseTemplate::new(200).set_body_json(list(&[])))
        .expect(1)
        .mount(&server)
        .await;
    assert!(matches!(find(&server, r#"a" or userName sw "\"#).await, Err(DirectoryError::NotFound)));
}

#[tokio::test]
async fn a_directory_that_ignores_the_filter_gives_nobody_elses_account() {
    let server = MockServer::start().await;
    let admin = json!({"id": "1", "userName": "admin"});
    let everybody = Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(list(&[admin.clone(), alex()])))
        .mount_as_scoped(&server)
        .await;
    assert_eq!(find(&server, "Alex").await.unwrap().id, "2819c223");
    assert!(matches!(find(&server, "sam").await, Err(DirectoryError::NotFound)));
    drop(everybody);
    let first_page = json!({"totalResults": 500, "Resources": [admin]});
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(200).set_body_json(first_page)).mount(&server).await;
    assert!(matches!(find(&server, "alex").await, Err(DirectoryError::Ambiguous)));
}

#[tokio::test]
async fn two_of_the_same_name_are_ambiguous() {
    let server = MockServer::start().await;
    let twin = json!({"id": "2", "userName": "ALEX"});
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_json(list(&[alex(), twin])))
        .mount(&server)
        .await;
    assert!(matches!(find(&server, "alex").await, Err(DirectoryError::Ambiguous)));
}

#[tokio::test]
async fn without_a_place_for_the_realm_only_the_primary_one_exists() {
    let directory = at(endpoint("http://127.0.0.1:1/scim/v2"), Dialect::plain());
    assert!(matches!(find_in(&directory, "SECONDARY", "alex").await, Err(DirectoryError::NoSuchStore)));
    let unreachable = find_in(&directory, "primary", "alex").await;
    assert!(matches!(unreachable, Err(DirectoryError::NotApplied("unreachable"))));
}

#[tokio::test]
async fn password_unlock_and_marker_are_one_patch_guarded_by_the_version() {
    let server = MockServer::start().await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [
            {"op": "replace", "path": "password", "value": "N3w-S3cret!"},
            {"op": "replace", "path": "active", "value": true},
            {"op": "replace", "path": MARKER, "value": "inv:1:1"}
        ]
    });
    Mock::given(method("PATCH"))
        .and(path("/scim/PRIMARY/v2/Users/2819c223"))
        .and(header("if-match", "W/\"7\""))
        .and(header("content-type", "application/scim+json"))
        .and(body_json(body))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    let dialect = Dialect { marker_attribute: Some(MARKER.to_owned()), ..Dialect::plain() };
    let with_marker = at(endpoint(&format!("{}/scim/{{realm}}/v2", server.uri())), dialect);
    set_password(&with_marker, true).await.unwrap();
}

#[tokio::test]
async fn refusals_of_a_patch_are_told_apart() {
    let policy = json!({"scimType": "invalidValue", "detail": "Password must not\nrepeat the last five."});
    let refused = patch_answered(ResponseTemplate::new(400).set_body_json(policy)).await;
    assert!(
        matches!(refused, Err(DirectoryError::PasswordRejected { reason: Some(words) }) if words == "Password must notrepeat the last five.")
    );
    let telltale = json!({"scimType": "invalidValue", "detail": "N3w-S3cret! is too simple"});
    let refused = patch_answered(ResponseTemplate::new(400).set_body_json(telltale)).await;
    assert!(matches!(refused, Err(DirectoryError::PasswordRejected { reason: None })));
    let path = json!({"scimType": "invalidPath"});
    let refused = patch_answered(ResponseTemplate::new(400).set_body_json(path)).await;
    assert!(matches!(refused, Err(DirectoryError::NotApplied("refused"))));
    let gone = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "404"});
    let gone = patch_answered(ResponseTemplate::new(404).set_body_json(gone)).await;
    assert!(matches!(gone, Err(DirectoryError::NotFound)));
    let page = ResponseTemplate::new(404).set_body_raw("<h1>Not Found</h1>", "text/html");
    assert!(matches!(patch_answered(page).await, Err(DirectoryError::NotApplied("no_such_route"))));
    for (status, expected) in [
        (404, "NotApplied(\"no_such_route\")"),
        (412, "Changed"),
        (401, "NotApplied(\"unauthorized\")"),
        (429, "NotApplied(\"throttled\")"),
    ] {
        assert_eq!(format!("{:?}", patch_answered(ResponseTemplate::new(status)).await.unwrap_err()), expected);
    }
}

#[tokio::test]
async fn what_may_have_been_applied_is_unknown() {
    let slow = patch_answered(ResponseTemplate::new(204).set_delay(Duration::from_secs(2))).await;
    assert!(matches!(slow, Err(DirectoryError::Unknown("timeout"))));
    assert!(matches!(patch_answered(ResponseTemplate::new(500)).await, Err(DirectoryError::Unknown("server_error"))));
    let elsewhere = MockServer::start().await;
    let redirected = patch_answered(ResponseTemplate::new(307).insert_header("Location", elsewhere.uri())).await;
    assert!(matches!(redirected, Err(DirectoryError::Unknown("redirect"))));
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_read_that_breaks_changed_nothing() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_body_string("x".repeat(100_000)))
        .mount(&server)
        .await;
    assert!(matches!(find(&server, "alex").await, Err(DirectoryError::NotApplied("unreadable"))));
    server.reset().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(500)).mount(&server).await;
    assert!(matches!(find(&server, "alex").await, Err(DirectoryError::NotApplied("server_error"))));
}

#[tokio::test]
async fn client_credentials_are_fetched_once_and_again_when_refused() {
    let server = MockServer::start().await;
    let token =
        |value: &str| ResponseTemplate::new(200).set_body_json(json!({"access_token": value, "expires_in": 3600}));
    let grant = || {
        Mock::given(method("POST"))
            .and(path("/token"))
            .and(basic_auth("invited", "client-secret"))
            .and(body_string_contains("grant_type=client_credentials"))
    };
    grant().respond_with(token("one")).up_to_n_times(1).mount(&server).await;
    grant().respond_with(token("two")).expect(1).mount(&server).await;
    let users =
        |token: &str| Mock::given(method("GET")).and(header("authorization", format!("Bearer {token}").as_str()));
    users("one")
        .respond_with(ResponseTemplate::new(200).set_body_json(list(&[alex()])))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    users("one").respond_with(ResponseTemplate::new(401)).mount(&server).await;
    users("two").respond_with(ResponseTemplate::new(200).set_body_json(list(&[alex()]))).mount(&server).await;
    let credential = Credential::ClientCredentials {
        token_url: Url::parse(&format!("{}/token", server.uri())).unwrap(),
        client_id: "invited".to_owned(),
        client_secret: Secret::new("client-secret".to_owned()),
        scope: None,
    };
    let directory = at(Endpoint { credential, ..endpoint(&server.uri()) }, Dialect::plain());
    for _ in 0..3 {
        find_in(&directory, "PRIMARY", "alex").await.unwrap();
    }
}

#[test]
fn ids_that_would_leave_the_path_are_refused() {
    for id in ["", "..", "a/b", "a\nb", &"x".repeat(256)] {
        let mut resource = alex();
        resource["id"] = json!(id);
        assert!(read(&resource).is_none(), "{id:?}");
    }
}

#[test]
fn an_unsafe_address_is_no_address() {
    let mut resource = alex();
    resource["emails"] = json!([{"value": "a@example.com,b@example.com"}]);
    resource["phoneNumbers"] = json!([{"value": "12345"}]);
    let user = read(&resource).unwrap();
    assert!(user.email.is_none() && user.phone.is_none());
}
