//! Twilio: a form for each change of a message's status, signed over the URL that it was posted to.

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use url::{Url, form_urlencoded};

use super::{Posted, Refused, Reported, decoded, has_mac};
use crate::domain::receipt::{Receipt, ReceiptKind};
use crate::domain::secret::Secret;

/// Codes that say more than "failed" or "undelivered" (<https://www.twilio.com/docs/api/errors>).
const CODES: [(&str, ReceiptKind); 9] = [
    // Attempt to send to an unsubscribed recipient.
    ("21610", ReceiptKind::Suppressed),
    // Not a valid number; not a mobile number.
    ("21211", ReceiptKind::HardBounce),
    ("21614", ReceiptKind::HardBounce),
    // Unreachable destination handset: off, or out of reach.
    ("30003", ReceiptKind::SoftBounce),
    // Message blocked by the carrier or the person.
    ("30004", ReceiptKind::Rejected),
    // Unknown destination handset; landline or unreachable carrier.
    ("30005", ReceiptKind::HardBounce),
    ("30006", ReceiptKind::HardBounce),
    // Carrier violation: filtered.
    ("30007", ReceiptKind::Rejected),
    // Unknown error.
    ("30008", ReceiptKind::SoftBounce),
];

/// The account's token, which signs, and where Twilio finds this service.
pub struct Twilio {
    key: hmac::Key,
    /// Without a slash at the end.
    public_url: Url,
}

impl Twilio {
    #[must_use]
    pub fn new(auth_token: &Secret, public_url: Url) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth_token.expose().as_bytes());
        Self { key, public_url }
    }

    pub(super) fn read(&self, posted: &Posted) -> Result<Reported, Refused> {
        let signature = decoded(posted.header("x-twilio-signature").ok_or(Refused::Signature)?)?;
        // Sorted, each once: that is how it is signed.
        let fields: BTreeSet<(String, String)> = form_urlencoded::parse(&posted.body).into_owned().collect();
        let signed: String = fields.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
        let is_genuine = |url: &String| has_mac(&self.key, format!("{url}{signed}").as_bytes(), &signature).is_ok();
        if !self.urls(&posted.target).iter().any(is_genuine) {
            return Err(Refused::Signature);
        }
        let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let id = field("MessageSid").or_else(|| field("SmsSid"));
        let status = field("MessageStatus").or_else(|| field("SmsStatus"));
        let code = field("ErrorCode");
        Ok(Reported::all(kind(status, code).zip(id).and_then(|(kind, id)| Receipt::new(id, kind, code))))
    }

    /// The URL as it may have been signed: some of Twilio's products name the port, others leave it out.
    fn urls(&self, target: &str) -> Vec<String> {
        let base = &self.public_url;
        let (scheme, host) = (base.scheme(), base.host_str().unwrap_or_default());
        let path = base.path().trim_end_matches('/');
        let with_port = base.port_or_known_default().map(|port| format!("{scheme}://{host}:{port}{path}{target}"));
        std::iter::once(format!("{scheme}://{host}{path}{target}")).chain(with_port).collect()
    }
}

fn kind(status: Option<&str>, code: Option<&str>) -> Option<ReceiptKind> {
    let of_code = || CODES.iter().find(|(known, _)| Some(*known) == code).map(|(_, kind)| *kind);
    match status? {
        "delivered" => Some(ReceiptKind::Delivered),
        "undelivered" => Some(of_code().unwrap_or(ReceiptKind::SoftBounce)),
        "failed" => Some(of_code().unwrap_or(ReceiptKind::Rejected)),
        _ => None,
    }
}
