//! What each vendor gets, and what each of its answers means.

mod email;
mod http;
mod probe;
mod sender;
mod sms;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use url::Url;
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers};

use super::*;
use crate::clock::SystemClock;
use crate::domain::secret::Secret;

/// Makes a driver for a vendor that listens at the address.
type Driver<D> = fn(Url) -> D;

fn sender() -> Sender {
    Sender::parse("Example <no-reply@example.com>").unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn message_to(to: &Email) -> EmailMessage<'_> {
    EmailMessage {
        message_id: "msg_1",
        tenant: "acme.example",
        kind: "invitation_email_link",
        to,
        to_name: Some("Alex"),
        from: None,
        reply_to: None,
        subject: "Set your password",
        text: "text & more",
        html: "<p>html</p>",
    }
}

async fn send_email(driver: EmailDriver) -> Outcome {
    let gateway = EmailGateway::new(&Egress::default(), driver, Duration::from_secs(5), Arc::new(SystemClock)).unwrap();
    gateway.send(&message_to(&Email::parse("alex@example.com").unwrap())).await
}

/// Sends a message whose tenant has a sender of its own.
async fn send_as_tenant(driver: EmailDriver) -> Outcome {
    let gateway = EmailGateway::new(&Egress::default(), driver, Duration::from_secs(5), Arc::new(SystemClock)).unwrap();
    let (to, reply_to) = (Email::parse("alex@example.com").unwrap(), Email::parse("help@acme.example").unwrap());
    let from = Sender::parse("Acmé <hello@acme.example>").unwrap();
    gateway.send(&EmailMessage { from: Some(&from), reply_to: Some(&reply_to), ..message_to(&to) }).await
}

/// A vendor that gives one answer to everything.
async fn vendor(answer: ResponseTemplate) -> (MockServer, Url) {
    let server = MockServer::start().await;
    Mock::given(matchers::any()).respond_with(answer).mount(&server).await;
    let url = Url::parse(&server.uri()).unwrap();
    (server, url)
}

/// What the vendor received, once.
async fn request(server: &MockServer) -> Request {
    let mut received = server.received_requests().await.unwrap();
    assert_eq!(received.len(), 1);
    received.remove(0)
}

fn json_of(request: &Request) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

fn form_of(request: &Request) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers[name].to_str().unwrap()
}

/// An answer with a status and a body that is JSON when it looks like it.
fn answer(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(body, "application/json")
}

fn accepted(id: &str) -> Outcome {
    Outcome::Accepted { provider_id: Some(id.to_owned()) }
}

fn rejected(code: &str) -> Outcome {
    Outcome::Rejected { code: code.to_owned() }
}

fn misconfigured(code: &str) -> Outcome {
    Outcome::Misconfigured { code: code.to_owned() }
}

fn unknown(code: &str) -> Outcome {
    Outcome::Unknown { code: code.to_owned(), after: None }
}

const fn throttled(seconds: Option<u64>) -> Outcome {
    match seconds {
        Some(seconds) => Outcome::Throttled { after: Some(Duration::from_secs(seconds)) },
        None => Outcome::Throttled { after: None },
    }
}
