use serde_json::{Value, json};
use wiremock::matchers::method;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{Settings, TestApp};

/// Lets endpoints be on this machine.
pub(crate) const NEAR: &str =
    "[outbound]\nallow_insecure_http = true\n[webhooks]\nallowed_ranges = [\"127.0.0.0/8\"]\ntimeout_ms = 2000";

/// What the platform runs to take events: takes everything, unless told otherwise.
pub(crate) struct Receiver {
    server: MockServer,
}

/// An event as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) timestamp: i64,
    pub(crate) signatures: Vec<String>,
    pub(crate) raw: String,
    pub(crate) body: Value,
}

impl Received {
    /// Whether another implementation of Standard Webhooks makes one of the signatures with this secret.
    pub(crate) fn is_signed_with(&self, secret: &Value) -> bool {
        let verifier = standardwebhooks::Webhook::new(secret.as_str().unwrap()).unwrap();
        self.signatures.contains(&verifier.sign(&self.id, self.timestamp, self.raw.as_bytes()).unwrap())
    }

    pub(crate) fn event(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let receiver = Self { server: MockServer::start().await };
        let taken = ResponseTemplate::new(204);
        Mock::given(method("POST")).respond_with(taken).with_priority(9).mount(&receiver.server).await;
        receiver
    }

    pub(crate) fn url(&self) -> String {
        format!("{}/events", self.server.uri())
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.address().port()
    }

    /// The next `times` events get this answer.
    pub(crate) async fn answers(&self, response: ResponseTemplate, times: u64) {
        let mock = Mock::given(method("POST")).respond_with(response).up_to_n_times(times).with_priority(1);
        mock.mount(&self.server).await;
    }

    /// Every event that arrived, in order.
    pub(crate) async fn received(&self) -> Vec<Received> {
        self.server.received_requests().await.unwrap().iter().map(read).collect()
    }

    /// The types of the events that arrived, in order.
    pub(crate) async fn types(&self) -> Vec<String> {
        self.received().await.iter().map(|event| event.event().to_owned()).collect()
    }
}

fn read(request: &Request) -> Received {
    let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json");
    Received {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp").parse().unwrap(),
        signatures: header("webhook-signature").split(' ').map(str::to_owned).collect(),
        raw: String::from_utf8(request.body.clone()).unwrap(),
        body: serde_json::from_slice(&request.body).unwrap(),
    }
}

impl TestApp {
    /// A service whose endpoints may be on this machine.
    pub(crate) async fn near() -> Self {
        Self::with(Settings { sections: NEAR, ..Settings::default() }).await
    }

    /// Registers the receiver for these events, all when there are none.
    pub(crate) async fn webhook(&self, receiver: &Receiver, events: &[&str]) -> Value {
        self.post("/v1/webhooks", json!({"url": receiver.url(), "events": events})).await.ok(201)
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> super::Reply {
        self.send(self.request("PATCH", path).bearer_auth(self.token()).json(&body)).await
    }
}
