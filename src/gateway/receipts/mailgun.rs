//! Mailgun: one event a call, with a signature in the body that covers its time and a token, but not the event.
//!
//! Whoever sees a call could put other events to its signature, so a token counts only once.

use aws_lc_rs::hmac;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Posted, Refused, Reported, has_mac, is_recent, json, text};
use crate::domain::receipt::{Receipt, ReceiptKind};
use crate::domain::secret::Secret;

/// The account's webhook signing key.
pub struct Mailgun(hmac::Key);

/// The part that proves where the call is from, and the event, not read yet.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "signature")]
    proof: Proof,
    #[serde(borrow, rename = "event-data")]
    event: &'a RawValue,
}

#[derive(Deserialize)]
struct Proof {
    timestamp: String,
    token: String,
    signature: String,
}

impl Mailgun {
    #[must_use]
    pub fn new(signing_key: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, signing_key.expose().as_bytes()))
    }

    pub(super) fn read(&self, posted: &Posted, now: super::Timestamp) -> Result<Reported, Refused> {
        let Envelope { proof, event } = serde_json::from_slice(&posted.body).or(Err(Refused::Signature))?;
        let signed = format!("{}{}", proof.timestamp, proof.token);
        let mac = bytes_of(&proof.signature).ok_or(Refused::Signature)?;
        has_mac(&self.0, signed.as_bytes(), &mac)?;
        if !is_recent(&proof.timestamp, now) {
            return Err(Refused::Signature);
        }
        let event = json(event.get().as_bytes())?;
        Ok(Reported { receipts: receipt(&event).into_iter().collect(), once: Some(proof.token) })
    }
}

/// Hexadecimal, two digits a byte.
fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Events and fields: <https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads>.
fn receipt(event: &Value) -> Option<Receipt> {
    let at = |pointer| text(event, pointer);
    let is_permanent = at("/severity").as_deref() == Some("permanent");
    let kind = match at("/event")?.as_str() {
        "delivered" => ReceiptKind::Delivered,
        "complained" => ReceiptKind::Complained,
        "rejected" => ReceiptKind::Rejected,
        "failed" if is_permanent => match at("/reason").unwrap_or_default().as_str() {
            reason if reason.starts_with("suppress-") => ReceiptKind::Suppressed,
            "bounce" | "hardfail" => ReceiptKind::HardBounce,
            "espblock" => ReceiptKind::Rejected,
            // Such as "old": it was tried for as long as it is.
            _ => ReceiptKind::SoftBounce,
        },
        _ => return None,
    };
    // The API answers with the id in brackets, events have it without.
    let id = format!("<{}>", at("/message/headers/message-id")?);
    let code = at("/delivery-status/enhanced-code").filter(|code| !code.is_empty());
    Receipt::new(&id, kind, code.or_else(|| at("/delivery-status/code")).as_deref())
}
