//! Rows as they lie in the tables, and how they become what the rules work with.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::{StorageError, readable};
use super::schema::{account, invitation};
use crate::domain::account::{Account, DirectorySync, Hold, LockReason};
use crate::domain::contact::{Email, Phone};
use crate::domain::fallback::Fallback;
use crate::domain::grace::Grace;
use crate::domain::ids::{AccountId, GrantId, InvitationId, Realm, TenantId, Username};
use crate::domain::invitation::{Invitation, Method, Person, Purpose, RevokeReason, Status};
use crate::domain::time::Timestamp;

#[derive(Queryable, Insertable)]
#[diesel(table_name = invitation)]
pub(super) struct InvitationRow {
    id: String,
    tenant: String,
    realm: String,
    username: String,
    realm_key: String,
    username_key: String,
    person: String,
    terms: String,
    metadata: String,
    created_by: String,
    purpose: String,
    method: String,
    status: String,
    generation: i64,
    resends: i64,
    verifier: Option<String>,
    retired_verifiers: String,
    attempts_left: Option<i64>,
    otp_used_at: Option<i64>,
    otp_replay: Option<Vec<u8>>,
    grant_jti: Option<String>,
    grant_expires_at: Option<i64>,
    accept_fence: i64,
    accept_jti: Option<String>,
    accept_lease_until: Option<i64>,
    expires_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    issued_at: i64,
    accepted_at: Option<i64>,
    revoked_at: Option<i64>,
    failure: Option<String>,
    account_id: String,
    send_at: Option<i64>,
    grace_verifier: Option<String>,
    grace_until: Option<i64>,
    revoke_reason: Option<String>,
    fallback: Option<String>,
    fallback_due_at: Option<i64>,
}

/// The JSON of the `person` column.
#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PersonJson {
    id: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    display_name: Option<String>,
    locale: Option<String>,
}

pub(super) fn person_json(person: &Person) -> String {
    let json = PersonJson {
        id: person.id.clone(),
        email: person.email.as_ref().map(|email| email.as_str().to_owned()),
        phone: person.phone.as_ref().map(|phone| phone.as_str().to_owned()),
        display_name: person.display_name.clone(),
        locale: person.locale.clone(),
    };
    serde_json::to_string(&json).unwrap_or_default()
}

fn person_from(json: &str) -> Result<Person, StorageError> {
    let json: PersonJson = readable(serde_json::from_str(json).ok(), "person")?;
    Ok(Person {
        id: json.id,
        email: json.email.and_then(|email| Email::parse(&email).ok()),
        phone: json.phone.and_then(|phone| Phone::parse(&phone).ok()),
        display_name: json.display_name,
        locale: json.locale,
    })
}

impl InvitationRow {
    pub(super) fn new(invitation: &Invitation) -> Self {
        let key = invitation.account_key();
        Self {
            id: invitation.id.to_string(),
            tenant: invitation.tenant.as_str().to_owned(),
            realm: invitation.realm.as_str().to_owned(),
            username: invitation.username.as_str().to_owned(),
            realm_key: key.realm,
            username_key: key.username,
            person: person_json(&invitation.person),
            terms: serde_json::to_string(&invitation.terms).unwrap_or_default(),
            metadata: invitation.metadata.clone(),
            created_by: invitation.created_by.clone(),
            purpose: invitation.purpose.as_str().to_owned(),
            method: invitation.method.as_str().to_owned(),
            status: invitation.status.as_str().to_owned(),
            generation: invitation.generation,
            resends: invitation.resends,
            verifier: invitation.verifier.clone(),
            retired_verifiers: invitation.retired_verifiers.join("\n"),
            attempts_left: invitation.attempts_left,
            otp_used_at: invitation.otp_used_at.map(Timestamp::millis),
            otp_replay: invitation.otp_replay.clone(),
            grant_jti: invitation.grant.map(|grant| grant.to_string()),
            grant_expires_at: invitation.grant_expires_at.map(Timestamp::millis),
            accept_fence: invitation.accept_fence,
            accept_jti: invitation.accept_grant.map(|grant| grant.to_string()),
            accept_lease_until: invitation.accept_lease_until.map(Timestamp::millis),
            expires_at: invitation.expires_at.map(Timestamp::millis),
            created_at: invitation.created_at.millis(),
            updated_at: invitation.updated_at.millis(),
            issued_at: invitation.issued_at.millis(),
            accepted_at: invitation.accepted_at.map(Timestamp::millis),
            revoked_at: invitation.revoked_at.map(Timestamp::millis),
            failure: invitation.failure.clone(),
            account_id: invitation.account.to_string(),
            send_at: invitation.send_at.map(Timestamp::millis),
            grace_verifier: invitation.grace.as_ref().map(Grace::stored),
            grace_until: invitation.grace_ends().map(Timestamp::millis),
            revoke_reason: invitation.revoke_reason.map(|reason| reason.as_str().to_owned()),
            fallback: invitation.fallback.map(|fallback| fallback.as_str().to_owned()),
            fallback_due_at: None,
        }
    }

