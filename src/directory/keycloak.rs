//! The Keycloak driver (admin REST API): the lock is `enabled`, and a user is only ever written back whole, since Keycloak takes what is
//! left out of a representation for a wish to clear it.
//!
//! A password has a call of its own, so an acceptance is two writes: first the password, then all the rest at once. Both are desired
//! states. Whatever goes wrong after the first is an unknown outcome, and the next try repeats both.

mod user;

use std::sync::Arc;

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::address::is_primary;
use super::caller::{Call, Caller, Endpoint, JSON, Kind, judge, read_json, rejected};
use super::reading::the_only;
use super::{DirectoryError, DirectoryUser, PasswordChange};
use crate::clock::Clock;
use crate::domain::account::LockReason;
use crate::domain::dialect::KeycloakAttributes;
use crate::domain::ids::{UserStore, Username, fold};
use crate::domain::invitation::Channel;
use crate::domain::secret::Password;
use crate::outbound::OutboundError;
use user::{set_attribute, user_from};

/// What Keycloak asks of somebody who has to set a password.
const UPDATE_PASSWORD: &str = "UPDATE_PASSWORD";
/// Users that one answer holds, where it does not say how many there are.
const PAGE: usize = 100;

/// The driver.
pub struct KeycloakDirectory {
    caller: Caller,
    attributes: KeycloakAttributes,
}

impl KeycloakDirectory {
    /// The base URL is such as `https://id.example.com/admin/realms/{realm}`.
    ///
    /// # Errors
    /// [`OutboundError`] when a URL is not one that secrets may be sent to.
    pub fn new(
        endpoint: Endpoint,
        attributes: KeycloakAttributes,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OutboundError> {
        Ok(Self { caller: Caller::new(endpoint, clock)?, attributes })
    }

    pub(super) const fn keeps_marker(&self) -> bool {
        self.attributes.marker.is_some()
    }

    pub(super) async fn find_user(
        &self,
        store: UserStore<'_>,
        username: &Username,
    ) -> Result<DirectoryUser, DirectoryError> {
        let mut url = self.users(store, &[])?;
        url.query_pairs_mut()
            .append_pair("username", username.as_str())
            .append_pair("exact", "true")
            .append_pair("briefRepresentation", "false");
        let (list, _) = self.caller.read(&Call::get(url, JSON)).await?;
        let users = list.as_array().ok_or(DirectoryError::NotApplied("unreadable"))?;
        let wanted = fold(username.as_str());
        let is_wanted =
            |user: &&Value| user.get("username").and_then(Value::as_str).is_some_and(|name| fold(name) == wanted);
        match the_only(users.iter().filter(is_wanted)) {
            // An old one that takes no notice of `exact`, and this is only a part of what it found.
            Err(DirectoryError::NotFound) if users.len() >= PAGE => Err(DirectoryError::Ambiguous),
            found => self.user(found?),
        }
    }

    pub(super) async fn get_user(&self, store: UserStore<'_>, id: &str) -> Result<DirectoryUser, DirectoryError> {
        self.user(&self.representation(store, id).await?)
    }

    pub(super) async fn set_lock(
        &self,
        store: UserStore<'_>,
        user: &DirectoryUser,
        wanted: Option<LockReason>,
    ) -> Result<(), DirectoryError> {
        let mut whole = self.representation(store, &user.id).await?;
        // There is no version to write under. Whoever disabled them since they were seen did that for reasons of their own.
        if wanted.is_some() && user.is_active() && whole.get("enabled") == Some(&json!(false)) {
            return Err(DirectoryError::Changed);
        }
        set(&mut whole, "enabled", json!(wanted.is_none()));
        let response = self.put(self.users(store, &[&user.id])?, &whole).await?;
        judge(response, Kind::Write).await.map(drop)
    }

    pub(super) async fn set_password(
        &self,
        store: UserStore<'_>,
        user: &DirectoryUser,
        change: &PasswordChange<'_>,
    ) -> Result<(), DirectoryError> {
        let credential = json!({"type": "password", "value": change.password.expose(), "temporary": false});
        let response = self.put(self.users(store, &[&user.id, "reset-password"])?, &credential).await?;
        if response.status() == StatusCode::BAD_REQUEST {
            return Err(policy_refusal(response, change.password).await);
        }
        judge(response, Kind::Write).await?;
        self.complete(store, &user.id, change).await.map_err(|error| match error {
            DirectoryError::NotFound => DirectoryError::NotFound,
            other => {
                tracing::warn!(error = %other, "the password is set, but what belongs to it is not written");
                DirectoryError::Unknown("half_applied")
            }
        })
    }

    /// Writes all that belongs to a password that is set, if there is anything.
    async fn complete(
        &self,
        store: UserStore<'_>,
        id: &str,
        change: &PasswordChange<'_>,
    ) -> Result<(), DirectoryError> {
        let found = self.representation(store, id).await?;
        let mut whole = found.clone();
        if change.unlock {
            set(&mut whole, "enabled", json!(true));
        }
        if change.proved == Some(Channel::Email) {
            set(&mut whole, "emailVerified", json!(true));
        }
        if let Some(actions) = whole.get_mut("requiredActions").and_then(Value::as_array_mut) {
            actions.retain(|action| action != UPDATE_PASSWORD);
        }
        if let Some(attribute) = &self.attributes.marker {
            set_attribute(&mut whole, attribute, change.marker);
        }
        if whole == found {
            return Ok(());
        }
        judge(self.put(self.users(store, &[id])?, &whole).await?, Kind::Write).await.map(drop)
    }

    /// The user, whole.
    async fn representation(&self, store: UserStore<'_>, id: &str) -> Result<Value, DirectoryError> {
        let (user, _) = self.caller.read(&Call::get(self.users(store, &[id])?, JSON)).await?;
        let is_it = user.get("id").and_then(Value::as_str) == Some(id);
        if is_it { Ok(user) } else { Err(DirectoryError::Ambiguous) }
    }

    async fn put(&self, url: Url, body: &Value) -> Result<Response, DirectoryError> {
        let body = Some((body.to_string(), JSON));
        self.caller.send(&Call { method: Method::PUT, url, body, accept: JSON, if_match: None }).await
    }

    fn user(&self, representation: &Value) -> Result<DirectoryUser, DirectoryError> {
        user_from(representation, &self.attributes).ok_or(DirectoryError::Ambiguous)
    }

    fn users(&self, store: UserStore<'_>, below: &[&str]) -> Result<Url, DirectoryError> {
        if !self.caller.base_url.has_realm() && !is_primary(store.realm) {
            return Err(DirectoryError::NotFound);
        }
        let segments: Vec<&str> = std::iter::once("users").chain(below.iter().copied()).collect();
        self.caller.base_url.join(store, &segments)
    }
}

fn set(representation: &mut Value, field: &str, value: Value) {
    if let Some(user) = representation.as_object_mut() {
        user.insert(field.to_owned(), value);
    }
}

/// A 400 for a password: the realm's policy, if it says so.
async fn policy_refusal(response: Response, password: &Password) -> DirectoryError {
    let Ok(body) = read_json(response).await else { return DirectoryError::NotApplied("refused") };
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    if !text("error").is_some_and(|error| error.starts_with("invalidPassword")) {
        return DirectoryError::NotApplied("refused");
    }
    rejected(text("error_description"), password)
}

#[cfg(test)]
mod tests;
