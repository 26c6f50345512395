//! What every driver asks of its directory, against the description of that directory's API.

use std::sync::Arc;
use std::time::Duration;

use invited::clock::SystemClock;
use invited::directory::{
    BaseUrl, Credential, Directory, Endpoint, HttpDirectory, KeycloakDirectory, PasswordChange, ScimDirectory,
};
use invited::domain::account::LockReason;
use invited::domain::dialect::{Dialect, KeycloakAttributes, LockDetail};
use invited::domain::ids::{Realm, TenantId, UserStore, Username};
use invited::domain::invitation::Channel;
use invited::domain::secret::{Password, Secret};
use invited::outbound::Egress;
use serde_json::{Value, json};

use crate::prism::Prism;

/// Makes all calls there are, in the realm SECONDARY: find, get, lock, unlock, set the password. The directory has this user.
async fn every_call(prism: &Prism, directory: &Directory, (found, user): (Value, Value)) {
    let (tenant, realm) = (TenantId::default_tenant(), Realm::parse("SECONDARY").unwrap());
    let store = UserStore { tenant: &tenant, realm: &realm };
    prism.answer_next("GET", 200, found);
    let found = directory.find_user(store, &Username::parse("alex").unwrap()).await.unwrap();
    // Some read the user again before they write.
    for _ in 0..4 {
        prism.answer_next("GET", 200, user.clone());
    }
    let user = directory.get_user(store, &found.id).await.unwrap();
    directory.set_lock(store, &user, Some(LockReason::PendingAskPassword)).await.unwrap();
    directory.set_lock(store, &user, None).await.unwrap();
    let password = Password::new("N3w-S3cret!".to_owned());
    let change = PasswordChange { password: &password, unlock: true, proved: Some(Channel::Email), marker: "m" };
    directory.set_password(store, &user, &change).await.unwrap();
}

fn endpoint(base_url: &str, credential: Credential) -> Endpoint {
    let base_url = BaseUrl::new(base_url, "default", false).unwrap();
    Endpoint {
        egress: Egress::default(),
        base_url,
        credential,
        timeout: Duration::from_secs(10),
        allow_insecure_http: false,
        metrics: Arc::default(),
    }
}

fn bearer() -> Credential {
    Credential::Bearer(Secret::new("t".to_owned()))
}

fn wso2(prism: &Prism, dialect: Dialect) -> Directory {
    let credential = Credential::Basic { username: "invited".to_owned(), password: Secret::new("s3cret".to_owned()) };
    let endpoint = endpoint(prism.url(), credential);
    Directory::Scim(ScimDirectory::new(endpoint, dialect, Arc::new(SystemClock)).unwrap())
}

#[tokio::test]
async fn every_call_to_wso2_is_as_described() {
    let Some(prism) = Prism::serve("wso2_scim2.yaml", &[]).await else { return };
    let alex = json!({"id": "008bba85", "userName": "SECONDARY/alex", "urn:scim:wso2:schema": {"accountLocked": true}});
    let list = json!({"totalResults": 1, "startIndex": 1, "Resources": [alex]});
    every_call(&prism, &wso2(&prism, Dialect::wso2()), (list, alex)).await;
    prism.assert_as_described(&[
        "GET /Users?filter=userName+eq+%22alex%22&domain=SECONDARY&startIndex=1&count=20",
        "GET /Users/008bba85",
        "PATCH /Users/008bba85",
        "PATCH /Users/008bba85",
        "PATCH /Users/008bba85",
    ]);
    // Asked to have a password set, the directory would send an invitation of its own.
    assert!(prism.judged().iter().all(|one| !one.body.contains("askPassword")));
}

