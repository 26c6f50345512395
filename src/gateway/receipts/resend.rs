//! Resend, by Svix: one event a call, signed as Standard Webhooks says.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Posted, Refused, Reported, decoded, has_mac, is_recent, json, text};
use crate::domain::receipt::{Receipt, ReceiptKind};
use crate::domain::secret::Secret;

/// The endpoint's signing secret.
pub struct Resend(hmac::Key);

impl Resend {
    /// The secret as Resend shows it: `whsec_` and base64. `None` when it is anything else.
    #[must_use]
    pub fn new(secret: &Secret) -> Option<Self> {
        let key = zeroize::Zeroizing::new(STANDARD.decode(secret.expose().strip_prefix("whsec_")?).ok()?);
        (!key.is_empty()).then(|| Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    pub(super) fn read(&self, posted: &Posted, now: super::Timestamp) -> Result<Reported, Refused> {
        let header = |name: &str| {
            let svix = posted.header(&format!("svix-{name}"));
            svix.or_else(|| posted.header(&format!("webhook-{name}"))).ok_or(Refused::Signature)
        };
        let (id, time, signatures) = (header("id")?, header("timestamp")?, header("signature")?);
        let signed = [id.as_bytes(), b".", time.as_bytes(), b".", &posted.body].concat();
        let macs = signatures.split(' ').filter_map(|signature| decoded(signature.strip_prefix("v1,")?).ok());
        if !macs.into_iter().any(|mac| has_mac(&self.0, &signed, &mac).is_ok()) || !is_recent(time, now) {
            return Err(Refused::Signature);
        }
        Ok(Reported::all(receipt(&json(&posted.body)?)))
    }
}

/// Types and fields: <https://resend.com/docs/webhooks/event-types>.
fn receipt(event: &Value) -> Option<Receipt> {
    let at = |pointer| text(event, pointer);
    let bounce_type = at("/data/bounce/subType");
    let (kind, code) = match at("/type")?.as_str() {
        "email.delivered" => (ReceiptKind::Delivered, None),
        "email.bounced" if bounce_type.as_deref().is_some_and(|kind| kind.ends_with("Suppressed")) => {
            (ReceiptKind::Suppressed, bounce_type)
        }
        "email.bounced" if at("/data/bounce/type").as_deref() == Some("Permanent") => {
            (ReceiptKind::HardBounce, bounce_type)
        }
        "email.bounced" => (ReceiptKind::SoftBounce, bounce_type),
        "email.complained" => (ReceiptKind::Complained, None),
        "email.suppressed" => (ReceiptKind::Suppressed, at("/data/suppressed/type")),
        "email.failed" => (ReceiptKind::Rejected, at("/data/failed/reason")),
        _ => return None,
    };
    Receipt::new(&at("/data/email_id")?, kind, code.as_deref())
}
