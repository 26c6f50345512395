//! How the directory knows us: not at all, by name and password, by a fixed bearer token, or by one that is fetched with client
//! credentials (RFC 6749 §4.4) and kept while it lasts.

use std::sync::Arc;

use reqwest::{Client, RequestBuilder};
use url::Url;

use super::{DirectoryError, UNAUTHORIZED};
use crate::clock::Clock;
use crate::domain::secret::Secret;
use crate::outbound::token::{Grant, TokenError, Tokens};
use crate::outbound::{self, OutboundError};

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
    /// Where the credential is exchanged for tokens.
    tokens: Option<Tokens>,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl Credentials {
    pub(super) fn new(credential: Credential, client: Client, clock: Arc<dyn Clock>) -> Self {
        let tokens = match &credential {
            Credential::ClientCredentials { token_url, client_id, client_secret, scope } => Some(Tokens::new(Grant {
                token_url: token_url.clone(),
                client_id: client_id.clone(),
                client_secret: client_secret.clone(),
                scope: scope.clone(),
                owner: None,
            })),
            Credential::None | Credential::Basic { .. } | Credential::Bearer(_) => None,
        };
        Self { credential, tokens, client, clock }
    }

    /// The token for the next requests; `None` when none has to be fetched.
    pub(super) async fn fetched(&self) -> Result<Fetched, DirectoryError> {
        let Some(tokens) = &self.tokens else { return Ok(None) };
        let token = tokens.current(&self.client, self.clock.now()).await;
        token.map(Some).map_err(|error| match error {
            TokenError::Proxy(fault) => DirectoryError::NotApplied(fault.code()),
            TokenError::Refused => DirectoryError::NotApplied(UNAUTHORIZED),
            TokenError::Unreachable | TokenError::Unavailable => DirectoryError::NotApplied("token_endpoint"),
        })
    }

    pub(super) fn sign(&self, request: RequestBuilder, fetched: &Fetched) -> RequestBuilder {
        match (&self.credential, fetched) {
            (_, Some(token)) | (Credential::Bearer(token), None) => request.bearer_auth(token.expose()),
            (Credential::Basic { username, password }, None) => request.basic_auth(username, Some(password.expose())),
            (Credential::None | Credential::ClientCredentials { .. }, None) => request,
        }
    }

    /// A token other than the one that was refused; `None` when there is no other.
    pub(super) async fn renewed(&self, refused: Fetched) -> Result<Fetched, DirectoryError> {
        let (Some(tokens), Some(refused)) = (&self.tokens, refused) else { return Ok(None) };
        tokens.forget_refused(&refused).await;
        self.fetched().await
    }
}
