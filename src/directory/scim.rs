//! The SCIM 2.0 driver (RFC 7644): the realm is a part of the base URL, the lock is `active`, the password is set and the account
//! unlocked in one PATCH, which a directory applies as a whole or not at all (§3.5.2).
//!
//! A directory may ignore filters and answer with everybody, the administrator first: only exactly one exact match counts.

mod auth;
mod user;

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use url::Url;

use super::{DirectoryError, DirectoryUser, PasswordChange};
use crate::clock::Clock;
use crate::domain::ids::{Realm, Username, fold};
use crate::domain::secret::Password;
use crate::outbound::{self, OutboundError};
use auth::Credentials;
pub use auth::ScimCredential;
use user::user_from;

/// The media type of SCIM.
const SCIM_JSON: &str = "application/scim+json";

/// Where the directory is and how it knows us.
pub struct ScimConfig {
    /// Base of `/Users`; `{realm}` is replaced. Without it only the realm `PRIMARY` exists.
    pub base_url: String,
    pub credential: ScimCredential,
    pub timeout: Duration,
    pub allow_insecure_http: bool,
    /// Attribute that keeps the acceptance marker: a name, or `urn:…:attribute` of an extension.
    pub marker_attribute: Option<String>,
}

/// The driver.
pub struct ScimDirectory {
    client: Client,
    config: ScimConfig,
    credentials: Credentials,
}

impl ScimDirectory {
    /// # Errors
    /// [`OutboundError`] when a URL is not one that secrets may be sent to.
    pub fn new(config: ScimConfig, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        let sample = Url::parse(&config.base_url.replace("{realm}", "PRIMARY")).map_err(|_| OutboundError::NotHttp)?;
        outbound::check_url(&sample, config.allow_insecure_http)?;
        if let ScimCredential::ClientCredentials { token_url, .. } = &config.credential {
            outbound::check_url(token_url, config.allow_insecure_http)?;
        }
        let client = outbound::client(config.timeout)?;
        let credentials = Credentials::new(config.credential.clone(), client.clone(), clock);
        Ok(Self { client, config, credentials })
    }

    pub(super) const fn keeps_marker(&self) -> bool {
        self.config.marker_attribute.is_some()
    }

    pub(super) async fn find_user(&self, realm: &Realm, username: &Username) -> Result<DirectoryUser, DirectoryError> {
        let filter = format!("userName eq {}", Value::from(username.as_str()));
        let mut url = self.users(realm, None)?;
        url.query_pairs_mut().append_pair("filter", &filter);
        let list = self.read(url).await?;
        let resources = list.get("Resources").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let wanted = fold(username.as_str());
        let is_wanted =
            |user: &&Value| user.get("userName").and_then(Value::as_str).is_some_and(|name| fold(name) == wanted);
        let mut matching = resources.iter().filter(is_wanted);
        match (matching.next(), matching.next()) {
            (Some(user), None) => self.user(user, None),
            (Some(_), Some(_)) => Err(DirectoryError::Ambiguous),
            (None, _) if is_whole(&list, resources.len()) => Err(DirectoryError::NotFound),
            // The filter was ignored and the answer is only a part of everybody.
            (None, _) => Err(DirectoryError::Ambiguous),
        }
    }

    pub(super) async fn get_user(&self, realm: &Realm, id: &str) -> Result<DirectoryUser, DirectoryError> {
        let response = self.call(|| Ok(self.client.get(self.users(realm, Some(id))?)), not_applied).await?;
        let response = judge(response, not_applied)?;
        let version = etag(&response);
        let user = read_json(response).await?;
        match user.get("id").and_then(Value::as_str) {
            Some(found) if found == id => self.user(&user, version),
            _ => Err(DirectoryError::Ambiguous),
        }
    }

    pub(super) async fn set_active(
        &self,
        realm: &Realm,
        user: &DirectoryUser,
        active: bool,
    ) -> Result<(), DirectoryError> {
        let response = self.patch(realm, user, vec![replace("active", &active.into())]).await?;
        judge(response, unknown).map(drop)
    }

    pub(super) async fn set_password(
        &self,
        realm: &Realm,
        user: &DirectoryUser,
        change: &PasswordChange<'_>,
    ) -> Result<(), DirectoryError> {
        let mut operations = vec![replace("password", &change.password.expose().into())];
        if change.unlock {
            operations.push(replace("active", &true.into()));
        }
        if let Some(attribute) = &self.config.marker_attribute {
            operations.push(replace(attribute, &change.marker.into()));
        }
        let response = self.patch(realm, user, operations).await?;
        if response.status() == StatusCode::BAD_REQUEST {
            return Err(policy_refusal(response, change.password).await);
        }
        judge(response, unknown).map(drop)
    }

