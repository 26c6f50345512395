//! What became of the message with the secret.

use super::{Delivery, Facts, FindingCode as Code, Findings};
use crate::domain::fallback::Fallback;
use crate::domain::invitation::{Method, Status};
use crate::domain::message::DeliveryState;
use crate::domain::receipt::{Receipt, ReceiptKind};

/// The message of the current generation, as long as it matters.
pub(super) fn delivery(facts: &Facts<'_>, found: &mut Findings) {
    let Some(invitation) = facts.invitation else { return };
    if matches!(facts.status(), None | Some(Status::Accepting | Status::Accepted | Status::Revoked)) {
        return;
    }
    let Some(message) = facts.message else {
        if facts.is_live() {
            let what = if invitation.method == Method::EmailLink { "link" } else { "code" };
            let detail = format!("The {what} was handed to whoever issued the invitation; this service sent nothing.");
            found.add(Code::NotSentByUs, Some(invitation.issued_at), detail);
        }
        return;
    };
    let channel = facts.channel.as_str();
    let error = message.last_error.as_deref().unwrap_or("unknown");
    let since = Some(message.updated_at);
    match message.state {
        DeliveryState::Held => {
            let detail = format!("The {channel} message waits until the account's lock is confirmed.");
            found.add(Code::MessageHeld, Some(message.created_at), detail);
        }
        DeliveryState::Scheduled => {
            let detail = format!("The {channel} message is to be sent at {}.", message.next_attempt_at.to_rfc3339());
            found.add(Code::MessageScheduled, Some(message.created_at), detail);
        }
        DeliveryState::Ready if message.attempts == 0 => {
            found.add(
                Code::MessageQueued,
                Some(message.created_at),
                format!("The {channel} message waits to be sent."),
            );
        }
        DeliveryState::Ready => {
            let detail = format!(
                "The {channel} message could not be handed over yet; try {} ended with {error}, the next is due at {}.",
                message.attempts,
                message.next_attempt_at.to_rfc3339()
            );
            found.add(Code::MessageRetrying, Some(message.created_at), detail);
        }
        DeliveryState::Sending => {
            found.add(Code::MessageSending, since, format!("The {channel} message is being handed over right now."));
        }
        DeliveryState::Sent | DeliveryState::Delivered | DeliveryState::Bounced => taken(message, channel, found),
        DeliveryState::Failed => {
            let detail = format!("The {channel} message was given up after {} tries: {error}.", message.attempts);
            found.add(Code::MessageFailed, since, detail);
        }
        DeliveryState::Expired => {
            found.add(
                Code::MessageExpired,
                since,
                format!("The {channel} message could not be sent before it ran out."),
            );
        }
        DeliveryState::Superseded | DeliveryState::Skipped => {}
    }
}

/// What came of the message by the other channel, while the invitation waits.
pub(super) fn fallback(facts: &Facts<'_>, found: &mut Findings) {
    let Some(invitation) = facts.invitation.filter(|_| facts.status() == Some(Status::Pending)) else { return };
    let why = match invitation.fallback {
        None | Some(Fallback::Moot) => return,
        Some(Fallback::Due) => {
            found.add(Code::FallbackDue, None, "A message by the other channel is about to follow.");
            return;
        }
        Some(Fallback::Done) => {
            let detail = "An earlier message did not reach the person; one by the other channel followed.";
            found.add(Code::FellBack, None, detail);
            return;
        }
        Some(Fallback::RecipientMissing) => "the directory has no address of the person there",
        Some(Fallback::CountryNotAllowed) => "text messages may not go to the country of the person's number",
        Some(Fallback::ChannelNotConfigured) => "no gateway is configured for it",
        Some(Fallback::FeatureDisabled) => "invitations are turned off",
        Some(Fallback::PolicyViolation) => "the strict profile does not let its method live as long as the invitation",
        Some(Fallback::UserNotFound) => "the directory does not have the person",
    };
    found.add(Code::FallbackFailed, None, format!("No message by the other channel followed: {why}."));
}

/// A message that the gateway took.
fn taken(message: &Delivery, channel: &str, found: &mut Findings) {
    let (code, detail) = match message.state {
        DeliveryState::Bounced => {
            let error = message.last_error.as_deref().unwrap_or("unknown");
            (Code::MessageBounced, format!("The {channel} message {} ({error}).", why_bounced(message.bounce())))
        }
        DeliveryState::Delivered => {
            let detail = "message arrived, says the gateway. If it can't be found, look into the spam folder.";
            (Code::MessageDelivered, format!("The {channel} {detail}"))
        }
        _ => {
            let detail = "message. If it did not arrive, look into the spam folder.";
            (Code::MessageSent, format!("The gateway took the {channel} {detail}"))
        }
    };
    found.add(code, Some(message.updated_at), detail);
}

fn why_bounced(bounce: Option<ReceiptKind>) -> &'static str {
    match bounce {
        Some(ReceiptKind::HardBounce) => "came back: the address does not exist, or takes no messages",
        Some(ReceiptKind::Suppressed) => {
            "was not sent on: the gateway has the address on its list of those that bounced, complained or opted out"
        }
        Some(ReceiptKind::Complained) => "arrived and was reported as spam",
        Some(ReceiptKind::Rejected) => "was refused by the gateway or by a filter on its way",
        Some(ReceiptKind::SoftBounce | ReceiptKind::Delivered) | None => {
            "could not be delivered for now, such as to a full mailbox, and the gateway gave up"
        }
    }
}

impl Delivery {
    /// Why it came back, if it did.
    fn bounce(&self) -> Option<ReceiptKind> {
        let error = self.last_error.as_deref().filter(|_| self.state == DeliveryState::Bounced);
        error.and_then(Receipt::kind_of)
    }

    /// Whether the gateway will never take it for this address, so that sending it again would change nothing.
    pub(super) fn is_refused(&self) -> bool {
        if let Some(ReceiptKind::HardBounce | ReceiptKind::Suppressed | ReceiptKind::Complained) = self.bounce() {
            return true;
        }
        let codes = ["http_4", "recipient_"];
        self.state == DeliveryState::Failed
            && self.last_error.as_deref().is_some_and(|error| codes.iter().any(|code| error.starts_with(code)))
    }
}
