use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use wiremock::matchers::{any, body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::HttpDirectory;
use crate::clock::SystemClock;
use crate::directory::{BaseUrl, Credential, DirectoryError, DirectoryUser, Endpoint, PasswordChange};
use crate::domain::account::{Access, LockReason};
use crate::domain::ids::{Realm, TenantId, UserStore, Username};
use crate::domain::invitation::Channel;
use crate::domain::secret::{Password, Secret};
use crate::outbound::Egress;

/// The directory of a server, at the realm SECONDARY of the tenant `acme`.
struct World {
    server: MockServer,
    directory: HttpDirectory,
    tenant: TenantId,
    realm: Realm,
}

impl World {
    async fn with(answer: ResponseTemplate) -> Self {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(answer).mount(&server).await;
        Self::before(server)
    }

    fn before(server: MockServer) -> Self {
        let endpoint = Endpoint {
            egress: Egress::default(),
            base_url: BaseUrl::new(&server.uri(), "default", false).unwrap(),
            credential: Credential::Bearer(Secret::new("directory-token".to_owned())),
            timeout: Duration::from_millis(400),
            allow_insecure_http: false,
            metrics: Arc::default(),
        };
        let directory = HttpDirectory::new(endpoint, true, Arc::new(SystemClock)).unwrap();
        Self { server, directory, tenant: TenantId::parse("acme").unwrap(), realm: Realm::parse("SECONDARY").unwrap() }
    }

    fn store(&self) -> UserStore<'_> {
        UserStore { tenant: &self.tenant, realm: &self.realm }
    }

    async fn find(&self, name: &str) -> Result<DirectoryUser, DirectoryError> {
        self.directory.find_user(self.store(), &Username::parse(name).unwrap()).await
    }

    async fn set_password(&self) -> Result<(), DirectoryError> {
        let password = Password::new("N3w-S3cret!".to_owned());
        let change =
            PasswordChange { password: &password, unlock: true, proved: Some(Channel::Sms), marker: "inv:1:1" };
        self.directory.set_password(self.store(), &read(alex()), &change).await
    }
}

fn alex() -> Value {
    json!({
        "id": "28-19", "username": "alex", "email": "alex@example.com", "phone": "+94 77 123 4567",
        "displayName": "Alex", "locale": "de_CH", "state": "locked", "lockReason": "PENDING_ASK_PASSWORD",
        "version": "7", "lastAcceptance": "inv:1:0"
    })
}

fn read(user: Value) -> DirectoryUser {
    serde_json::from_value::<super::User>(user).unwrap().checked().unwrap()
}

fn found(users: &[Value]) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({"users": users}))
}

#[tokio::test]
async fn a_user_is_found_in_their_realm_of_their_tenant() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/users"))
        .and(query_param("tenant", "acme"))
        .and(query_param("realm", "SECONDARY"))
        .and(query_param("username", "Alex"))
        .and(header("authorization", "Bearer directory-token"))
        .respond_with(found(&[json!({"id": "1", "username": "alexandra", "state": "active"}), alex()]))
        .mount(&server)
        .await;
    let user = World::before(server).find("Alex").await.unwrap();
    assert_eq!((user.id.as_str(), user.username.as_str(), user.access), ("28-19", "alex", Access::Locked));
    assert_eq!(user.phone.unwrap().as_str(), "+94771234567");
    assert_eq!((user.locale.as_deref(), user.version.as_deref()), (Some("de-CH"), Some("7")));
    assert_eq!(
        (user.locked_reason.as_deref(), user.marker.as_deref()),
        (Some("PENDING_ASK_PASSWORD"), Some("inv:1:0"))
    );
}

