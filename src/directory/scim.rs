//! The SCIM 2.0 driver (RFC 7644): the password is set and the account unlocked in one PATCH, which a directory applies as a whole or
//! not at all (§3.5.2). In what directories differ is in `dialect`; WSO2 Identity Server is one of them.

mod dialect;
mod lookup;
mod user;

use std::sync::Arc;

use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use url::Url;

use super::address::is_primary;
use super::caller::{Call, Caller, Endpoint, Kind, judge, read_json, rejected};
use super::{DirectoryError, DirectoryUser, PasswordChange};
use crate::clock::Clock;
use crate::domain::account::LockReason;
use crate::domain::dialect::{Dialect, RealmIn};
use crate::domain::ids::{Realm, UserStore};
use crate::domain::secret::Password;
use crate::outbound::OutboundError;
use dialect::Attribute;
use user::user_from;

/// A person as any SCIM user resource describes them; `None` without a usable id or name.
#[must_use]
pub fn described(resource: &Value) -> Option<DirectoryUser> {
    user_from(resource, None, (&Dialect::plain(), &Realm::primary()))
}

/// The driver.
pub struct ScimDirectory {
    caller: Caller,
    dialect: Dialect,
}

impl ScimDirectory {
    /// The base URL is that of `/Users`.
    ///
    /// # Errors
    /// [`OutboundError`] when a URL is not one that secrets may be sent to.
    pub fn new(endpoint: Endpoint, dialect: Dialect, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        Ok(Self { caller: Caller::new(endpoint, clock)?, dialect })
    }

    pub(super) const fn keeps_marker(&self) -> bool {
        self.dialect.marker_attribute.is_some()
    }

    pub(super) async fn get_user(&self, store: UserStore<'_>, id: &str) -> Result<DirectoryUser, DirectoryError> {
        let (user, version) = self.caller.read(&self.get(self.users(store, Some(id))?)).await?;
        match user.get("id").and_then(Value::as_str) {
            Some(found) if found == id => self.user(&user, version, store),
            _ => Err(DirectoryError::Ambiguous),
        }
    }

    pub(super) async fn set_lock(
        &self,
        store: UserStore<'_>,
        user: &DirectoryUser,
        wanted: Option<LockReason>,
    ) -> Result<(), DirectoryError> {
        let response = self.patch(store, user, self.dialect.lock_changes(wanted)).await?;
        judge(response, Kind::Write).await.map(drop)
    }

    pub(super) async fn set_password(
        &self,
        store: UserStore<'_>,
        user: &DirectoryUser,
        change: &PasswordChange<'_>,
    ) -> Result<(), DirectoryError> {
        let response = self.patch(store, user, self.dialect.password_changes(change)).await?;
        if response.status() == StatusCode::BAD_REQUEST {
            return Err(policy_refusal(response, change.password).await);
        }
        judge(response, Kind::Write).await.map(drop)
    }

    async fn patch(
        &self,
        store: UserStore<'_>,
        user: &DirectoryUser,
        changes: Vec<(Attribute, Value)>,
    ) -> Result<Response, DirectoryError> {
        let media_type = self.dialect.media_type.as_str();
        let call = Call {
            method: Method::PATCH,
            url: self.users(store, Some(&user.id))?,
            body: Some((self.dialect.patch(changes).to_string(), media_type)),
            accept: media_type,
            if_match: user.version.as_deref(),
        };
        self.caller.send(&call).await
    }

    fn user(
        &self,
        resource: &Value,
        version: Option<String>,
        store: UserStore<'_>,
    ) -> Result<DirectoryUser, DirectoryError> {
        user_from(resource, version, (&self.dialect, store.realm)).ok_or(DirectoryError::Ambiguous)
    }

    const fn get(&self, url: Url) -> Call<'static> {
        Call::get(url, self.dialect.media_type.as_str())
    }

    fn users(&self, store: UserStore<'_>, id: Option<&str>) -> Result<Url, DirectoryError> {
        let says_realm = self.caller.base_url.has_realm() || self.dialect.realm_in != RealmIn::Path;
        if !says_realm && !is_primary(store.realm) {
            return Err(DirectoryError::NotFound);
        }
        let segments: Vec<&str> = std::iter::once("Users").chain(id).collect();
        self.caller.base_url.join(store, &segments)
    }
}

/// A 400 for a password: the directory's policy, if it says so (RFC 7644 §3.12).
async fn policy_refusal(response: Response, password: &Password) -> DirectoryError {
    let Ok(body) = read_json(response).await else { return DirectoryError::NotApplied("refused") };
    if body.get("scimType").and_then(Value::as_str) != Some("invalidValue") {
        return DirectoryError::NotApplied("refused");
    }
    rejected(body.get("detail").and_then(Value::as_str), password)
}

#[cfg(test)]
mod tests;
