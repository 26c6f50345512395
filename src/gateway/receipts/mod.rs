//! What gateways report of messages that they took: each vendor's signature, and what its events mean.
//!
//! One file per vendor. The signature is checked over the bytes as they came, before anything is read from them; what is kept of an event is a
//! [`Receipt`], without addresses. Knows nothing of invitations or of HTTP serving, and stores nothing.

mod mailgun;
mod postmark;
mod resend;
mod sendgrid;
mod ses;
mod sns;
#[cfg(test)]
mod tests;
mod twilio;

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::domain::invitation::Channel;
use crate::domain::receipt::Receipt;
use crate::domain::time::Timestamp;

pub use mailgun::Mailgun;
pub use postmark::Postmark;
pub use resend::Resend;
pub use sendgrid::SendGrid;
pub use ses::Ses;
pub use sns::Topic;
pub use twilio::Twilio;

/// How far a vendor's time may be from ours, either way.
pub const WINDOW: Duration = Duration::from_mins(5);

/// A call as it came in.
pub struct Posted {
    /// Path and query as they were called, undecoded.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Posted {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What a genuine call reports.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reported {
    pub receipts: Vec<Receipt>,
    /// What may come only once within twice the [`WINDOW`], where the signature does not cover the events.
    pub once: Option<String>,
}

impl Reported {
    fn all(receipts: impl IntoIterator<Item = Receipt>) -> Self {
        Self { receipts: receipts.into_iter().collect(), once: None }
    }
}

/// Why nothing is taken from a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Nobody set this vendor up for this channel.
    Unknown,
    /// No signature, a wrong one, or one of another time.
    Signature,
    /// Genuine, but not what the vendor sends.
    Malformed,
    /// What is needed to judge or confirm it can't be had right now; the vendor comes again.
    Unavailable,
}

/// The vendors that may report, with what proves that it is them.
#[derive(Default)]
pub struct Vendors {
    pub twilio: Option<Twilio>,
    pub sendgrid: Option<SendGrid>,
    pub resend: Option<Resend>,
    pub mailgun: Option<Mailgun>,
    pub ses: Option<Ses>,
    pub postmark: Option<Postmark>,
}

impl Vendors {
    /// What a call to this vendor's place reports.
    ///
    /// # Errors
    /// [`Refused`] with the reason.
    pub async fn read(
        &self,
        channel: Channel,
        provider: &str,
        posted: &Posted,
        now: Timestamp,
    ) -> Result<Reported, Refused> {
        match (channel, provider) {
            (Channel::Sms, "twilio") => known(self.twilio.as_ref())?.read(posted),
            (Channel::Email, "sendgrid") => known(self.sendgrid.as_ref())?.read(posted, now),
            (Channel::Email, "resend") => known(self.resend.as_ref())?.read(posted, now),
            (Channel::Email, "mailgun") => known(self.mailgun.as_ref())?.read(posted, now),
            (Channel::Email, "ses") => known(self.ses.as_ref())?.read(posted, now).await,
            (Channel::Email, "postmark") => known(self.postmark.as_ref())?.read(posted),
            _ => Err(Refused::Unknown),
        }
    }
}

fn known<T>(vendor: Option<&T>) -> Result<&T, Refused> {
    vendor.ok_or(Refused::Unknown)
}

/// Whether a time in seconds since 1970 is near enough to ours.
fn is_recent(seconds: &str, now: Timestamp) -> bool {
    let Ok(seconds) = seconds.parse::<i64>() else { return false };
    is_near(Timestamp::from_millis(seconds.saturating_mul(1000)), now)
}

fn is_near(then: Timestamp, now: Timestamp) -> bool {
    now.since(then) <= WINDOW && then.since(now) <= WINDOW
}

/// Compares a MAC in constant time.
fn has_mac(key: &hmac::Key, message: &[u8], mac: &[u8]) -> Result<(), Refused> {
    hmac::verify(key, message, mac).or(Err(Refused::Signature))
}

fn decoded(base64: &str) -> Result<Vec<u8>, Refused> {
    STANDARD.decode(base64).or(Err(Refused::Signature))
}

fn json(body: &[u8]) -> Result<Value, Refused> {
    serde_json::from_slice(body).or(Err(Refused::Malformed))
}

/// The text, or number, at a JSON pointer.
fn text(value: &Value, pointer: &str) -> Option<String> {
    match value.pointer(pointer)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