#[tokio::test]
async fn every_call_to_wso2_that_writes_all_it_may_is_as_described() {
    let Some(prism) = Prism::serve("wso2_scim2.yaml", &[]).await else { return };
    let alex = json!({"id": "008bba85", "userName": "SECONDARY/alex"});
    let list = json!({"totalResults": 1, "startIndex": 1, "Resources": [alex]});
    let dialect = Dialect {
        lock_details: LockDetail::ALL.to_vec(),
        marker_attribute: Some("urn:scim:wso2:schema:lastAcceptance".to_owned()),
        ..Dialect::wso2()
    };
    every_call(&prism, &wso2(&prism, dialect), (list, alex)).await;
    assert!(prism.judged().iter().all(|one| one.violations.is_empty()), "{:?}", prism.judged());
}

#[tokio::test]
async fn every_call_to_keycloak_is_as_described() {
    let Some(prism) = Prism::serve("keycloak_admin_v23_thirdparty.json", &[]).await else { return };
    let endpoint = endpoint(&format!("{}/{{realm}}", prism.url()), bearer());
    let attributes = KeycloakAttributes { phone: "phoneNumber".to_owned(), marker: Some("lastAcceptance".to_owned()) };
    let directory = Directory::Keycloak(KeycloakDirectory::new(endpoint, attributes, Arc::new(SystemClock)).unwrap());
    let alex = json!({
        "id": "7d1f", "username": "alex", "enabled": false, "email": "alex@example.com", "emailVerified": false,
        "requiredActions": ["UPDATE_PASSWORD"], "attributes": {"phoneNumber": ["+94771234567"]}
    });
    every_call(&prism, &directory, (json!([alex]), alex)).await;
    prism.assert_as_described(&[
        "GET /SECONDARY/users?username=alex&exact=true&briefRepresentation=false",
        "GET /SECONDARY/users/7d1f",
        "GET /SECONDARY/users/7d1f",
        "PUT /SECONDARY/users/7d1f",
        "GET /SECONDARY/users/7d1f",
        "PUT /SECONDARY/users/7d1f",
        "PUT /SECONDARY/users/7d1f/reset-password",
        "GET /SECONDARY/users/7d1f",
        "PUT /SECONDARY/users/7d1f",
    ]);
}

/// Our own contract needs no folder of others' descriptions; with `--errors`, Prism has no patience with its examples either.
async fn own_contract() -> Option<(Prism, Directory)> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/directory.json");
    let prism = Prism::serve_at(&path, &["--errors"]).await?;
    let endpoint = endpoint(prism.url(), bearer());
    let directory = Directory::Http(HttpDirectory::new(endpoint, true, Arc::new(SystemClock)).unwrap());
    Some((prism, directory))
}

#[tokio::test]
async fn every_call_of_our_own_contract_is_as_described() {
    let Some((prism, directory)) = own_contract().await else { return };
    let alex = json!({"id": "2819c223", "username": "alex", "state": "locked", "version": "7"});
    every_call(&prism, &directory, (json!({"users": [alex]}), alex)).await;
    prism.assert_as_described(&[
        "GET /users?tenant=default&realm=SECONDARY&username=alex",
        "GET /users/2819c223?tenant=default&realm=SECONDARY",
        "PUT /users/2819c223/lock?tenant=default&realm=SECONDARY",
        "PUT /users/2819c223/lock?tenant=default&realm=SECONDARY",
        "PUT /users/2819c223/password?tenant=default&realm=SECONDARY",
    ]);
}

#[tokio::test]
async fn the_examples_of_our_own_contract_can_be_read() {
    let Some((prism, directory)) = own_contract().await else { return };
    let (tenant, realm) = (TenantId::default_tenant(), Realm::primary());
    let store = UserStore { tenant: &tenant, realm: &realm };
    let user = directory.find_user(store, &Username::parse("Alex").unwrap()).await.unwrap();
    assert_eq!((user.email.unwrap().as_str(), user.phone.unwrap().as_str()), ("alex@example.com", "+15550100001"));
    assert!(!directory.get_user(store, &user.id).await.unwrap().is_active());
    prism.assert_as_described(&[
        "GET /users?tenant=default&realm=PRIMARY&username=Alex",
        "GET /users/2819c223?tenant=default&realm=PRIMARY",
    ]);
}
