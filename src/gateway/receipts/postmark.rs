//! Postmark: one event a call, without a signature; who calls is told by the name and password in the webhook's URL.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use super::{Posted, Refused, Reported, json, text};
use crate::domain::receipt::{Receipt, ReceiptKind};
use crate::domain::secret::Secret;

/// What Postmark was told to send as basic authentication.
pub struct Postmark {
    digest: aws_lc_rs::digest::Digest,
}

impl Postmark {
    #[must_use]
    pub fn new(username: &str, password: &Secret) -> Self {
        let credential = zeroize::Zeroizing::new(format!("{username}:{}", password.expose()));
        Self { digest: digest(credential.as_bytes()) }
    }

    pub(super) fn read(&self, posted: &Posted) -> Result<Reported, Refused> {
        let credential = posted.header("authorization").and_then(|header| header.split_once(' '));
        let credential = credential.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        let (_, encoded) = credential.ok_or(Refused::Signature)?;
        let credential = zeroize::Zeroizing::new(STANDARD.decode(encoded.trim()).or(Err(Refused::Signature))?);
        // Digests have one length, so that the time tells nothing of where the difference is.
        let is_right = digest(&credential).as_ref().ct_eq(self.digest.as_ref());
        if !bool::from(is_right) {
            return Err(Refused::Signature);
        }
        Ok(Reported::all(receipt(&json(&posted.body)?)))
    }
}

fn digest(credential: &[u8]) -> aws_lc_rs::digest::Digest {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, credential)
}

/// Types: <https://postmarkapp.com/developer/api/bounce-api#bounce-types>. Those that don't speak of the message itself are left out.
fn receipt(event: &Value) -> Option<Receipt> {
    let bounce = text(event, "/Type");
    let (kind, code) = match text(event, "/RecordType")?.as_str() {
        "Delivery" => (ReceiptKind::Delivered, None),
        "SpamComplaint" => (ReceiptKind::Complained, None),
        "Bounce" => (bounce_kind(bounce.as_deref()?)?, bounce),
        _ => return None,
    };
    Receipt::new(&text(event, "/MessageID")?, kind, code.as_deref())
}

fn bounce_kind(bounce: &str) -> Option<ReceiptKind> {
    match bounce {
        "HardBounce" | "BadEmailAddress" => Some(ReceiptKind::HardBounce),
        "SoftBounce" | "DnsError" | "Unknown" => Some(ReceiptKind::SoftBounce),
        "ManuallyDeactivated" | "Unconfirmed" => Some(ReceiptKind::Suppressed),
        "SpamComplaint" => Some(ReceiptKind::Complained),
        "SpamNotification"
        | "VirusNotification"
        | "Blocked"
        | "SMTPApiError"
        | "DMARCPolicy"
        | "TemplateRenderingFailed" => Some(ReceiptKind::Rejected),
        _ => None,
    }
}
