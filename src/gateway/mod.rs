//! Gateways that take a message and deliver it: what is handed over, and what can come of it.
//!
//! A gateway knows nothing of invitations: it gets finished text for one recipient and says how the hand-over went.

mod webhook;

use std::time::Duration;

use crate::domain::contact::{Email, Phone};

pub use webhook::{WebhookConfig, WebhookEmail, WebhookSms};

/// A finished e-mail. Holds a secret in its text, so it cannot be printed.
pub struct EmailMessage<'a> {
    pub message_id: &'a str,
    pub tenant: &'a str,
    pub kind: &'a str,
    pub to: &'a Email,
    pub to_name: Option<&'a str>,
    pub subject: &'a str,
    pub text: &'a str,
    pub html: &'a str,
}

/// A finished SMS. Holds a secret in its text, so it cannot be printed.
pub struct SmsMessage<'a> {
    pub message_id: &'a str,
    pub tenant: &'a str,
    pub kind: &'a str,
    pub to: &'a Phone,
    pub text: &'a str,
}

/// What became of handing a message over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The gateway took it; its own id, if it told one (at most 255 characters, one line).
    Accepted { provider_id: Option<String> },
    /// It never will: bad recipient, refused content (4xx other than below).
    Rejected { code: String },
    /// Our credential was refused (401, 403): the gateway's configuration is wrong, not the message.
    Unauthorized,
    /// Not now; the gateway's own wish when to come back.
    Throttled { retry_after: Option<Duration> },
    /// The body never left (DNS, connect, TLS): safe to repeat.
    NotSent { code: &'static str },
    /// It may have been taken (time-out, reset, 5xx, redirect); repeated with the same id and the same secret.
    Unknown { code: String, retry_after: Option<Duration> },
}

/// The configured e-mail driver.
pub enum EmailGateway {
    Webhook(WebhookEmail),
}

impl EmailGateway {
    pub async fn send(&self, message: &EmailMessage<'_>) -> Outcome {
        match self {
            Self::Webhook(webhook) => webhook.send(message).await,
        }
    }
}

/// The configured SMS driver.
pub enum SmsGateway {
    Webhook(WebhookSms),
}

impl SmsGateway {
    pub async fn send(&self, message: &SmsMessage<'_>) -> Outcome {
        match self {
            Self::Webhook(webhook) => webhook.send(message).await,
        }
    }
}
