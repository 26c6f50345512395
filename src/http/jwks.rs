//! The issuer's published keys: cached, fetched again when they are old or a key is asked for that is not there.
//!
//! Only the configured URL is ever asked; what a token says of keys (`jku`, `jwk`, `x5u`) is not looked at.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Client;
use tokio::sync::Mutex;
use url::Url;

use crate::domain::time::Timestamp;
use crate::outbound::{self, OutboundError};

/// Keys are fetched again after this.
const MAX_AGE: Duration = Duration::from_hours(1);
/// An unknown key makes us ask at most this often.
pub(super) const MIN_AGE: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(5);

/// The keys can't be had.
#[derive(Debug)]
pub(super) struct NoKeys;

pub struct Jwks {
    client: Client,
    url: Url,
    /// Held while keys are fetched, so that only one request is.
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    keys: HashMap<String, (Option<String>, Arc<DecodingKey>)>,
    fetched_at: Option<Timestamp>,
    asked_at: Option<Timestamp>,
}

impl Cache {
    fn usable(&self, kid: &str, algorithm: Algorithm) -> Option<Arc<DecodingKey>> {
        let (named, key) = self.keys.get(kid)?;
        named.as_ref().is_none_or(|named| *named == format!("{algorithm:?}")).then(|| Arc::clone(key))
    }
}

impl Jwks {
    /// # Errors
    /// [`OutboundError`] when the URL is not one whose answer can be believed.
    pub fn new(url: Url, allow_insecure_http: bool) -> Result<Self, OutboundError> {
        outbound::check_url(&url, allow_insecure_http)?;
        Ok(Self { client: outbound::client(DEADLINE)?, url, cache: Mutex::new(Cache::default()) })
    }

    /// The key of this id, when it may be used with this algorithm.
    pub(super) async fn find(
        &self,
        kid: &str,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Option<Arc<DecodingKey>>, NoKeys> {
        let mut cache = self.cache.lock().await;
        let is_old = cache.fetched_at.is_none_or(|at| now.since(at) >= MAX_AGE);
        let may_ask = cache.asked_at.is_none_or(|at| now.since(at) >= MIN_AGE);
        if may_ask && (is_old || !cache.keys.contains_key(kid)) {
            cache.asked_at = Some(now);
            if let Some(keys) = self.fetch().await {
                (cache.keys, cache.fetched_at) = (keys, Some(now));
            } else {
                tracing::warn!("the token issuer's keys can't be fetched");
            }
        }
        if cache.fetched_at.is_none() {
            return Err(NoKeys);
        }
        Ok(cache.usable(kid, algorithm))
    }

    async fn fetch(&self) -> Option<HashMap<String, (Option<String>, Arc<DecodingKey>)>> {
        let response = self.client.get(self.url.clone()).send().await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let set: serde_json::Value = serde_json::from_slice(&outbound::read_body(response).await?).ok()?;
        // Keys of kinds that we do not know are passed over.
        let usable = set.get("keys")?.as_array()?.iter().filter_map(|key| {
            let jwk: Jwk = serde_json::from_value(key.clone()).ok()?;
            let key = DecodingKey::from_jwk(&jwk).ok()?;
            let algorithm = jwk.common.key_algorithm.map(|algorithm| algorithm.to_string());
            Some((jwk.common.key_id?, (algorithm, Arc::new(key))))
        });
        Some(usable.collect())
    }
}
