//! The issuer's published keys: cached, fetched again when they are old or a key is asked for that is not there.
//!
//! Only the configured URL is ever asked; what a token says of keys (`jku`, `jwk`, `x5u`) is not looked at.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Client;
use tokio::sync::{Mutex, MutexGuard, RwLock};
use url::Url;

use crate::domain::time::Timestamp;
use crate::outbound::{self, Egress, OutboundError};

/// Keys are fetched again after this.
const MAX_AGE: Duration = Duration::from_hours(1);
/// An unknown key makes us ask at most this often.
pub(super) const MIN_AGE: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(5);

/// The keys can't be had.
#[derive(Debug)]
pub(super) struct NoKeys;

/// The keys by their id, each with the algorithm it is bound to, if any.
type Keys = HashMap<String, (Option<String>, Arc<DecodingKey>)>;

pub struct Jwks {
    client: Client,
    url: Url,
    published: RwLock<Published>,
    /// When they were last asked for. Held while they are fetched, so that only one request is; who has a key does not wait.
    asked_at: Mutex<Option<Timestamp>>,
}

#[derive(Default)]
struct Published {
    keys: Keys,
    fetched_at: Option<Timestamp>,
}

impl Published {
    fn is_old(&self, now: Timestamp) -> bool {
        self.fetched_at.is_none_or(|at| now.since(at) >= MAX_AGE)
    }

    fn usable(&self, kid: &str, algorithm: Algorithm) -> Result<Option<Arc<DecodingKey>>, NoKeys> {
        self.fetched_at.ok_or(NoKeys)?;
        let Some((named, key)) = self.keys.get(kid) else { return Ok(None) };
        Ok(named.as_ref().is_none_or(|named| *named == format!("{algorithm:?}")).then(|| Arc::clone(key)))
    }
}

impl Jwks {
    /// # Errors
    /// [`OutboundError`] when the URL is not one whose answer can be believed.
    pub fn new(egress: &Egress, url: Url, allow_insecure_http: bool) -> Result<Self, OutboundError> {
        outbound::check_url(&url, allow_insecure_http)?;
        Ok(Self { client: egress.client(DEADLINE)?, url, published: RwLock::default(), asked_at: Mutex::default() })
    }

    /// The key of this id, when it may be used with this algorithm.
    pub(super) async fn find(
        &self,
        kid: &str,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Option<Arc<DecodingKey>>, NoKeys> {
        let (is_known, is_old) = {
            let published = self.published.read().await;
            (published.keys.contains_key(kid), published.is_old(now))
        };
        if !is_known {
            self.refresh(kid, now, self.asked_at.lock().await).await;
        } else if is_old && let Ok(asked_at) = self.asked_at.try_lock() {
            self.refresh(kid, now, asked_at).await;
        }
        self.published.read().await.usable(kid, algorithm)
    }

    /// Fetches the keys, unless that was done or tried a moment ago.
    async fn refresh(&self, kid: &str, now: Timestamp, mut asked_at: MutexGuard<'_, Option<Timestamp>>) {
        {
            let published = self.published.read().await;
            let is_needed = published.is_old(now) || !published.keys.contains_key(kid);
            if !is_needed || asked_at.is_some_and(|at| now.since(at) < MIN_AGE) {
                return;
            }
        }
        *asked_at = Some(now);
        if let Some(keys) = self.fetch().await {
            *self.published.write().await = Published { keys, fetched_at: Some(now) };
        } else {
            tracing::warn!("the token issuer's keys can't be fetched");
        }
    }

    async fn fetch(&self) -> Option<Keys> {
        let response = self.client.get(self.url.clone()).send().await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let set: serde_json::Value = serde_json::from_slice(&outbound::read_body(response).await?).ok()?;
        // Keys of kinds that we do not know, and those that encrypt, are passed over.
        let usable = set.get("keys")?.as_array()?.iter().filter_map(|key| {
            let jwk: Jwk = serde_json::from_value(key.clone()).ok()?;
            if jwk.common.public_key_use == Some(PublicKeyUse::Encryption) {
                return None;
            }
            let key = DecodingKey::from_jwk(&jwk).ok()?;
            let algorithm = jwk.common.key_algorithm.map(|algorithm| algorithm.to_string());
            Some((jwk.common.key_id?, (algorithm, Arc::new(key))))
        });
        Some(usable.collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::matchers::method;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_514_400_000);

    /// An issuer that answers once with these uses of the key by its id, and never again.
    async fn issuer(published: &[(&str, &str)]) -> (Jwks, MockServer) {
        let keys: Vec<_> = published
            .iter()
            .map(|(kid, used_for)| {
                let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
                json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": used_for})
            })
            .collect();
        let server = MockServer::start().await;
        let answer = |response| Mock::given(method("GET")).respond_with(response);
        answer(ResponseTemplate::new(200).set_body_json(json!({"keys": keys}))).up_to_n_times(1).mount(&server).await;
        answer(ResponseTemplate::new(200).set_delay(Duration::from_hours(1))).mount(&server).await;
        (Jwks::new(&Egress::default(), server.uri().parse().unwrap(), false).unwrap(), server)
    }

    async fn is_found(jwks: &Jwks, kid: &str, now: Timestamp) -> bool {
        jwks.find(kid, Algorithm::EdDSA, now).await.unwrap().is_some()
    }

    #[tokio::test]
    async fn a_key_that_encrypts_checks_no_signature() {
        let (jwks, _issuer) = issuer(&[("signs", "sig"), ("encrypts", "enc")]).await;
        assert!(is_found(&jwks, "signs", NOW).await);
        assert!(!is_found(&jwks, "encrypts", NOW).await);
    }

    #[tokio::test]
    async fn who_has_a_key_does_not_wait_while_the_issuer_is_asked_for_another() {
        for later in [MIN_AGE, MAX_AGE] {
            let (jwks, _issuer) = issuer(&[("known", "sig")]).await;
            assert!(is_found(&jwks, "known", NOW).await);
            let now = NOW.after(later);
            tokio::select! {
                biased;
                _ = is_found(&jwks, "unknown", now) => panic!("it waits for the issuer, who is silent"),
                found = is_found(&jwks, "known", now) => assert!(found),
            }
        }
    }
}