    pub(super) fn read(self) -> Result<Invitation, StorageError> {
        let grant = |id: Option<String>| id.and_then(|id| GrantId::parse(&id));
        let time = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        Ok(Invitation {
            id: readable(InvitationId::parse(&self.id), "invitation id")?,
            tenant: readable(TenantId::parse(&self.tenant).ok(), "tenant")?,
            realm: readable(Realm::parse(&self.realm).ok(), "realm")?,
            username: readable(Username::parse(&self.username).ok(), "user name")?,
            person: person_from(&self.person)?,
            terms: readable(serde_json::from_str(&self.terms).ok(), "terms")?,
            metadata: self.metadata,
            created_by: self.created_by,
            purpose: readable(Purpose::parse(&self.purpose), "purpose")?,
            method: readable(Method::parse(&self.method), "method")?,
            status: readable(Status::parse(&self.status), "status")?,
            generation: self.generation,
            resends: self.resends,
            verifier: self.verifier,
            retired_verifiers: self.retired_verifiers.lines().map(str::to_owned).collect(),
            attempts_left: self.attempts_left,
            otp_used_at: time(self.otp_used_at),
            otp_replay: self.otp_replay,
            grant: grant(self.grant_jti),
            grant_expires_at: time(self.grant_expires_at),
            accept_fence: self.accept_fence,
            accept_grant: grant(self.accept_jti),
            accept_lease_until: time(self.accept_lease_until),
            expires_at: time(self.expires_at),
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
            issued_at: Timestamp::from_millis(self.issued_at),
            accepted_at: time(self.accepted_at),
            revoked_at: time(self.revoked_at),
            failure: self.failure,
            account: readable(AccountId::parse(&self.account_id), "account id")?,
            send_at: time(self.send_at),
            grace: self.grace_verifier.and_then(|stored| Grace::parse(&stored, time(self.grace_until))),
            revoke_reason: self.revoke_reason.and_then(|reason| RevokeReason::parse(&reason)),
            fallback: self.fallback.and_then(|fallback| Fallback::parse(&fallback)),
        })
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = account)]
pub(super) struct AccountRow {
    tenant: String,
    realm_key: String,
    username_key: String,
    realm: String,
    username: String,
    user_id: Option<String>,
    otp_failures: i64,
    lock_reason: Option<String>,
    hold: String,
    directory: String,
    version: i64,
    updated_at: i64,
    id: String,
    awaits: Option<String>,
    check_after: Option<i64>,
    checks_failed: i64,
}

impl AccountRow {
    pub(super) fn new(account: &Account) -> Self {
        let key = account.key();
        Self {
            tenant: account.tenant.as_str().to_owned(),
            realm_key: key.realm,
            username_key: key.username,
            realm: account.realm.as_str().to_owned(),
            username: account.username.as_str().to_owned(),
            user_id: account.user_id.clone(),
            otp_failures: account.otp_failures,
            lock_reason: account.lock_reason.map(|reason| reason.as_str().to_owned()),
            hold: account.hold.as_str().to_owned(),
            directory: account.directory.as_str().to_owned(),
            version: account.version,
            updated_at: account.updated_at.millis(),
            id: account.id.to_string(),
            awaits: account.awaits.map(|purpose| purpose.as_str().to_owned()),
            check_after: account.check_after.map(Timestamp::millis),
            checks_failed: account.checks_failed,
        }
    }

    pub(super) fn read(self) -> Result<Account, StorageError> {
        let lock_reason = match self.lock_reason {
            Some(reason) => Some(readable(LockReason::parse(&reason), "lock reason")?),
            None => None,
        };
        let awaits = match self.awaits {
            Some(purpose) => Some(readable(Purpose::parse(&purpose), "purpose")?),
            None => None,
        };
        Ok(Account {
            awaits,
            id: readable(AccountId::parse(&self.id), "account id")?,
            tenant: readable(TenantId::parse(&self.tenant).ok(), "tenant")?,
            realm: readable(Realm::parse(&self.realm).ok(), "realm")?,
            username: readable(Username::parse(&self.username).ok(), "user name")?,
            user_id: self.user_id,
            otp_failures: self.otp_failures,
            lock_reason,
            hold: readable(Hold::parse(&self.hold), "hold")?,
            directory: readable(DirectorySync::parse(&self.directory), "directory state")?,
            version: self.version,
            updated_at: Timestamp::from_millis(self.updated_at),
            check_after: self.check_after.map(Timestamp::from_millis),
            checks_failed: self.checks_failed,
        })
    }
}