    async fn patch(
        &self,
        realm: &Realm,
        user: &DirectoryUser,
        operations: Vec<Value>,
    ) -> Result<Response, DirectoryError> {
        let body =
            json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations}).to_string();
        let request = || {
            let request = self.client.patch(self.users(realm, Some(&user.id))?);
            let request = request.header("Content-Type", SCIM_JSON).body(body.clone());
            Ok(match &user.version {
                Some(version) => request.header("If-Match", version),
                None => request,
            })
        };
        self.call(request, unknown).await
    }

    fn user(&self, resource: &Value, version: Option<String>) -> Result<DirectoryUser, DirectoryError> {
        user_from(resource, version, self.config.marker_attribute.as_deref()).ok_or(DirectoryError::Ambiguous)
    }

    async fn read(&self, url: Url) -> Result<Value, DirectoryError> {
        let response = self.call(|| Ok(self.client.get(url.clone())), not_applied).await?;
        read_json(judge(response, not_applied)?).await
    }

    /// Sends a request with our credential; once more with a fresh token when that one is refused.
    async fn call(
        &self,
        request: impl Fn() -> Result<RequestBuilder, DirectoryError>,
        broken: fn(&'static str) -> DirectoryError,
    ) -> Result<Response, DirectoryError> {
        let mut token = self.credentials.token().await?;
        for last in [false, true] {
            let request = request()?.bearer_auth(token.expose()).header("Accept", SCIM_JSON);
            let response = match request.send().await {
                Ok(response) => response,
                Err(error) if outbound::surely_not_sent(&error) => {
                    return Err(DirectoryError::NotApplied("unreachable"));
                }
                Err(error) if error.is_timeout() => return Err(broken("timeout")),
                Err(_) => return Err(broken("broke_off")),
            };
            let stale = response.status() == StatusCode::UNAUTHORIZED && !last && self.credentials.renews();
            if !stale {
                return Ok(response);
            }
            token = self.credentials.renewed(&token).await?;
        }
        Err(DirectoryError::NotApplied("unauthorized"))
    }

    fn users(&self, realm: &Realm, id: Option<&str>) -> Result<Url, DirectoryError> {
        let has_realm = self.config.base_url.contains("{realm}");
        if !has_realm && !realm.as_str().eq_ignore_ascii_case(Realm::primary().as_str()) {
            return Err(DirectoryError::NotFound);
        }
        // A realm is a slug, so it needs no encoding.
        let base = self.config.base_url.replace("{realm}", realm.as_str());
        let mut url = Url::parse(&base).map_err(|_| DirectoryError::NotApplied("base_url"))?;
        let mut path = url.path_segments_mut().map_err(|()| DirectoryError::NotApplied("base_url"))?;
        path.pop_if_empty().push("Users");
        if let Some(id) = id {
            path.push(id);
        }
        drop(path);
        Ok(url)
    }
}

/// What a status means; `broken` says what an answer means that tells nothing.
fn judge(response: Response, broken: fn(&'static str) -> DirectoryError) -> Result<Response, DirectoryError> {
    match response.status() {
        status if status.is_success() => Ok(response),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(DirectoryError::NotFound),
        StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => Err(DirectoryError::Changed),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(DirectoryError::NotApplied("unauthorized")),
        StatusCode::TOO_MANY_REQUESTS => Err(DirectoryError::NotApplied("throttled")),
        status if status.is_client_error() => Err(DirectoryError::NotApplied("refused")),
        status if status.is_server_error() => Err(broken("server_error")),
        _ => Err(broken("redirect")),
    }
}

/// A 400 for a password: the directory's policy, if it says so (RFC 7644 §3.12), with its words as far as they can be shown.
async fn policy_refusal(response: Response, password: &Password) -> DirectoryError {
    let Ok(body) = read_json(response).await else { return DirectoryError::NotApplied("refused") };
    if body.get("scimType").and_then(Value::as_str) != Some("invalidValue") {
        return DirectoryError::NotApplied("refused");
    }
    let detail = body.get("detail").and_then(Value::as_str).filter(|detail| !detail.contains(password.expose()));
    DirectoryError::PasswordRejected { reason: detail.and_then(|detail| outbound::safe_line(detail, 200)) }
}

fn replace(path: &str, value: &Value) -> Value {
    json!({"op": "replace", "path": path, "value": value})
}

const fn not_applied(code: &'static str) -> DirectoryError {
    DirectoryError::NotApplied(code)
}

const fn unknown(code: &'static str) -> DirectoryError {
    DirectoryError::Unknown(code)
}

fn etag(response: &Response) -> Option<String> {
    response.headers().get("ETag")?.to_str().ok().map(str::to_owned)
}

async fn read_json(response: Response) -> Result<Value, DirectoryError> {
    let body = outbound::read_body(response).await.ok_or(DirectoryError::NotApplied("unreadable"))?;
    serde_json::from_slice(&body).map_err(|_| DirectoryError::NotApplied("unreadable"))
}

/// Whether a list answer holds all there is.
fn is_whole(list: &Value, listed: usize) -> bool {
    list.get("totalResults")
        .and_then(Value::as_u64)
        .is_none_or(|total| usize::try_from(total).is_ok_and(|total| total <= listed))
}

#[cfg(test)]
mod tests;
