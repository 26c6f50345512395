//! What the platform is told: the public events, and which entry of the audit trail makes which of them.

use super::message::Kind;
use super::text::text_enum;

text_enum!(
    /// The type of an event, as it stands in its body and in an endpoint's filter.
    EventType {
        InvitationIssued = "invitation.issued",
        InvitationResent = "invitation.resent",
        /// The gateway took the message.
        InvitationSent = "invitation.sent",
        /// The gateway took a reminder.
        InvitationReminded = "invitation.reminded",
        /// The gateway says that it arrived.
        InvitationDelivered = "invitation.delivered",
        /// The gateway says that it did not.
        InvitationBounced = "invitation.bounced",
        /// A message was given up before any gateway took it.
        InvitationSendFailed = "invitation.send_failed",
        InvitationRedeemed = "invitation.redeemed",
        InvitationAccepted = "invitation.accepted",
        InvitationDeclined = "invitation.declined",
        InvitationExpired = "invitation.expired",
        InvitationRevoked = "invitation.revoked",
        /// It can't be completed; the detail says why.
        InvitationFailed = "invitation.failed",
        AccountLocked = "account.locked",
        AccountUnlocked = "account.unlocked",
        /// Sent by an administrator's test only; no filter names it.
        Test = "webhook.test",
    }
);

impl EventType {
    /// What an endpoint can ask for.
    pub fn subscribable() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|event| *event != Self::Test)
    }

    /// The public event that an entry of the audit trail makes; most make none.
    ///
    /// `is_invitation` says whether the entry is about one.
    #[must_use]
    pub fn of_audit(event: &str, detail: &str, is_invitation: bool) -> Option<Self> {
        match event {
            "message.sent" if is_invitation => Self::of_message(Kind::parse(detail)?),
            "message.delivered" if is_invitation => Some(Self::InvitationDelivered),
            "message.bounced" if is_invitation => Some(Self::InvitationBounced),
            "message.failed" if is_invitation => Some(Self::InvitationSendFailed),
            "invitation.fell_back" => Some(Self::InvitationResent),
            "invitation.lock_confirmed" => Some(Self::AccountLocked),
            // The others have the same name inside and outside.
            _ => Self::parse(event).filter(|event| event.is_recorded()),
        }
    }

    /// What is told when a message of this kind was sent.
    const fn of_message(kind: Kind) -> Option<Self> {
        match kind {
            Kind::ReminderEmailLink | Kind::ReminderEmailOtp | Kind::ReminderSmsOtp => Some(Self::InvitationReminded),
            _ if kind.carries_secret() => Some(Self::InvitationSent),
            _ => None,
        }
    }

    /// Whether the audit trail has it under its public name.
    const fn is_recorded(self) -> bool {
        !matches!(
            self,
            Self::InvitationSent
                | Self::InvitationReminded
                | Self::InvitationDelivered
                | Self::InvitationBounced
                | Self::InvitationSendFailed
                | Self::Test
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_the_audit_trail_become_public_events() {
        let of = |event, detail| EventType::of_audit(event, detail, true).map(EventType::as_str);
        assert_eq!(of("invitation.issued", "email_link"), Some("invitation.issued"));
        assert_eq!(of("message.sent", "invitation_email_link"), Some("invitation.sent"));
        assert_eq!(of("message.sent", "reminder_sms_otp"), Some("invitation.reminded"));
        assert_eq!(of("message.failed", "http_422"), Some("invitation.send_failed"));
        assert_eq!(of("message.delivered", "invitation_email_link"), Some("invitation.delivered"));
        assert_eq!(of("message.bounced", "hard_bounce:5.1.1"), Some("invitation.bounced"));
        assert_eq!(of("invitation.fell_back", "sms_otp"), Some("invitation.resent"));
        assert_eq!(of("invitation.lock_confirmed", ""), Some("account.locked"));
        assert_eq!(of("account.unlocked", "administrator"), Some("account.unlocked"));
    }

    #[test]
    fn inner_steps_and_the_doings_of_webhooks_themselves_become_none() {
        for (event, detail) in [
            ("message.retried", "http_500"),
            ("message.sent", "activation_email"),
            ("receipt.bounced", "reminder_email_link hard_bounce"),
            ("receipt.delivered", "invitation_email_link"),
            ("message.sent", "webhook_event"),
            ("account.synced", "held"),
            ("invitation.redeem_failed", "wrong_code"),
            ("invitation.sent", ""),
            ("webhook.test", ""),
            ("webhook.disabled", "gone"),
        ] {
            assert_eq!(EventType::of_audit(event, detail, true), None, "{event}");
        }
        assert_eq!(EventType::of_audit("message.failed", "http_500", false), None);
    }
}
