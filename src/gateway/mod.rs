//! Gateways that take a message and deliver it: what is handed over, and what can come of it.
//!
//! A gateway knows nothing of invitations: it gets finished text for one recipient and says how the hand-over went. A vendor is a file: how a
//! message becomes its request, and its `Dialect`, the table of what its answers mean. `call` sends, `answer` judges.

mod answer;
mod aws;
mod call;
mod http;
mod mailgun;
mod mailpit;
mod postmark;
mod probe;
pub mod receipts;
mod resend;
mod sendgrid;
mod ses;
mod sns;
#[cfg(test)]
mod tests;
mod twilio;
mod vonage;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::Value;

use crate::clock::Clock;
use crate::domain::contact::{Email, Phone};
use crate::domain::sender::Sender;
use crate::domain::time::Timestamp;
use crate::outbound::circuit::{Circuit, Held};
use crate::outbound::{Egress, OutboundError};
use answer::Answer;
use call::Line;

pub use aws::{AwsAccount, AwsKey};
pub use http::{Authentication, HeaderName, Http, HttpBody, HttpProblem, HttpRules, Method};
pub use mailgun::Mailgun;
pub use mailpit::Mailpit;
pub use postmark::Postmark;
pub use probe::ProbeError;
pub use resend::Resend;
pub use sendgrid::SendGrid;
pub use ses::Ses;
pub use sns::Sns;
pub use twilio::{Twilio, TwilioSender};
pub use vonage::Vonage;
pub use webhook::Webhook;

/// A finished e-mail. Holds a secret in its text, so it cannot be printed.
pub struct EmailMessage<'a> {
    pub message_id: &'a str,
    pub tenant: &'a str,
    pub kind: &'a str,
    pub to: &'a Email,
    pub to_name: Option<&'a str>,
    /// The tenant's own sender, in place of the gateway's.
    pub from: Option<&'a Sender>,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<&'a Email>,
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
    /// The tenant's own sender, in place of the gateway's.
    pub from: Option<&'a str>,
    /// Whether it has characters that the GSM alphabet lacks.
    pub is_unicode: bool,
}

/// What became of handing a message over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The gateway took it; its own id, if it told one (at most 255 characters, one line).
    Accepted { provider_id: Option<String> },
    /// It never will: bad recipient, refused content.
    Rejected { code: String },
    /// Not now; the gateway's own wish when to come back.
    Throttled { after: Option<Duration> },
    /// The body never left (DNS, connect, TLS): safe to repeat.
    NotSent { code: &'static str },
    /// It may have been taken (time-out, reset, 5xx, redirect); repeated with the same id and the same secret.
    Unknown { code: String, after: Option<Duration> },
    /// The gateway failed too often lately: nothing was tried.
    Held(Held),
    /// Our credential, sender or account was refused: every message would meet that, so it is the gateway's alarm and none of them is given up.
    Misconfigured { code: String },
}

impl Outcome {
    /// Its name, for those that count; `None` when nothing was tried.
    #[must_use]
    pub const fn name(&self) -> Option<&'static str> {
        Some(match self {
            Self::Accepted { .. } => "accepted",
            Self::Rejected { .. } => "rejected",
            Self::Throttled { .. } => "throttled",
            Self::NotSent { .. } => "not_sent",
            Self::Unknown { .. } => "unknown",
            Self::Misconfigured { .. } => "misconfigured",
            Self::Held(_) => return None,
        })
    }

    /// Tells the circuit what this says of the gateway.
    fn tell(&self, circuit: &Circuit, now: Timestamp) {
        match self {
            Self::Accepted { .. } | Self::Rejected { .. } | Self::Throttled { .. } => circuit.succeeded(),
            Self::NotSent { code } => circuit.failed(code, now),
            Self::Unknown { code, .. } | Self::Misconfigured { code } => circuit.failed(code, now),
            Self::Held(_) => {}
        }
    }
}

/// Where messages go: a vendor, and what lets it alone when it fails.
pub struct Gateway<D> {
    line: Line,
    driver: D,
    circuit: Arc<Circuit>,
}

/// Where e-mail goes.
pub type EmailGateway = Gateway<EmailDriver>;
/// Where text messages go.
pub type SmsGateway = Gateway<SmsDriver>;

impl<D> Gateway<D> {
    /// A gateway whose calls end after `timeout`.
    ///
    /// # Errors
    /// That the system has no usable TLS set-up.
    pub fn new(egress: &Egress, driver: D, timeout: Duration, clock: Arc<dyn Clock>) -> Result<Self, OutboundError> {
        Ok(Self { line: Line::new(egress, timeout, clock)?, driver, circuit: Arc::default() })
    }

