//! The driver of our own small contract, `openapi/directory.json`: four operations for in-house directories, and for adapters to those
//! that speak something else.

use std::sync::Arc;

use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::caller::{Call, Caller, Endpoint, JSON, Kind, judge, read_json, rejected};
use super::reading::{is_usable_id, language_tag, phone_from, the_only};
use super::{DirectoryError, DirectoryUser, PasswordChange};
use crate::clock::Clock;
use crate::domain::account::{Access, LockReason};
use crate::domain::contact::Email;
use crate::domain::ids::{UserStore, Username, fold};
use crate::domain::invitation::Channel;
use crate::domain::secret::Password;
use crate::outbound::{OutboundError, safe_line};

/// The driver.
pub struct HttpDirectory {
    caller: Caller,
    keeps_marker: bool,
}

#[derive(Deserialize)]
struct Users {
    users: Vec<User>,
}

/// A user as the contract has them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    username: String,
    email: Option<String>,
    phone: Option<String>,
    display_name: Option<String>,
    locale: Option<String>,
    state: State,
    lock_reason: Option<String>,
    version: Option<String>,
    last_acceptance: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Active,
    Locked,
    Barred,
}

impl HttpDirectory {
    /// The base URL is that of `/users`; `keeps_marker` says whether the directory keeps `lastAcceptance`.
    ///
    /// # Errors
    /// [`OutboundError`] when a URL is not one that secrets may be sent to.
    pub fn new(endpoint: Endpoint, keeps_marker: bool, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        Ok(Self { caller: Caller::new(endpoint, clock)?, keeps_marker })
    }

    pub(super) const fn keeps_marker(&self) -> bool {
        self.keeps_marker
    }

    pub(super) async fn find_user(
        &self,
        store: UserStore<'_>,
        username: &Username,
    ) -> Result<DirectoryUser, DirectoryError> {
        let mut url = self.url(store, &["users"])?;
        url.query_pairs_mut().append_pair("username", username.as_str());
        let Users { users } = self.read(url).await?;
        let wanted = fold(username.as_str());
        the_only(users.into_iter().filter(|user| fold(&user.username) == wanted))?.checked()
    }

    pub(super) async fn get_user(&self, store: UserStore<'_>, id: &str) -> Result<DirectoryUser, DirectoryError> {
        let user: User = self.read(self.url(store, &["users", id])?).await?;
        if user.id == id { user.checked() } else { Err(DirectoryError::Ambiguous) }
    }

    pub(super) async fn set_lock(
        &self,
        store: UserStore<'_>,
        user: &DirectoryUser,
        wanted: Option<LockReason>,
    ) -> Result<(), DirectoryError> {
        let body = match wanted {
            Some(reason) => json!({"locked": true, "reason": reason.as_str()}),
            None => json!({"locked": false}),
        };
        let response = self.put((store, user, "lock"), &body).await?;
        judge(response, Kind::Write).await.map(drop)
    }

    pub(super) async fn set_password(
        &self,
        store: UserStore<'_>,
        user: &DirectoryUser,
        change: &PasswordChange<'_>,
    ) -> Result<(), DirectoryError> {
        let mut body = json!({"password": change.password.expose(), "unlock": change.unlock});
        let proved = change.proved.and_then(verified);
        let acceptance = self.keeps_marker.then_some(change.marker);
        for (name, value) in [("verified", proved), ("acceptance", acceptance)] {
            if let (Some(object), Some(value)) = (body.as_object_mut(), value) {
                object.insert(name.to_owned(), json!(value));
            }
        }
        let response = self.put((store, user, "password"), &body).await?;
        if response.status() == StatusCode::UNPROCESSABLE_ENTITY {
            return Err(policy_refusal(response, change.password).await);
        }
        judge(response, Kind::Write).await.map(drop)
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, url: Url) -> Result<T, DirectoryError> {
        let (body, _) = self.caller.read(&Call::get(url, JSON)).await?;
        serde_json::from_value(body).map_err(|_| DirectoryError::NotApplied("unreadable"))
    }

    async fn put(
        &self,
        (store, user, what): (UserStore<'_>, &DirectoryUser, &str),
        body: &Value,
    ) -> Result<Response, DirectoryError> {
        let call = Call {
            method: Method::PUT,
            url: self.url(store, &["users", &user.id, what])?,
            body: Some((body.to_string(), JSON)),
            accept: JSON,
            if_match: user.version.as_deref(),
        };
        let response = self.caller.send(&call).await?;
        match response.status() {
            StatusCode::SERVICE_UNAVAILABLE => Err(unavailable(response).await),
            _ => Ok(response),
        }
    }

    fn url(&self, store: UserStore<'_>, segments: &[&str]) -> Result<Url, DirectoryError> {
        let mut url = self.caller.base_url.join(store, segments)?;
        let tenant = self.caller.base_url.tenant(store);
        url.query_pairs_mut().append_pair("tenant", tenant).append_pair("realm", store.realm.as_str());
        Ok(url)
    }
}

impl User {
    /// The user, unless the id or the name is of no use.
    fn checked(self) -> Result<DirectoryUser, DirectoryError> {
        let username = Username::parse(&self.username).map_err(|_| DirectoryError::Ambiguous)?;
        if !is_usable_id(&self.id) {
            return Err(DirectoryError::Ambiguous);
        }
        Ok(DirectoryUser {
            id: self.id,
            username,
            email: self.email.and_then(|email| Email::parse(&email).ok()),
            phone: self.phone.as_deref().and_then(phone_from),
            display_name: self.display_name.and_then(|name| safe_line(&name, 128)),
            locale: self.locale.as_deref().and_then(language_tag),
            access: match self.state {
                State::Active => Access::Usable,
                State::Locked => Access::Locked,
                State::Barred => Access::Barred,
            },
            locked_reason: self.lock_reason,
            account_state: None,
            version: self.version,
            marker: self.last_acceptance,
        })
    }
}

const fn verified(channel: Channel) -> Option<&'static str> {
    match channel {
        Channel::Email => Some("email"),
        Channel::Sms => Some("phone"),
        Channel::Directory | Channel::Webhook => None,
    }
}

/// A 503 for a write: nothing was applied, if it says so.
async fn unavailable(response: Response) -> DirectoryError {
    match read_json(response).await {
        Ok(body) if body.get("code").and_then(Value::as_str) == Some("not_applied") => {
            DirectoryError::NotApplied("unavailable")
        }
        Ok(_) | Err(_) => DirectoryError::Unknown("server_error"),
    }
}

/// A 422 for a password: the directory's policy, if it says so.
async fn policy_refusal(response: Response, password: &Password) -> DirectoryError {
    let Ok(body) = read_json(response).await else { return DirectoryError::NotApplied("refused") };
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    if text("code") != Some("password_rejected") {
        return DirectoryError::NotApplied("refused");
    }
    rejected(text("detail"), password)
}

#[cfg(test)]
mod tests;