#[tokio::test]
async fn only_exactly_one_exact_match_is_a_user() {
    let twin = json!({"id": "2", "username": "ALEX", "state": "active"});
    for (users, expected) in [(vec![], "NotFound"), (vec![alex(), twin], "Ambiguous")] {
        assert_eq!(format!("{:?}", World::with(found(&users)).await.find("alex").await.err().unwrap()), expected);
    }
    let unknown_state = json!({"id": "2", "username": "alex", "state": "sleeping"});
    let unreadable = World::with(found(&[unknown_state])).await.find("alex").await;
    assert!(matches!(unreadable, Err(DirectoryError::NotApplied("unreadable"))));
}

#[tokio::test]
async fn another_user_by_the_id_or_an_unusable_one_is_nobody() {
    let world = World::with(ResponseTemplate::new(200).set_body_json(alex())).await;
    assert!(world.directory.get_user(world.store(), "28-19").await.is_ok());
    assert!(matches!(world.directory.get_user(world.store(), "2").await, Err(DirectoryError::Ambiguous)));
    let mut odd = alex();
    odd["id"] = json!("a/b");
    let world = World::with(found(&[odd])).await;
    assert!(matches!(world.find("alex").await, Err(DirectoryError::Ambiguous)));
}

#[tokio::test]
async fn the_password_and_all_that_belongs_to_it_is_one_request() {
    let server = MockServer::start().await;
    Mock::given(method("PUT"))
        .and(path("/users/28-19/password"))
        .and(query_param("realm", "SECONDARY"))
        .and(header("if-match", "7"))
        .and(body_json(
            json!({"password": "N3w-S3cret!", "unlock": true, "verified": "phone", "acceptance": "inv:1:1"}),
        ))
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    World::before(server).set_password().await.unwrap();
}

#[tokio::test]
async fn a_lock_says_why_and_its_end_does_not() {
    for (wanted, body) in [
        (
            Some(LockReason::PendingPasswordReset),
            json!({"locked": true, "reason": "PENDING_ADMIN_FORCED_USER_PASSWORD_RESET"}),
        ),
        (None, json!({"locked": false})),
    ] {
        let world = World::with(ResponseTemplate::new(204)).await;
        world.directory.set_lock(world.store(), &read(alex()), wanted).await.unwrap();
        let request = &world.server.received_requests().await.unwrap()[0];
        assert_eq!((request.url.path(), request.body_json::<Value>().unwrap()), ("/users/28-19/lock", body));
    }
}

#[tokio::test]
async fn every_problem_has_its_meaning() {
    let problem = |code: &str, detail: &str| json!({"status": 400, "code": code, "detail": detail});
    let cases = [
        (
            422,
            problem("password_rejected", "It was used before."),
            "PasswordRejected { reason: Some(\"It was used before.\") }",
        ),
        (422, problem("password_rejected", "N3w-S3cret! is bad"), "PasswordRejected { reason: None }"),
        (422, problem("malformed", ""), "NotApplied(\"refused\")"),
        (404, problem("user_not_found", ""), "NotFound"),
        (412, problem("user_changed", ""), "Changed"),
        (401, problem("unauthorized", ""), "NotApplied(\"unauthorized\")"),
        (429, problem("try_later", ""), "NotApplied(\"throttled\")"),
        (503, problem("not_applied", ""), "NotApplied(\"unavailable\")"),
        (503, problem("", ""), "Unknown(\"server_error\")"),
        (500, problem("not_applied", ""), "Unknown(\"server_error\")"),
    ];
    for (status, body, expected) in cases {
        let world = World::with(ResponseTemplate::new(status).set_body_json(body)).await;
        assert_eq!(format!("{:?}", world.set_password().await.unwrap_err()), expected, "{status}");
    }
    let slow = World::with(ResponseTemplate::new(204).set_delay(Duration::from_secs(2))).await;
    assert!(matches!(slow.set_password().await, Err(DirectoryError::Unknown("timeout"))));
}

#[tokio::test]
async fn barred_is_neither_locked_nor_active() {
    let mut user = alex();
    user["state"] = json!("barred");
    assert_eq!(read(user).access, Access::Barred);
}
