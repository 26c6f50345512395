//! What the outbox holds: messages to a person and states to reach in the directory.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{InvitationId, MessageId, TenantId};
use super::invitation::{Channel, Method, Purpose};
use super::text::text_enum;

text_enum!(
    /// What a row of the outbox is for.
    Kind {
        InvitationEmailLink = "invitation_email_link",
        InvitationEmailOtp = "invitation_email_otp",
        InvitationSmsOtp = "invitation_sms_otp",
        PasswordResetEmailLink = "password_reset_email_link",
        PasswordResetEmailOtp = "password_reset_email_otp",
        PasswordResetSmsOtp = "password_reset_sms_otp",
        ActivationEmail = "activation_email",
        ActivationSms = "activation_sms",
        ReminderEmailLink = "reminder_email_link",
        ReminderEmailOtp = "reminder_email_otp",
        ReminderSmsOtp = "reminder_sms_otp",
        /// Bring the directory's lock to the state wanted.
        AccountSync = "account_sync",
        /// Tell an endpoint of the platform what happened.
        WebhookEvent = "webhook_event",
    }
);

impl Kind {
    /// The message that carries the secret.
    #[must_use]
    pub const fn invitation(purpose: Purpose, method: Method) -> Self {
        match (purpose, method) {
            (Purpose::Onboarding, Method::EmailLink) => Self::InvitationEmailLink,
            (Purpose::Onboarding, Method::EmailOtp) => Self::InvitationEmailOtp,
            (Purpose::Onboarding, Method::SmsOtp) => Self::InvitationSmsOtp,
            (Purpose::PasswordReset, Method::EmailLink) => Self::PasswordResetEmailLink,
            (Purpose::PasswordReset, Method::EmailOtp) => Self::PasswordResetEmailOtp,
            (Purpose::PasswordReset, Method::SmsOtp) => Self::PasswordResetSmsOtp,
        }
    }

    /// The message that says the password was set.
    #[must_use]
    pub const fn activation(method: Method) -> Self {
        match method.channel() {
            Channel::Sms => Self::ActivationSms,
            Channel::Email | Channel::Directory | Channel::Webhook => Self::ActivationEmail,
        }
    }

    /// The message that repeats the secret before it expires.
    #[must_use]
    pub const fn reminder(method: Method) -> Self {
        match method {
            Method::EmailLink => Self::ReminderEmailLink,
            Method::EmailOtp => Self::ReminderEmailOtp,
            Method::SmsOtp => Self::ReminderSmsOtp,
        }
    }

    /// Whether it repeats a secret that another message brought.
    #[must_use]
    pub const fn is_reminder(self) -> bool {
        matches!(self, Self::ReminderEmailLink | Self::ReminderEmailOtp | Self::ReminderSmsOtp)
    }

    /// The channel that it goes out on.
    #[must_use]
    pub const fn channel(self) -> Channel {
        match self {
            Self::InvitationSmsOtp | Self::PasswordResetSmsOtp | Self::ActivationSms | Self::ReminderSmsOtp => {
                Channel::Sms
            }
            Self::AccountSync => Channel::Directory,
            Self::WebhookEvent => Channel::Webhook,
            Self::InvitationEmailLink
            | Self::InvitationEmailOtp
            | Self::PasswordResetEmailLink
            | Self::PasswordResetEmailOtp
            | Self::ActivationEmail
            | Self::ReminderEmailLink
            | Self::ReminderEmailOtp => Channel::Email,
        }
    }

    /// What of it is secret, and has to be in its text.
    #[must_use]
    pub const fn secret(self) -> Option<SecretKind> {
        match self {
            Self::InvitationEmailLink | Self::PasswordResetEmailLink | Self::ReminderEmailLink => {
                Some(SecretKind::Link)
            }
            Self::InvitationEmailOtp
            | Self::InvitationSmsOtp
            | Self::PasswordResetEmailOtp
            | Self::PasswordResetSmsOtp
            | Self::ReminderEmailOtp
            | Self::ReminderSmsOtp => Some(SecretKind::Otp),
            Self::ActivationEmail | Self::ActivationSms | Self::AccountSync | Self::WebhookEvent => None,
        }
    }

    /// Whether it is the one that brings a generation's secret, and no reminder of it.
    #[must_use]
    pub const fn brings_secret(self) -> bool {
        self.carries_secret() && !self.is_reminder()
    }

    /// Whether it carries a secret: such a message dies with its generation and is never sent for an ended invitation.
    #[must_use]
    pub const fn carries_secret(self) -> bool {
        self.secret().is_some()
    }
}

/// Which secret a message carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    Link,
    Otp,
}

text_enum!(
    /// Where a row of the outbox stands.
    DeliveryState {
        /// Waits for the account's lock to be confirmed.
        Held = "held",
        /// Waits for a time that was chosen; for the lock as well, if that is not confirmed by then.
        Scheduled = "scheduled",
        Ready = "ready",
        Sending = "sending",
        Sent = "sent",
        /// The gateway says that it arrived.
        Delivered = "delivered",
        /// The gateway took it, and says that it did not reach the person, or was not wanted.
        Bounced = "bounced",
        /// Given up: refused for good, or tried often enough.
        Failed = "failed",
        /// A resend, a revocation or the acceptance made it pointless.
        Superseded = "superseded",
        /// Its time ran out before it could be sent.
        Expired = "expired",
        /// There never was anything to send: the caller brings the secret, or it was over at once.
        Skipped = "skipped",
    }
);

