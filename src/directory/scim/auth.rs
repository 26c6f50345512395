//! How the directory knows us: a fixed bearer token, or one fetched with client credentials (RFC 6749 §4.4) and kept while it lasts.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::clock::Clock;
use crate::directory::DirectoryError;
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::outbound;

/// A token is renewed this long before it ends.
const MARGIN: Duration = Duration::from_secs(30);
/// Life of a token that tells none.
const DEFAULT_LIFE: u64 = 300;

#[derive(Clone)]
pub enum ScimCredential {
    Bearer(Secret),
    ClientCredentials { token_url: Url, client_id: String, client_secret: Secret, scope: Option<String> },
}

pub(super) struct Credentials {
    credential: ScimCredential,
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
    pub(super) fn new(credential: ScimCredential, client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { credential, client, clock, cached: Mutex::new(None) }
    }

    /// Whether a refused token can be replaced by a fresh one.
    pub(super) const fn renews(&self) -> bool {
        matches!(self.credential, ScimCredential::ClientCredentials { .. })
    }

    pub(super) async fn token(&self) -> Result<Secret, DirectoryError> {
        if let ScimCredential::Bearer(token) = &self.credential {
            return Ok(token.clone());
        }
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

    /// A token other than the one that was refused.
    pub(super) async fn renewed(&self, refused: &Secret) -> Result<Secret, DirectoryError> {
        self.cached.lock().await.take_if(|(token, _)| token.expose() == refused.expose());
        self.token().await
    }

    async fn fetch(&self) -> Result<(Secret, Duration), DirectoryError> {
        let ScimCredential::ClientCredentials { token_url, client_id, client_secret, scope } = &self.credential else {
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