    /// Whether it is let alone for now.
    #[must_use]
    pub fn circuit(&self) -> Arc<Circuit> {
        Arc::clone(&self.circuit)
    }

    /// Tells the circuit what a message came to. A sender that one tenant chose wrong must not stop the others.
    fn note(&self, outcome: &Outcome, is_own_sender: bool) {
        let is_of_sender = |code: &str| is_own_sender && code != aws::NO_CREDENTIALS;
        if !matches!(outcome, Outcome::Misconfigured { code } if is_of_sender(code)) {
            outcome.tell(&self.circuit, self.line.now());
        }
    }
}

/// A body of JSON with one more member, where there is something for it.
fn with(mut body: Value, name: &str, value: Option<Value>) -> Value {
    if let (Some(value), Some(members)) = (value, body.as_object_mut()) {
        members.insert(name.to_owned(), value);
    }
    body
}

/// An e-mail vendor and what it needs.
pub enum EmailDriver {
    Webhook(Webhook),
    SendGrid(SendGrid),
    Ses(Ses),
    Resend(Resend),
    Postmark(Postmark),
    Mailgun(Mailgun),
    Mailpit(Mailpit),
    Http(Box<Http>),
}

impl EmailGateway {
    /// Hands one message over.
    pub async fn send(&self, message: &EmailMessage<'_>) -> Outcome {
        if let Err(held) = self.circuit.admit(self.line.now()) {
            return Outcome::Held(held);
        }
        let request = self.driver.request(&self.line, message).await;
        let outcome = self.line.outcome(request, |answer| self.driver.judge(answer)).await;
        if let EmailDriver::Http(http) = &self.driver {
            http.heed(&outcome).await;
        }
        self.note(&outcome, message.from.is_some() || message.reply_to.is_some());
        outcome
    }
}

impl EmailDriver {
    async fn request(&self, line: &Line, message: &EmailMessage<'_>) -> Result<RequestBuilder, Outcome> {
        let client = line.client();
        Ok(match self {
            Self::Webhook(webhook) => webhook.email(client, message),
            Self::SendGrid(sendgrid) => sendgrid.request(client, message),
            Self::Ses(ses) => ses.request(line, message).await?,
            Self::Resend(resend) => resend.request(client, message),
            Self::Postmark(postmark) => postmark.request(client, message),
            Self::Mailgun(mailgun) => mailgun.request(client, message),
            Self::Mailpit(mailpit) => mailpit.request(client, message),
            Self::Http(http) => http.email(line, message).await?,
        })
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        let dialect = match self {
            Self::Webhook(_) => webhook::DIALECT,
            Self::SendGrid(_) => sendgrid::DIALECT,
            Self::Ses(_) => ses::DIALECT,
            Self::Resend(_) => resend::DIALECT,
            Self::Postmark(_) => postmark::DIALECT,
            Self::Mailgun(_) => mailgun::DIALECT,
            Self::Mailpit(_) => mailpit::DIALECT,
            Self::Http(http) => return http.judge(answer),
        };
        dialect.judge(answer)
    }
}

/// An SMS vendor and what it needs.
pub enum SmsDriver {
    Webhook(Webhook),
    Twilio(Twilio),
    Vonage(Vonage),
    Sns(Sns),
    Http(Box<Http>),
}

impl SmsGateway {
    /// Hands one message over.
    pub async fn send(&self, message: &SmsMessage<'_>) -> Outcome {
        if let Err(held) = self.circuit.admit(self.line.now()) {
            return Outcome::Held(held);
        }
        let request = self.driver.request(&self.line, message).await;
        let outcome = self.line.outcome(request, |answer| self.driver.judge(answer)).await;
        if let SmsDriver::Http(http) = &self.driver {
            http.heed(&outcome).await;
        }
        self.note(&outcome, message.from.is_some());
        outcome
    }
}

impl SmsDriver {
    async fn request(&self, line: &Line, message: &SmsMessage<'_>) -> Result<RequestBuilder, Outcome> {
        let client = line.client();
        Ok(match self {
            Self::Webhook(webhook) => webhook.sms(client, message),
            Self::Twilio(twilio) => twilio.request(client, message),
            Self::Vonage(vonage) => vonage.request(client, message),
            Self::Sns(sns) => sns.request(line, message).await?,
            Self::Http(http) => http.sms(line, message).await?,
        })
    }

    fn judge(&self, answer: &Answer) -> Outcome {
        let dialect = match self {
            Self::Webhook(_) => webhook::DIALECT,
            Self::Twilio(_) => twilio::DIALECT,
            Self::Vonage(_) => vonage::DIALECT,
            Self::Sns(_) => sns::DIALECT,
            Self::Http(http) => return http.judge(answer),
        };
        dialect.judge(answer)
    }
}
