//! The generic gateway: one POST of JSON with the message's id as idempotency key; any 2xx is acceptance.

use reqwest::{Client, RequestBuilder};
use serde::Serialize;
use url::Url;

use super::answer::{Dialect, Place};
use super::{EmailMessage, SmsMessage};
use crate::domain::contact::Email;
use crate::domain::secret::Secret;

/// Only statuses count, and an `{"id"}` in the answer is kept.
pub(super) const DIALECT: Dialect<'_> = Dialect { id: &[Place::Json("/id")], ..Dialect::PLAIN };

/// Where a webhook gateway is and how it knows us.
pub struct Webhook {
    pub url: Url,
    pub token: Secret,
    /// Sender as the recipient sees it.
    pub from: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EmailBody<'a> {
    message_id: &'a str,
    tenant: &'a str,
    kind: &'a str,
    to: &'a str,
    to_name: Option<&'a str>,
    from: &'a str,
    /// Left out where there is none, as it was before there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    subject: &'a str,
    text: &'a str,
    html: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SmsBody<'a> {
    message_id: &'a str,
    tenant: &'a str,
    kind: &'a str,
    to: &'a str,
    from: &'a str,
    text: &'a str,
}

impl Webhook {
    pub(super) fn email(&self, client: &Client, message: &EmailMessage<'_>) -> RequestBuilder {
        let own = message.from.map(ToString::to_string);
        let body = EmailBody {
            message_id: message.message_id,
            tenant: message.tenant,
            kind: message.kind,
            to: message.to.as_str(),
            to_name: message.to_name,
            from: own.as_deref().unwrap_or(&self.from),
            reply_to: message.reply_to.map(Email::as_str),
            subject: message.subject,
            text: message.text,
            html: message.html,
        };
        self.post(client, message.message_id, &body)
    }

    pub(super) fn sms(&self, client: &Client, message: &SmsMessage<'_>) -> RequestBuilder {
        let body = SmsBody {
            message_id: message.message_id,
            tenant: message.tenant,
            kind: message.kind,
            to: message.to.as_str(),
            from: message.from.unwrap_or(&self.from),
            text: message.text,
        };
        self.post(client, message.message_id, &body)
    }

