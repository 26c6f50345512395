//! `SendGrid`: batches of events, signed with the account's ECDSA key over the time and the body.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Posted, Refused, Reported, decoded, is_recent, json, text};
use crate::domain::receipt::{Receipt, ReceiptKind};

/// Why a message was dropped, where that is the address (<https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event>).
const ON_A_LIST: [&str; 4] = ["Bounced Address", "Unsubscribed Address", "Spam Reporting Address", "Invalid"];

/// The account's verification key.
pub struct SendGrid(ParsedPublicKey);

impl SendGrid {
    /// The key as `SendGrid` shows it: base64 of a P-256 key in DER. `None` when it is anything else.
    #[must_use]
    pub fn new(public_key: &str) -> Option<Self> {
        let der = STANDARD.decode(public_key.trim()).ok()?;
        ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der).ok().map(Self)
    }

    pub(super) fn read(&self, posted: &Posted, now: super::Timestamp) -> Result<Reported, Refused> {
        let header = |name| posted.header(name).ok_or(Refused::Signature);
        let time = header("x-twilio-email-event-webhook-timestamp")?;
        let signature = decoded(header("x-twilio-email-event-webhook-signature")?)?;
        let signed = [time.as_bytes(), &posted.body].concat();
        self.0.verify_sig(&signed, &signature).or(Err(Refused::Signature))?;
        if !is_recent(time, now) {
            return Err(Refused::Signature);
        }
        let events = json(&posted.body)?;
        match &events {
            Value::Array(events) => Ok(Reported::all(events.iter().filter_map(receipt))),
            event => Ok(Reported::all(receipt(event))),
        }
    }
}

fn receipt(event: &Value) -> Option<Receipt> {
    let kind = match text(event, "/event")?.as_str() {
        "delivered" => ReceiptKind::Delivered,
        // "blocked" says that the address is fine.
        "bounce" if text(event, "/type").as_deref() == Some("blocked") => ReceiptKind::SoftBounce,
        "bounce" => ReceiptKind::HardBounce,
        "spamreport" => ReceiptKind::Complained,
        "dropped" => {
            let reason = text(event, "/reason").unwrap_or_default();
            let is_listed = ON_A_LIST.contains(&reason.as_str());
            if is_listed { ReceiptKind::Suppressed } else { ReceiptKind::Rejected }
        }
        _ => return None,
    };
    // What the API answers with is the part before the filter's name. A bounce that comes late has none, but the id that we sent along.
    let own = || text(event, "/message_id");
    let id =
        text(event, "/sg_message_id").map(|id| id.split('.').next().unwrap_or_default().to_owned()).or_else(own)?;
    Receipt::new(&id, kind, text(event, "/status").as_deref())
}
