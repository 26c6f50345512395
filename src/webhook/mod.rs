//! Telling an endpoint of the platform what happened, signed as Standard Webhooks says.
//!
//! It knows how an event looks and how it is signed and sent; not which events there are to send, nor when one is sent again.

mod body;
mod sign;

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode};

pub use body::{Told, test_body};

use crate::clock::Clock;
use crate::domain::keys::Keyring;
use crate::domain::webhook::{Endpoint, SigningSecret, TargetRules, bind};
use crate::outbound::{self, Egress, OutboundError, guard};

/// Sends events.
pub struct Sender {
    client: Client,
    rules: TargetRules,
    keys: Arc<Keyring>,
    clock: Arc<dyn Clock>,
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// What the endpoint answered, if it did.
    pub status: Option<u16>,
    pub outcome: Outcome,
    pub took: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Any 2xx.
    Delivered,
    /// 410: the endpoint wants nothing any more.
    Gone,
    /// Anything else, with the reason's code and the endpoint's own wish when to come back.
    Failed { code: String, retry_after: Option<Duration> },
}

impl Outcome {
    /// Why it was not delivered.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Delivered => None,
            Self::Gone => Some("http_410"),
            Self::Failed { code, .. } => Some(code),
        }
    }

    fn failed(code: &str) -> Self {
        Self::Failed { code: code.to_owned(), retry_after: None }
    }
}

/// How events leave.
pub struct Way<'a> {
    pub egress: &'a Egress,
    /// Whether they go through the proxy, if there is one. Names are then its to judge, and no longer ours.
    pub use_proxy: bool,
    /// When a call ends.
    pub deadline: Duration,
}

impl Sender {
    /// # Errors
    /// [`OutboundError::Tls`] when the system has no usable TLS set-up.
    pub fn new(
        way: &Way<'_>,
        rules: TargetRules,
        keys: Arc<Keyring>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OutboundError> {
        let client = way.egress.guarded_client(way.deadline, &rules.reach, way.use_proxy)?;
        Ok(Self { client, rules, keys, clock })
    }

    /// What an endpoint's URL may be.
    #[must_use]
    pub const fn rules(&self) -> &TargetRules {
        &self.rules
    }

    /// Sends the body once, under an id that stays the same over all tries.
    pub async fn send(&self, endpoint: &Endpoint, id: &str, body: String) -> Attempt {
        let started = Instant::now();
        let (status, outcome) = self.post(endpoint, id, body).await;
        Attempt { status, outcome, took: started.elapsed() }
    }

    async fn post(&self, endpoint: &Endpoint, id: &str, body: String) -> (Option<u16>, Outcome) {
        // Judged again: the operator's rules may have changed since it was registered.
        let Ok(url) = self.rules.check(&endpoint.url) else { return (None, Outcome::failed("address_not_allowed")) };
        let now = self.clock.now();
        let Some(signatures) = self.signatures(endpoint, id, now.seconds(), &body) else {
            tracing::error!(endpoint.id = %endpoint.id, "the endpoint's secret does not open; is its master key gone?");
            return (None, Outcome::failed("secret_unreadable"));
        };
        let request = self
            .client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", now.seconds().to_string())
            .header("webhook-signature", signatures)
            .body(body);
        match request.send().await {
            Ok(response) => self.judge(response).await,
            Err(error) => (None, Outcome::failed(no_answer(&error))),
        }
    }

    async fn judge(&self, response: Response) -> (Option<u16>, Outcome) {
        let status = response.status();
        let retry_after = outbound::retry_after(&response, self.clock.now());
        // Read to its end, so that the connection can be used again; what it says does not matter.
        outbound::read_body(response).await;
        let outcome = match status {
            _ if status.is_success() => Outcome::Delivered,
            StatusCode::GONE => Outcome::Gone,
            _ => Outcome::Failed { code: format!("http_{}", status.as_u16()), retry_after },
        };
        (Some(status.as_u16()), outcome)
    }

    /// By the secret, and by the one before it while both count.
    fn signatures(&self, endpoint: &Endpoint, id: &str, seconds: i64, body: &str) -> Option<String> {
        let now = self.clock.now();
        let previous = endpoint.previous.as_ref().filter(|previous| previous.until > now);
        let sealed = std::iter::once(&endpoint.secret).chain(previous.map(|previous| &previous.sealed));
        let signatures: Option<Vec<String>> = sealed
            .map(|sealed| {
                let opened = bind(&endpoint.tenant, endpoint.id, |bound_to| self.keys.open(bound_to, sealed)).ok()?;
                Some(sign::signature(&SigningSecret::from_bytes(opened), id, seconds, body))
            })
            .collect();
        signatures.map(|signatures| signatures.join(" "))
    }
}

/// Why there is no answer.
fn no_answer(error: &reqwest::Error) -> &'static str {
    if guard::is_out_of_reach(error) {
        return "address_not_allowed";
    }
    if error.is_timeout() {
        return "endpoint_timeout";
    }
    outbound::not_sent(error, "endpoint_unreachable").unwrap_or("endpoint_broke_off")
}
