//! How every driver calls its directory, and what the answers mean that are the same for all of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use url::Url;

use super::address::BaseUrl;
use super::auth::{Credential, Credentials, Fetched};
use super::{DirectoryError, REFUSED, UNAUTHORIZED};
use crate::clock::Clock;
use crate::domain::secret::Password;
use crate::metrics::Metrics;
use crate::outbound::{self, Egress, OutboundError, ProxyFault};

/// The media type of everything but SCIM.
pub(super) const JSON: &str = "application/json";

/// What is known when a call gives no answer that tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It changes nothing, so nothing was changed.
    Read,
    /// It may have been applied.
    Write,
}

impl Kind {
    const fn broken(self, code: &'static str) -> DirectoryError {
        match self {
            Self::Read => DirectoryError::NotApplied(code),
            Self::Write => DirectoryError::Unknown(code),
        }
    }
}

/// One call.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    /// JSON, and its media type.
    pub(super) body: Option<(String, &'static str)>,
    pub(super) accept: &'static str,
    pub(super) if_match: Option<&'a str>,
}

impl Call<'_> {
    pub(super) const fn get(url: Url, accept: &'static str) -> Self {
        Self { method: Method::GET, url, body: None, accept, if_match: None }
    }

    fn kind(&self) -> Kind {
        if self.method == Method::GET { Kind::Read } else { Kind::Write }
    }

    fn request(&self, client: &Client) -> RequestBuilder {
        let mut request = client.request(self.method.clone(), self.url.clone()).header("Accept", self.accept);
        if let Some((body, media_type)) = &self.body {
            request = request.header("Content-Type", *media_type).body(body.clone());
        }
        match self.if_match {
            Some(version) => request.header("If-Match", version),
            None => request,
        }
    }
}

/// Where a directory is and how it knows us.
pub struct Endpoint {
    pub egress: Egress,
    pub base_url: BaseUrl,
    pub credential: Credential,
    /// Of one call.
    pub timeout: Duration,
    pub allow_insecure_http: bool,
    pub metrics: Arc<Metrics>,
}

/// A client that the directory knows.
pub(super) struct Caller {
    client: Client,
    credentials: Credentials,
    pub(super) base_url: BaseUrl,
    pub(super) timeout: Duration,
    metrics: Arc<Metrics>,
}

impl Caller {
    pub(super) fn new(endpoint: Endpoint, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        let Endpoint { egress, base_url, credential, timeout, allow_insecure_http, metrics } = endpoint;
        credential.check(allow_insecure_http)?;
        let client = egress.client(timeout)?;
        let credentials = Credentials::new(credential, client.clone(), clock);
        Ok(Self { client, credentials, base_url, timeout, metrics })
    }

    /// The answer, if it is a success; once more with a fresh token when that one is refused.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Response, DirectoryError> {
        let response = self.send(call).await?;
        judge(response, call.kind()).await
    }

    /// The answer to a read, with its `ETag`.
    pub(super) async fn read(&self, call: &Call<'_>) -> Result<(Value, Option<String>), DirectoryError> {
        let response = self.call(call).await?;
        let version = etag(&response);
        Ok((read_json(response).await?, version))
    }

    /// The answer, whatever it is; once more with a fresh token when that one is refused.
    pub(super) async fn send(&self, call: &Call<'_>) -> Result<Response, DirectoryError> {
        let mut token = self.credentials.fetched().await?;
        for last in [false, true] {
            let response = self.send_once(call, &token).await?;
            if response.status() != StatusCode::UNAUTHORIZED || last || token.is_none() {
                return Ok(response);
            }
            token = self.credentials.renewed(token).await?;
        }
        Err(DirectoryError::NotApplied(UNAUTHORIZED))
    }

    async fn send_once(&self, call: &Call<'_>, token: &Fetched) -> Result<Response, DirectoryError> {
        let request = self.credentials.sign(call.request(&self.client), token);
        let started = Instant::now();
        let sent = request.send().await.map_err(|error| NoAnswer::of(&error));
        let result = match &sent {
            Ok(response) => response.status().as_str().to_owned(),
            Err(no_answer) => no_answer.code.to_owned(),
        };
        self.metrics.asked_directory(call.method.as_str(), result, started.elapsed());
        sent.map_err(
            |NoAnswer { code, was_sent }| {
                if was_sent { call.kind().broken(code) } else { DirectoryError::NotApplied(code) }
            },
        )
    }
}

/// Why there is no answer.
struct NoAnswer {
    code: &'static str,
    /// Whether the call can have reached the directory.
    was_sent: bool,
}

impl NoAnswer {
    fn of(error: &reqwest::Error) -> Self {
        match outbound::not_sent(error, "unreachable") {
            Some(code) => Self { code, was_sent: false },
            None => Self { code: if error.is_timeout() { "timeout" } else { "broke_off" }, was_sent: true },
        }
    }
}

/// What a status means.
pub(super) async fn judge(response: Response, kind: Kind) -> Result<Response, DirectoryError> {
    match response.status() {
        status if status.is_success() => Ok(response),
        StatusCode::NOT_FOUND | StatusCode::GONE => Err(not_found(response).await),
        StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => Err(DirectoryError::Changed),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(DirectoryError::NotApplied(UNAUTHORIZED)),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(DirectoryError::NotApplied(ProxyFault::Unauthorized.code())),
        StatusCode::TOO_MANY_REQUESTS => Err(DirectoryError::NotApplied("throttled")),
        StatusCode::NOT_IMPLEMENTED => Err(DirectoryError::NotApplied(REFUSED)),
        status if status.is_client_error() => Err(DirectoryError::NotApplied(REFUSED)),
        status if status.is_server_error() => Err(kind.broken("server_error")),
        _ => Err(kind.broken("redirect")),
    }
}

/// What is not there according to the directory itself, which answers in JSON: RFC 7644 §3.12, and the others alike. A page that something in front
/// of it or at a wrong address shows says nothing of a user.
async fn not_found(response: Response) -> DirectoryError {
    match read_json(response).await {
        Ok(Value::Object(_)) => DirectoryError::NotFound,
        Ok(_) | Err(_) => DirectoryError::NotApplied("no_such_route"),
    }
}

/// The directory's password policy refused, with its words as far as they can be shown.
pub(super) fn rejected(words: Option<&str>, password: &Password) -> DirectoryError {
    let words = words.filter(|words| !words.contains(password.expose()));
    DirectoryError::PasswordRejected { reason: words.and_then(|words| outbound::safe_line(words, 200)) }
}

pub(super) async fn read_json(response: Response) -> Result<Value, DirectoryError> {
    let body = outbound::read_body(response).await.ok_or(DirectoryError::NotApplied("unreadable"))?;
    serde_json::from_slice(&body).map_err(|_| DirectoryError::NotApplied("unreadable"))
}

fn etag(response: &Response) -> Option<String> {
    response.headers().get("ETag")?.to_str().ok().map(str::to_owned)
}
