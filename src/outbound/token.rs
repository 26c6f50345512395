//! Access tokens that are fetched with client credentials (RFC 6749 §4.4) or a password (§4.3), and kept while they last.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde::Deserialize;
use url::Url;

use super::kept::{Kept, Lent};
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
    kept: Kept<Secret, TokenError>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<u64>,
}

impl Tokens {
    #[must_use]
    pub fn new(grant: Grant) -> Self {
        Self { grant, kept: Kept::default() }
    }

    /// A token that is good for a call now.
    ///
    /// # Errors
    /// [`TokenError`] when there is none.
    pub async fn current(&self, client: &Client, now: Timestamp) -> Result<Secret, TokenError> {
        let fetch = async || {
            let (token, life) = self.fetch(client).await?;
            let until = Some(now.after(life.saturating_sub(MARGIN)));
            Ok(Lent { value: token, renew_at: until, end: until })
        };
        self.kept.current(now, fetch).await
    }

    /// Lets the next call fetch another one.
    pub async fn forget(&self) {
        self.kept.forget_if(|_| true).await;
    }

    /// As [`Tokens::forget`], unless another token has taken the place of the one that was refused.
    pub async fn forget_refused(&self, refused: &Secret) {
        self.kept.forget_if(|token| token.expose() == refused.expose()).await;
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

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;
    use serde_json::json;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

    use super::*;
    use crate::outbound::Egress;
    use crate::outbound::kept::PAUSE;

    #[tokio::test]
    async fn those_who_waited_for_a_token_in_vain_do_not_wait_again_one_by_one() {
        let server = MockServer::start().await;
        let silent = ResponseTemplate::new(200).set_delay(Duration::from_mins(1));
        Mock::given(matchers::any()).respond_with(silent).up_to_n_times(1).mount(&server).await;
        let token = ResponseTemplate::new(200).set_body_json(json!({"access_token": "token"}));
        Mock::given(matchers::any()).respond_with(token).mount(&server).await;
        let grant = Grant {
            token_url: server.uri().parse().unwrap(),
            client_id: "client".to_owned(),
            client_secret: Secret::new("secret".to_owned()),
            scope: None,
            owner: None,
        };
        let (tokens, now) = (Tokens::new(grant), Timestamp::from_millis(1_000_000));
        let client = Egress::default().client(Duration::from_millis(300)).unwrap();
        let asked = join_all((0..8).map(|_| tokens.current(&client, now))).await;
        assert!(asked.iter().all(|answer| matches!(answer, Err(TokenError::Unavailable))));
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
        assert!(tokens.current(&client, now.after(PAUSE)).await.is_ok_and(|token| token.expose() == "token"));
    }
}
