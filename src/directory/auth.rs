//! How the directory knows us: not at all, by name and password, by a fixed bearer token, or by one that is fetched with client
//! credentials (RFC 6749 §4.4) and kept while it lasts.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::DirectoryError;
use crate::clock::Clock;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::outbound::{self, OutboundError};

/// A token is renewed this long before it ends.
const MARGIN: Duration = Duration::from_secs(30);
/// Life of a token that tells none.
const DEFAULT_LIFE: u64 = 300;

/// What the directory asks of its callers.
#[derive(Clone)]
pub enum Credential {
    /// Nothing; the network keeps others out.
    None,
    Basic {
        username: String,
        password: Secret,
    },
    Bearer(Secret),
    /// The secret goes to the token endpoint by HTTP Basic.
    ClientCredentials {
        token_url: Url,
        client_id: String,
        client_secret: Secret,
        scope: Option<String>,
    },
}

impl Credential {
    pub(super) fn check(&self, allow_insecure_http: bool) -> Result<(), OutboundError> {
        match self {
            Self::ClientCredentials { token_url, .. } => outbound::check_url(token_url, allow_insecure_http),
            Self::None | Self::Basic { .. } | Self::Bearer(_) => Ok(()),
        }
    }
}

/// A token that a request was sent with, if it was fetched for it.
pub(super) type Fetched = Option<Secret>;

pub(super) struct Credentials {
    credential: Credential,
    client: Client,
    clock: Arc<dyn Clock>,
    /// Held while a token is fetched, so that only one is.
    cached: Mutex<Option<(Secret, Timestamp)>>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Secret,
    expires_in: Option<u64>,
}

impl Credentials {
    pub(super) fn new(credential: Credential, client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { credential, client, clock, cached: Mutex::new(None) }
    }

    /// The token for the next requests; `None` when none has to be fetched.
    pub(super) async fn fetched(&self) -> Result<Fetched, DirectoryError> {
        match &self.credential {
            Credential::ClientCredentials { .. } => self.token().await.map(Some),
            Credential::None | Credential::Basic { .. } | Credential::Bearer(_) => Ok(None),
        }
    }

    pub(super) fn sign(&self, request: RequestBuilder, fetched: &Fetched) -> RequestBuilder {
        match (&self.credential, fetched) {
            (_, Some(token)) | (Credential::Bearer(token), None) => request.bearer_auth(token.expose()),
            (Credential::Basic { username, password }, None) => request.basic_auth(username, Some(password.expose())),
            (Credential::None | Credential::ClientCredentials { .. }, None) => request,
        }
    }

    async fn token(&self) -> Result<Secret, DirectoryError> {
        let mut cached = self.cached.lock().await;
        let now = self.clock.now();
        if let Some((token, until)) = &*cached
            && *until > now
        {
            return Ok(token.clone());
        }
        let (token, life) = self.fetch().await?;
        *cached = Some((token.clone(), now.after(life.saturating_sub(MARGIN))));
        Ok(token)
    }

    /// A token other than the one that was refused; `None` when there is no other.
    pub(super) async fn renewed(&self, refused: Fetched) -> Result<Fetched, DirectoryError> {
        let Some(refused) = refused else { return Ok(None) };
        self.cached.lock().await.take_if(|(token, _)| token.expose() == refused.expose());
        self.token().await.map(Some)
    }

    async fn fetch(&self) -> Result<(Secret, Duration), DirectoryError> {
        let Credential::ClientCredentials { token_url, client_id, client_secret, scope } = &self.credential else {
            return Err(DirectoryError::NotApplied("no_credential"));
        };
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(scope.as_deref().map(|scope| ("scope", scope)));
        let request =
            self.client.post(token_url.clone()).basic_auth(client_id, Some(client_secret.expose())).form(&form);
        let response = request.send().await.map_err(|_| DirectoryError::NotApplied("token_endpoint"))?;
        if !response.status().is_success() {
            return Err(DirectoryError::NotApplied("token_endpoint"));
        }
        let body = outbound::read_body(response).await.ok_or(DirectoryError::NotApplied("token_endpoint"))?;
        let answer: TokenAnswer =
            serde_json::from_slice(&body).map_err(|_| DirectoryError::NotApplied("token_endpoint"))?;
        Ok((answer.access_token, Duration::from_secs(answer.expires_in.unwrap_or(DEFAULT_LIFE))))
    }
}
