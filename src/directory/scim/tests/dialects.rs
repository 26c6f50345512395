//! What a dialect makes of the lock, and which bytes it sends.

use serde_json::{Value, json};
use wiremock::matchers::{any, basic_auth};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{alex, at, endpoint, find_in, list, read_as, realm, set_password, store, with_dialect};
use crate::directory::scim::ScimDirectory;
use crate::directory::{BaseUrl, Credential, DirectoryError, Endpoint};
use crate::domain::account::{Access, LockReason};
use crate::domain::dialect::{Dialect, LockDetail, MediaType, PatchStyle};
use crate::domain::ids::TenantId;
use crate::domain::secret::Secret;

const WSO2: &str = "urn:scim:wso2:schema";

/// How a directory that says this of the lock has the account.
fn access(dialect: &Dialect, extension: Value) -> Access {
    let mut user = alex();
    user[WSO2] = extension;
    read_as(dialect, &user).unwrap().access
}

fn all_writable() -> Dialect {
    Dialect { lock_details: LockDetail::ALL.to_vec(), ..by_path() }
}

/// WSO2's dialect with one operation for each attribute.
fn by_path() -> Dialect {
    Dialect { patch_style: PatchStyle::Path, ..Dialect::wso2() }
}

#[test]
fn a_lock_is_ours_or_somebody_elses_by_its_reason() {
    let locked = |reason: &str| json!({"accountLocked": true, "lockedReason": reason});
    for dialect in [Dialect::wso2(), all_writable()] {
        assert_eq!(access(&dialect, json!({})), Access::Usable);
        let unlocked = json!({"accountLocked": false, "lockedReason": "MAX_ATTEMPTS_EXCEEDED"});
        assert_eq!(access(&dialect, unlocked), Access::Usable);
        assert_eq!(access(&dialect, locked("")), Access::Locked);
        for reason in ["PENDING_ASK_PASSWORD", "PENDING_ADMIN_FORCED_USER_PASSWORD_RESET"] {
            assert_eq!(access(&dialect, locked(reason)), Access::LockedForPassword, "{reason}");
        }
        for reason in ["MAX_ATTEMPTS_EXCEEDED", "IDLE_ACCOUNT", "PENDING_SELF_REGISTRATION", "whatever"] {
            assert_eq!(access(&dialect, locked(reason)), Access::Barred, "{reason}");
        }
    }
}

#[test]
fn an_administrators_lock_is_told_apart_where_ours_has_its_own_reason() {
    let locked = json!({"accountLocked": true, "lockedReason": "ADMIN_INITIATED"});
    // The directory writes that on every lock that comes without a reason: ours, too.
    assert_eq!(access(&Dialect::wso2(), locked.clone()), Access::Locked);
    assert_eq!(access(&all_writable(), locked), Access::LockedByAdministrator);
}

#[test]
fn disabled_is_another_thing_than_locked() {
    let dialect = Dialect::wso2();
    assert_eq!(access(&dialect, json!({"accountDisabled": true})), Access::Barred);
    assert_eq!(access(&dialect, json!({"accountLocked": true, "accountDisabled": "true"})), Access::Barred);
    assert_eq!(access(&dialect, json!({"accountLocked": true, "accountState": "DISABLED"})), Access::Barred);
    let mut inactive = alex();
    inactive["active"] = json!(false);
    assert_eq!(read_as(&dialect, &inactive).unwrap().access, Access::Barred);
    assert_eq!(read_as(&Dialect::plain(), &inactive).unwrap().access, Access::Locked);
}

#[test]
fn what_the_directory_says_of_a_lock_is_kept() {
    let mut user = alex();
    user[WSO2] = json!({"accountLocked": "TRUE", "lockedReason": "PENDING_ASK_PASSWORD", "accountState": "PENDING_AP"});
    let user = read_as(&Dialect::wso2(), &user).unwrap();
    assert_eq!(user.access, Access::LockedForPassword);
    assert!(user.awaits_first_password());
    assert_eq!(user.locked_reason.as_deref(), Some("PENDING_ASK_PASSWORD"));
    assert_eq!(user.account_state.as_deref(), Some("PENDING_AP"));
}

/// The operations of the one PATCH that was sent, as `path=value`.
async fn sent(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
    let operations = body["Operations"].as_array().unwrap().iter();
    operations
        .map(|one| {
            assert_eq!(one["op"], "replace");
            format!("{}={}", one["path"].as_str().unwrap_or_default(), one["value"])
        })
        .collect()
}

/// A directory that takes everything.
async fn accepting() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200).set_body_json(list(&[alex()]))).mount(&server).await;
    server
}

async fn lock(dialect: Dialect, wanted: Option<LockReason>) -> Vec<String> {
    let server = accepting().await;
    let user = read_as(&dialect, &alex()).unwrap();
    with_dialect(&server, dialect).set_lock(store(&realm("PRIMARY")), &user, wanted).await.unwrap();
    sent(&server).await
}

