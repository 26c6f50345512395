//! Access tokens that are fetched with client credentials (RFC 6749 §4.4) or a password (§4.3), and kept while they last.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use super::{ProxyFault, read_body, surely_not_sent};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;

/// A token is renewed this long before it ends.
const MARGIN: Duration = Duration::from_secs(30);
/// Life of a token that tells none, in seconds.
const DEFAULT_LIFE: u64 = 300;

/// What a token is asked for with. The client's secret goes by HTTP Basic.
pub struct Grant {
    pub token_url: Url,
    pub client_id: String,
    pub client_secret: Secret,
    pub scope: Option<String>,
    /// User name and password, for a password grant.
    pub owner: Option<(String, Secret)>,
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token endpoint refuses the credential")]
    Refused,
    #[error("the token endpoint can't be reached")]
    Unreachable,
    #[error(transparent)]
    Proxy(ProxyFault),
    #[error("the token endpoint gave no token")]
    Unavailable,
}

/// The current token of a grant.
pub struct Tokens {
    grant: Grant,
    /// Held while a token is fetched, so that only one is.
    cached: Mutex<Option<(Secret, Timestamp)>>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<u64>,
}

impl Tokens {
    #[must_use]
    pub fn new(grant: Grant) -> Self {
        Self { grant, cached: Mutex::new(None) }
    }

    /// A token that is good for a call now.
    ///
    /// # Errors
    /// [`TokenError`] when there is none.
    pub async fn current(&self, client: &Client, now: Timestamp) -> Result<Secret, TokenError> {
        let mut cached = self.cached.lock().await;
        if let Some((token, until)) = &*cached
            && *until > now
        {
            return Ok(token.clone());
        }
        let (token, life) = self.fetch(client).await?;
        *cached = Some((token.clone(), now.after(life.saturating_sub(MARGIN))));
        Ok(token)
    }

    /// Lets the next call fetch another one.
    pub async fn forget(&self) {
        *self.cached.lock().await = None;
    }

    /// As [`Tokens::forget`], unless another token has taken the place of the one that was refused.
    pub async fn forget_refused(&self, refused: &Secret) {
        self.cached.lock().await.take_if(|(token, _)| token.expose() == refused.expose());
    }

    async fn fetch(&self, client: &Client) -> Result<(Secret, Duration), TokenError> {
        let Grant { token_url, client_id, client_secret, scope, owner } = &self.grant;
        let mut form = match owner {
            Some((name, password)) => {
                vec![("grant_type", "password"), ("username", name.as_str()), ("password", password.expose())]
            }
            None => vec![("grant_type", "client_credentials")],
        };
        form.extend(scope.as_deref().map(|scope| ("scope", scope)));
        let request = client.post(token_url.clone()).basic_auth(client_id, Some(client_secret.expose())).form(&form);
        let response = request.send().await.map_err(|error| match ProxyFault::of_error(&error) {
            Some(fault) => TokenError::Proxy(fault),
            None if surely_not_sent(&error) => TokenError::Unreachable,
            None => TokenError::Unavailable,
        })?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(TokenError::Refused);
            }
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => return Err(TokenError::Proxy(ProxyFault::Unauthorized)),
            _ => return Err(TokenError::Unavailable),
        }
        let body = read_body(response).await.ok_or(TokenError::Unavailable)?;
        let answer: Answer = serde_json::from_slice(&body).or(Err(TokenError::Unavailable))?;
        let life = Duration::from_secs(answer.expires_in.unwrap_or(DEFAULT_LIFE));
        Ok((Secret::new(answer.access_token), life))
    }
}
