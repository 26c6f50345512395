//! The one place where a gateway is called.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use url::Url;

use super::Outcome;
use super::answer::Answer;
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::outbound::{self, Egress, OutboundError};

/// A way to a gateway: kept connections, a deadline for each call, no redirects, bounded answers.
pub(super) struct Line {
    client: Client,
    clock: Arc<dyn Clock>,
}

impl Line {
    pub(super) fn new(egress: &Egress, timeout: Duration, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        Ok(Self { client: egress.client(timeout)?, clock })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What comes of a request, if it could be made: its answer is judged by `judge`.
    pub(super) async fn outcome(
        &self,
        request: Result<RequestBuilder, Outcome>,
        judge: impl FnOnce(&Answer) -> Outcome,
    ) -> Outcome {
        let answer = match request {
            Ok(request) => self.ask(request).await,
            Err(outcome) => Err(outcome),
        };
        answer.map_or_else(|outcome| outcome, |answer| judge(&answer))
    }

    /// The answer to a request, or what it means that there is none.
    async fn ask(&self, request: RequestBuilder) -> Result<Answer, Outcome> {
        let response = request.send().await.map_err(|error| no_answer(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let after = outbound::retry_after(&response, self.now());
        Ok(Answer { status, headers, body: outbound::read_body(response).await, after })
    }
}

fn no_answer(error: &reqwest::Error) -> Outcome {
    if let Some(code) = outbound::not_sent(error, "gateway_unreachable") {
        return Outcome::NotSent { code };
    }
    let code = if error.is_timeout() { "gateway_timeout" } else { "gateway_broke_off" };
    Outcome::Unknown { code: code.to_owned(), after: None }
}

/// The address of a route below the one that is configured.
pub(super) fn below(base: &Url, route: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{route}", base.path().trim_end_matches('/')));
    url
}
