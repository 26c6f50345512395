//! Amazon SES: its events, which come as messages of a topic of Amazon SNS (see `sns` for how those are proved).

use serde_json::Value;

use super::sns::{Kind, Sns, Topic};
use super::{Posted, Refused, Reported, json, text};
use crate::domain::receipt::{Receipt, ReceiptKind};
use crate::domain::time::Timestamp;
use crate::outbound::{Egress, OutboundError};

/// The topic that SES publishes to.
pub struct Ses(Sns);

impl Ses {
    /// # Errors
    /// That the system has no usable TLS set-up.
    pub fn new(egress: &Egress, topic: Topic) -> Result<Self, OutboundError> {
        Sns::new(egress, topic).map(Self)
    }

    pub(super) async fn read(&self, posted: &Posted, now: Timestamp) -> Result<Reported, Refused> {
        let message = self.0.prove(posted, now).await?;
        match message.kind {
            Kind::Notification => {
                let event = json(message.text.as_bytes())?;
                Ok(Reported::all(receipt(&event)))
            }
            Kind::SubscriptionConfirmation => {
                self.0.confirm(&message).await?;
                tracing::info!("the topic of Amazon SNS is subscribed to");
                Ok(Reported::default())
            }
            Kind::UnsubscribeConfirmation => {
                tracing::warn!("the topic of Amazon SNS is not subscribed to any more: no receipts will come");
                Ok(Reported::default())
            }
        }
    }
}

/// Types and fields: <https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html>; notifications of an identity have
/// another name for the type.
pub(super) fn receipt(event: &Value) -> Option<Receipt> {
    let at = |pointer| text(event, pointer);
    let (kind, code) = match at("/eventType").or_else(|| at("/notificationType"))?.as_str() {
        "Delivery" => (ReceiptKind::Delivered, None),
        "Reject" | "Rendering Failure" => (ReceiptKind::Rejected, None),
        "Bounce" => {
            let subtype = at("/bounce/bounceSubType");
            (bounce(event), at("/bounce/bouncedRecipients/0/status").or(subtype))
        }
        "Complaint" if at("/complaint/complaintFeedbackType").as_deref() == Some("not-spam") => return None,
        "Complaint" if is_on_a_list(at("/complaint/complaintSubType").as_deref()) => (ReceiptKind::Suppressed, None),
        "Complaint" => (ReceiptKind::Complained, at("/complaint/complaintFeedbackType")),
        _ => return None,
    };
    Receipt::new(&at("/mail/messageId")?, kind, code.as_deref())
}

fn bounce(event: &Value) -> ReceiptKind {
    match text(event, "/bounce/bounceType").as_deref() {
        _ if is_on_a_list(text(event, "/bounce/bounceSubType").as_deref()) => ReceiptKind::Suppressed,
        Some("Permanent") => ReceiptKind::HardBounce,
        _ => ReceiptKind::SoftBounce,
    }
}

/// Of the account or of all of SES: the message was not handed on.
fn is_on_a_list(subtype: Option<&str>) -> bool {
    matches!(subtype, Some("Suppressed" | "OnAccountSuppressionList"))
}
