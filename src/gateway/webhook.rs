//! The generic gateway: one POST of JSON with the message's id as idempotency key; any 2xx is acceptance.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Response, StatusCode};
use serde::Serialize;
use url::Url;

use super::{EmailMessage, Outcome, SmsMessage};
use crate::clock::Clock;
use crate::domain::secret::Secret;
use crate::outbound::{self, OutboundError};

/// Where a webhook gateway is and how it knows us.
pub struct WebhookConfig {
    pub url: Url,
    pub token: Secret,
    /// Sender as the recipient sees it.
    pub from: String,
    pub timeout: Duration,
    pub allow_insecure_http: bool,
}

/// E-mail by webhook.
pub struct WebhookEmail(Webhook);

/// SMS by webhook.
pub struct WebhookSms(Webhook);

struct Webhook {
    client: Client,
    config: WebhookConfig,
    clock: Arc<dyn Clock>,
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

impl WebhookEmail {
    /// # Errors
    /// [`OutboundError`] when the URL is not one that secrets may be sent to.
    pub fn new(config: WebhookConfig, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        Webhook::new(config, clock).map(Self)
    }

    pub async fn send(&self, message: &EmailMessage<'_>) -> Outcome {
        let body = EmailBody {
            message_id: message.message_id,
            tenant: message.tenant,
            kind: message.kind,
            to: message.to.as_str(),
            to_name: message.to_name,
            from: &self.0.config.from,
            subject: message.subject,
            text: message.text,
            html: message.html,
        };
        self.0.post(message.message_id, &body).await
    }
}

impl WebhookSms {
    /// # Errors
    /// [`OutboundError`] when the URL is not one that secrets may be sent to.
    pub fn new(config: WebhookConfig, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        Webhook::new(config, clock).map(Self)
    }

    pub async fn send(&self, message: &SmsMessage<'_>) -> Outcome {
        let body = SmsBody {
            message_id: message.message_id,
            tenant: message.tenant,
            kind: message.kind,
            to: message.to.as_str(),
            from: &self.0.config.from,
            text: message.text,
        };
        self.0.post(message.message_id, &body).await
    }
}

impl Webhook {
    fn new(config: WebhookConfig, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        outbound::check_url(&config.url, config.allow_insecure_http)?;
        Ok(Self { client: outbound::client(config.timeout)?, config, clock })
    }

    async fn post(&self, message_id: &str, body: &impl Serialize) -> Outcome {
        let request = self
            .client
            .post(self.config.url.clone())
            .bearer_auth(self.config.token.expose())
            .header("Idempotency-Key", message_id)
            .json(body);
        match request.send().await {
            Ok(response) => self.judge(response).await,
            Err(error) if outbound::surely_not_sent(&error) => Outcome::NotSent { code: "gateway_unreachable" },
            Err(error) if error.is_timeout() => {
                Outcome::Unknown { code: "gateway_timeout".to_owned(), retry_after: None }
            }
            Err(_) => Outcome::Unknown { code: "gateway_broke_off".to_owned(), retry_after: None },
        }
    }

    async fn judge(&self, response: Response) -> Outcome {
        let status = response.status();
        let retry_after = outbound::retry_after(&response, self.clock.now());
        let code = format!("http_{}", status.as_u16());
        match status {
            _ if status.is_success() => Outcome::Accepted { provider_id: provider_id(response).await },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Outcome::Unauthorized,
            StatusCode::TOO_MANY_REQUESTS => Outcome::Throttled { retry_after },
            StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT | StatusCode::TOO_EARLY => {
                Outcome::Unknown { code, retry_after }
            }
            _ if status.is_client_error() => Outcome::Rejected { code },
            _ => Outcome::Unknown { code, retry_after },
        }
    }
}

/// The gateway's own id, when it told one that can be kept.
async fn provider_id(response: Response) -> Option<String> {
    let body = outbound::read_body(response).await?;
    let answer: serde_json::Value = serde_json::from_slice(&body).ok()?;
    let id = answer.get("id")?.as_str()?;
    crate::domain::text::one_line(id, 255).ok()?;
    Some(id.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wiremock::matchers::{body_json, header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    use super::*;
    use crate::clock::SystemClock;
    use crate::domain::contact::{Email, Phone};

    fn config(url: &str) -> WebhookConfig {
        WebhookConfig {
            url: Url::parse(url).unwrap(),
            token: Secret::new("gateway-token".to_owned()),
            from: "Example <no-reply@example.com>".to_owned(),
            timeout: Duration::from_millis(400),
            allow_insecure_http: false,
        }
    }

    async fn send_to(url: &str) -> Outcome {
        let to = Email::parse("alex@example.com").unwrap();
        let message = EmailMessage {
            message_id: "msg_1",
            tenant: "default",
            kind: "invitation_email_link",
            to: &to,
            to_name: Some("Alex"),
            subject: "Set your password",
            text: "text",
            html: "<p>html</p>",
        };
        WebhookEmail::new(config(url), Arc::new(SystemClock)).unwrap().send(&message).await
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
        let message =
            SmsMessage { message_id: "msg_2", tenant: "default", kind: "invitation_sms_otp", to: &to, text: "text" };
        let sms = WebhookSms::new(config(&server.uri()), Arc::new(SystemClock)).unwrap();
        assert_eq!(sms.send(&message).await, Outcome::Accepted { provider_id: None });
    }

    #[tokio::test]
    async fn an_id_that_cannot_be_kept_is_left_out() {
        for body in [
            "not json".to_owned(),
            json!({"id": 7}).to_string(),
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
        assert_eq!(answered(ResponseTemplate::new(401)).await, Outcome::Unauthorized);
        let throttled = answered(ResponseTemplate::new(429).insert_header("Retry-After", "7")).await;
        assert_eq!(throttled, Outcome::Throttled { retry_after: Some(Duration::from_secs(7)) });
        let broken = answered(ResponseTemplate::new(503).insert_header("Retry-After", "9")).await;
        assert_eq!(broken, Outcome::Unknown { code: "http_503".to_owned(), retry_after: Some(Duration::from_secs(9)) });
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let elsewhere = MockServer::start().await;
        let outcome = answered(ResponseTemplate::new(307).insert_header("Location", elsewhere.uri())).await;
        assert_eq!(outcome, Outcome::Unknown { code: "http_307".to_owned(), retry_after: None });
        assert!(elsewhere.received_requests().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_slow_answer_is_unknown_and_a_closed_port_is_not_sent() {
        let slow = answered(ResponseTemplate::new(200).set_delay(Duration::from_secs(2))).await;
        assert_eq!(slow, Outcome::Unknown { code: "gateway_timeout".to_owned(), retry_after: None });
        assert_eq!(send_to("http://127.0.0.1:1/").await, Outcome::NotSent { code: "gateway_unreachable" });
    }

    #[test]
    fn plain_http_to_another_machine_is_refused() {
        assert!(WebhookEmail::new(config("http://mail.example.com/"), Arc::new(SystemClock)).is_err());
    }
}