text_enum!(
    /// How a message's way is told to callers.
    DeliveryStatus {
        Skipped = "skipped",
        Scheduled = "scheduled",
        Queued = "queued",
        Sending = "sending",
        /// The gateway took it.
        Sent = "sent",
        Delivered = "delivered",
        Bounced = "bounced",
        Failed = "failed",
    }
);

impl DeliveryState {
    /// What callers are told of this state; one that waits for its time is queued once that has come. The one place that says so; filters
    /// turn it around with [`DeliveryStatus::states`].
    #[must_use]
    pub const fn status(self, is_due: bool) -> DeliveryStatus {
        match self {
            Self::Scheduled if !is_due => DeliveryStatus::Scheduled,
            Self::Scheduled | Self::Held | Self::Ready => DeliveryStatus::Queued,
            Self::Sending => DeliveryStatus::Sending,
            Self::Sent => DeliveryStatus::Sent,
            Self::Delivered => DeliveryStatus::Delivered,
            Self::Bounced => DeliveryStatus::Bounced,
            Self::Failed | Self::Expired => DeliveryStatus::Failed,
            Self::Superseded | Self::Skipped => DeliveryStatus::Skipped,
        }
    }

    /// Whether a gateway took it, and nothing says that it did not reach the person.
    #[must_use]
    pub const fn went_out(self) -> bool {
        matches!(self, Self::Sent | Self::Delivered)
    }

    /// The code that callers are told of a message in this state whose last error was `last`.
    #[must_use]
    pub fn reason(self, last: Option<&str>) -> Option<&str> {
        match self {
            Self::Held | Self::Scheduled | Self::Ready | Self::Sending | Self::Failed | Self::Bounced => last,
            Self::Sent | Self::Delivered | Self::Skipped => None,
            Self::Superseded | Self::Expired => Some(self.as_str()),
        }
    }
}

impl DeliveryStatus {
    /// The states that are told as this: before their time, afterwards, or `None` for both.
    pub fn states(self) -> impl Iterator<Item = (DeliveryState, Option<bool>)> {
        DeliveryState::ALL.iter().filter_map(move |state| match [false, true].map(|due| state.status(due) == self) {
            [true, true] => Some((*state, None)),
            [false, true] => Some((*state, Some(true))),
            [true, false] => Some((*state, Some(false))),
            [false, false] => None,
        })
    }
}

/// What waits to be carried out on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    pub channel: Channel,
    /// Rows that are due.
    pub due: u32,
    /// For how long the oldest of them has been.
    pub lag: Duration,
}

/// What a message says; sealed while it waits, wiped once it is sent.
#[derive(Serialize, Deserialize, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    /// E-mail address or phone number.
    pub to: String,
    pub name: Option<String>,
    pub username: String,
    /// The person's locale, or the tenant's.
    pub locale: String,
    /// The tenant's locale, for when there are no words in the first one.
    #[serde(default)]
    pub fallback_locale: String,
    /// The link, for `*_email_link`.
    pub link: Option<String>,
    /// The code, for `*_otp`.
    pub otp: Option<String>,
    /// Where the code is entered.
    pub otp_url: Option<String>,
    /// Minutes until the secret expires; `None` never does.
    pub expires_in_minutes: Option<i64>,
    /// Host whose page phones may offer to fill the code of an SMS into.
    #[serde(default)]
    pub autofill_host: Option<String>,
    /// What an SMS comes from, where it is the tenant's own.
    #[serde(default)]
    pub sms_from: Option<String>,
    /// What an e-mail comes from, where it is the tenant's own.
    #[serde(default)]
    pub email_from: Option<String>,
    /// Where answers to an e-mail go, if not to its sender.
    #[serde(default)]
    pub reply_to: Option<String>,
}

/// The sources of one message in one locale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Of an e-mail.
    pub subject: Option<String>,
    pub text: String,
    /// Of an e-mail; made from the text when there is none.
    pub html: Option<String>,
}

impl Template {
    /// With lines that end as on Unix, however the form was that they were typed into.
    #[must_use]
    pub fn with_unix_lines(self) -> Self {
        let unix = |text: String| text.replace("\r\n", "\n");
        Self { subject: self.subject, text: unix(self.text), html: self.html.map(unix) }
    }
}

/// Where a sealed payload belongs; it opens nowhere else.
pub struct Place<'a> {
    pub id: MessageId,
    pub tenant: &'a TenantId,
    pub invitation: InvitationId,
    pub generation: i64,
}

impl Place<'_> {
    /// Hands the parts that a seal is bound to over to `then`.
    pub fn bind<T>(&self, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        let generation = self.generation.to_be_bytes();
        then(&[self.id.as_bytes(), self.tenant.as_str().as_bytes(), self.invitation.as_bytes(), &generation])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_from_before_there_were_senders_of_tenants_still_opens() {
        let stored = r#"{"to": "alex@example.com", "name": null, "username": "alex", "locale": "en", "link": null, "otp": null,
            "otpUrl": null, "expiresInMinutes": 60}"#;
        let payload: Payload = serde_json::from_str(stored).unwrap();
        assert_eq!((payload.to.as_str(), &payload.email_from, &payload.reply_to), ("alex@example.com", &None, &None));
    }
}
