//! WSO2 Identity Server's own description of its SCIM 2.0 API.

use std::sync::Arc;
use std::time::Duration;

use invited::clock::SystemClock;
use invited::directory::{BaseUrl, Credential, Directory, PasswordChange, ScimConfig, ScimDirectory};
use invited::domain::account::LockReason;
use invited::domain::dialect::{Dialect, LockDetail};
use invited::domain::ids::{Realm, TenantId, UserStore, Username};
use invited::domain::invitation::Channel;
use invited::domain::secret::{Password, Secret};
use serde_json::json;

use crate::prism::Prism;

fn directory(prism: &Prism, dialect: Dialect) -> Directory {
    let config = ScimConfig {
        base_url: BaseUrl::new(prism.url(), "carbon.super", false).unwrap(),
        credential: Credential::Basic { username: "invited".to_owned(), password: Secret::new("s3cret".to_owned()) },
        timeout: Duration::from_secs(10),
        allow_insecure_http: false,
        dialect,
    };
    Directory::Scim(ScimDirectory::new(config, Arc::new(SystemClock)).unwrap())
}

#[tokio::test]
async fn every_call_to_wso2_is_as_described() {
    let Some(prism) = Prism::serve("wso2_scim2.yaml", &[]).await else { return };
    let (tenant, realm) = (TenantId::default_tenant(), Realm::parse("SECONDARY").unwrap());
    let store = UserStore { tenant: &tenant, realm: &realm };
    let all_writable = Dialect { lock_details: LockDetail::ALL.to_vec(), ..Dialect::wso2() };
    for dialect in [Dialect::wso2(), all_writable] {
        let directory = directory(&prism, dialect);
        let alex =
            json!({"id": "008bba85", "userName": "SECONDARY/alex", "urn:scim:wso2:schema": {"accountLocked": true}});
        prism.answer_next("GET", 200, json!({"totalResults": 1, "startIndex": 1, "Resources": [alex]}));
        prism.answer_next("GET", 200, alex);
        let found = directory.find_user(store, &Username::parse("alex").unwrap()).await.unwrap();
        let user = directory.get_user(store, &found.id).await.unwrap();
        directory.set_lock(store, &user, Some(LockReason::PendingAskPassword)).await.unwrap();
        directory.set_lock(store, &user, None).await.unwrap();
        let password = Password::new("N3w-S3cret!".to_owned());
        let change = PasswordChange { password: &password, unlock: true, proved: Some(Channel::Sms), marker: "m" };
        directory.set_password(store, &user, &change).await.unwrap();
    }
    let find = "GET /Users?filter=userName+eq+%22alex%22&domain=SECONDARY&startIndex=1&count=20";
    let one = [find, "GET /Users/008bba85", "PATCH /Users/008bba85", "PATCH /Users/008bba85", "PATCH /Users/008bba85"];
    prism.assert_as_described(&[one, one].concat());
    // Asked to have a password set, the directory would send an invitation of its own.
    assert!(prism.judged().iter().all(|one| !one.body.contains("askPassword")));
}