    fn post(&self, client: &Client, message_id: &str, body: &impl Serialize) -> RequestBuilder {
        let request = client.post(self.url.clone()).bearer_auth(self.token.expose());
        request.header("Idempotency-Key", message_id).json(body)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use serde_json::json;
    use wiremock::matchers::{body_json, body_partial_json, header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::clock::SystemClock;
    use crate::domain::contact::Phone;
    use crate::domain::sender::Sender;
    use crate::gateway::{EmailDriver, EmailGateway, Outcome, SmsDriver, SmsGateway};
    use crate::outbound::Egress;

    const TIMEOUT: Duration = Duration::from_millis(400);

    fn webhook(url: &str) -> Webhook {
        Webhook {
            url: Url::parse(url).unwrap(),
            token: Secret::new("gateway-token".to_owned()),
            from: "Example <no-reply@example.com>".to_owned(),
        }
    }

    fn message_to(to: &Email) -> EmailMessage<'_> {
        EmailMessage {
            message_id: "msg_1",
            tenant: "default",
            kind: "invitation_email_link",
            to,
            to_name: Some("Alex"),
            from: None,
            reply_to: None,
            subject: "Set your password",
            text: "text",
            html: "<p>html</p>",
        }
    }

    async fn send(url: &str, message: &EmailMessage<'_>) -> Outcome {
        let driver = EmailDriver::Webhook(webhook(url));
        EmailGateway::new(&Egress::default(), driver, TIMEOUT, Arc::new(SystemClock)).unwrap().send(message).await
    }

    async fn send_to(url: &str) -> Outcome {
        send(url, &message_to(&Email::parse("alex@example.com").unwrap())).await
    }

    async fn answered(response: ResponseTemplate) -> Outcome {
        let server = MockServer::start().await;
        Mock::given(method("POST")).respond_with(response).mount(&server).await;
        send_to(&server.uri()).await
    }

    #[tokio::test]
    async fn an_email_is_posted_as_the_contract_says() {
        let server = MockServer::start().await;
        let body = json!({
            "messageId": "msg_1", "tenant": "default", "kind": "invitation_email_link", "to": "alex@example.com", "toName": "Alex",
            "from": "Example <no-reply@example.com>", "subject": "Set your password", "text": "text", "html": "<p>html</p>"
        });
        Mock::given(method("POST"))
            .and(path("/email"))
            .and(header("authorization", "Bearer gateway-token"))
            .and(header("idempotency-key", "msg_1"))
            .and(body_json(body))
            .respond_with(ResponseTemplate::new(202).set_body_json(json!({"id": "gw-7"})))
            .expect(1)
            .mount(&server)
            .await;
        assert_eq!(
            send_to(&format!("{}/email", server.uri())).await,
            Outcome::Accepted { provider_id: Some("gw-7".to_owned()) }
        );
    }

    #[tokio::test]
    async fn a_tenants_own_sender_and_where_answers_go_are_in_the_body() {
        let server = MockServer::start().await;
        let own = json!({"from": "\"Acme\" <hello@acme.example>", "replyTo": "help@acme.example"});
        let accepts = Mock::given(body_partial_json(own)).respond_with(ResponseTemplate::new(200));
        accepts.expect(1).mount(&server).await;
        let from = Sender::parse("Acme <hello@acme.example>").unwrap();
        let (to, reply_to) = (Email::parse("alex@example.com").unwrap(), Email::parse("help@acme.example").unwrap());
        let message = EmailMessage { from: Some(&from), reply_to: Some(&reply_to), ..message_to(&to) };
        assert_eq!(send(&server.uri(), &message).await, Outcome::Accepted { provider_id: None });
    }

    #[tokio::test]
    async fn an_sms_is_posted_as_the_contract_says() {
        let server = MockServer::start().await;
        let body = json!({
            "messageId": "msg_2", "tenant": "default", "kind": "invitation_sms_otp", "to": "+94771234567",
            "from": "Example <no-reply@example.com>", "text": "text"
        });
        Mock::given(method("POST"))
            .and(body_json(body))
            .respond_with(ResponseTemplate::new(200))
            .expect(1)
            .mount(&server)
            .await;
        let to = Phone::parse("+94771234567").unwrap();
        let message = SmsMessage {
            message_id: "msg_2",
            tenant: "default",
            kind: "invitation_sms_otp",
            to: &to,
            text: "text",
            from: None,
            is_unicode: false,
        };
        let driver = SmsDriver::Webhook(webhook(&server.uri()));
        let sms = SmsGateway::new(&Egress::default(), driver, TIMEOUT, Arc::new(SystemClock)).unwrap();
        assert_eq!(sms.send(&message).await, Outcome::Accepted { provider_id: None });
    }

    #[tokio::test]
    async fn an_id_that_cannot_be_kept_is_left_out() {
        for body in [
            "not json".to_owned(),
            json!({"id": ["a"]}).to_string(),
            json!({"id": "a\nb"}).to_string(),
            "x".repeat(100_000),
        ] {
            let outcome = answered(ResponseTemplate::new(200).set_body_string(body)).await;
            assert_eq!(outcome, Outcome::Accepted { provider_id: None });
        }
    }

    #[tokio::test]
    async fn refusals_are_told_from_things_that_may_pass() {
        assert_eq!(answered(ResponseTemplate::new(422)).await, Outcome::Rejected { code: "http_422".to_owned() });
        assert_eq!(
            answered(ResponseTemplate::new(401)).await,
            Outcome::Misconfigured { code: "gateway_unauthorized".to_owned() }
        );
        let throttled = answered(ResponseTemplate::new(429).insert_header("Retry-After", "7")).await;
        assert_eq!(throttled, Outcome::Throttled { after: Some(Duration::from_secs(7)) });
        let broken = answered(ResponseTemplate::new(503).insert_header("Retry-After", "9")).await;
        assert_eq!(broken, Outcome::Unknown { code: "http_503".to_owned(), after: Some(Duration::from_secs(9)) });
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let elsewhere = MockServer::start().await;
        let outcome = answered(ResponseTemplate::new(307).insert_header("Location", elsewhere.uri())).await;
        assert_eq!(outcome, Outcome::Unknown { code: "http_307".to_owned(), after: None });
        assert!(elsewhere.received_requests().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_slow_answer_is_unknown_and_a_closed_port_is_not_sent() {
        let slow = answered(ResponseTemplate::new(200).set_delay(Duration::from_secs(2))).await;
        assert_eq!(slow, Outcome::Unknown { code: "gateway_timeout".to_owned(), after: None });
        assert_eq!(send_to("http://127.0.0.1:1/").await, Outcome::NotSent { code: "gateway_unreachable" });
    }
}