#[tokio::test]
async fn the_lock_goes_where_the_dialect_has_it() {
    let reason = Some(LockReason::PendingAskPassword);
    assert_eq!(lock(Dialect::plain(), reason).await, ["active=false"]);
    assert_eq!(lock(Dialect::plain(), None).await, ["active=true"]);
    assert_eq!(lock(by_path(), reason).await, ["urn:scim:wso2:schema:accountLocked=true"]);
    assert_eq!(lock(by_path(), None).await, ["urn:scim:wso2:schema:accountLocked=false"]);
}

#[tokio::test]
async fn the_reason_and_the_state_are_written_where_they_can_be() {
    for (wanted, reason, state) in [
        (Some(LockReason::PendingAskPassword), "PENDING_ASK_PASSWORD", "PENDING_AP"),
        (Some(LockReason::PendingPasswordReset), "PENDING_ADMIN_FORCED_USER_PASSWORD_RESET", "PENDING_FUPR"),
        (Some(LockReason::AdminInitiated), "ADMIN_INITIATED", "LOCKED"),
        (None, "", "UNLOCKED"),
    ] {
        let expected = [
            format!("urn:scim:wso2:schema:accountLocked={}", wanted.is_some()),
            format!("urn:scim:wso2:schema:lockedReason=\"{reason}\""),
            format!("urn:scim:wso2:schema:accountState=\"{state}\""),
        ];
        assert_eq!(lock(all_writable(), wanted).await, expected);
    }
}

#[tokio::test]
async fn password_unlock_and_the_proved_channel_are_one_patch() {
    let server = accepting().await;
    set_password(&with_dialect(&server, by_path()), true).await.unwrap();
    let expected = [
        r#"password="N3w-S3cret!""#,
        "urn:scim:wso2:schema:accountLocked=false",
        "urn:scim:wso2:schema:emailVerified=true",
    ];
    assert_eq!(sent(&server).await, expected);
    let server = accepting().await;
    set_password(&with_dialect(&server, Dialect { marks_verified: false, ..by_path() }), false).await.unwrap();
    assert_eq!(sent(&server).await, [r#"password="N3w-S3cret!""#]);
}

#[tokio::test]
async fn a_patch_can_be_one_object_in_plain_json() {
    let server = accepting().await;
    let dialect = Dialect {
        media_type: MediaType::Json,
        marker_attribute: Some(format!("{WSO2}:lastAcceptance")),
        ..Dialect::wso2()
    };
    set_password(&with_dialect(&server, dialect), true).await.unwrap();
    let value = json!({
        "password": "N3w-S3cret!",
        WSO2: {"accountLocked": false, "emailVerified": true, "lastAcceptance": "inv:1:1"}
    });
    assert_eq!(sent(&server).await, [format!("={value}")]);
    let request = &server.received_requests().await.unwrap()[0];
    for header in ["content-type", "accept"] {
        assert_eq!(request.headers[header], "application/json");
    }
}

fn by_name_and_password(base_url: &str) -> ScimDirectory {
    let credential = Credential::Basic { username: "invited".to_owned(), password: Secret::new("s3cret".to_owned()) };
    at(Endpoint { credential, ..endpoint(base_url) }, Dialect::plain())
}

#[tokio::test]
async fn no_credential_and_a_name_and_password_are_ways_to_be_known() {
    let server = MockServer::start().await;
    let everybody = ResponseTemplate::new(200).set_body_json(list(&[alex()]));
    Mock::given(basic_auth("invited", "s3cret")).respond_with(everybody).expect(1).mount(&server).await;
    find_in(&by_name_and_password(&server.uri()), "PRIMARY", "alex").await.unwrap();
    let server = accepting().await;
    let directory = at(Endpoint { credential: Credential::None, ..endpoint(&server.uri()) }, Dialect::plain());
    find_in(&directory, "PRIMARY", "alex").await.unwrap();
    assert!(!server.received_requests().await.unwrap()[0].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_refused_password_of_ours_is_not_tried_twice() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(401)).expect(1).mount(&server).await;
    let refused = find_in(&by_name_and_password(&server.uri()), "PRIMARY", "alex").await;
    assert!(matches!(refused, Err(DirectoryError::NotApplied("unauthorized"))));
}

#[tokio::test]
async fn tenants_have_their_place_in_the_url_and_the_default_one_its_own_name() {
    let server = accepting().await;
    let base_url = BaseUrl::new(&format!("{}/t/{{tenant}}/{{realm}}", server.uri()), "carbon.super", false).unwrap();
    let directory = at(Endpoint { base_url, ..endpoint(&server.uri()) }, Dialect::plain());
    let mut owned = realm("PRIMARY");
    directory.get_user(store(&owned), "2819c223").await.err().unwrap();
    owned.0 = TenantId::default_tenant();
    directory.get_user(store(&owned), "a b").await.err().unwrap();
    let requests = server.received_requests().await.unwrap();
    let asked: Vec<_> = requests.iter().map(|request| request.url.path()).collect();
    assert_eq!(asked, ["/t/acme/PRIMARY/Users/2819c223", "/t/carbon.super/PRIMARY/Users/a%20b"]);
}
