//! The other channel: a message that did not reach the person is followed by one there, once for an invitation.
//!
//! It brings a new secret under the budget of wrong codes and the expiry that hold already, so that a bounce buys neither guesses nor time.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::invitation::{Channel, Invitation, Method, Status};
use super::receipt::ReceiptKind;
use super::text::text_enum;
use super::time::Timestamp;

/// What follows a message that did not reach the person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FallbackSettings {
    #[schema(inline)]
    pub email_to: AfterEmail,
    #[schema(inline)]
    pub sms_to: AfterSms,
}

/// What follows an e-mail that did not reach the person, once for an invitation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AfterEmail {
    #[default]
    None,
    SmsOtp,
}

/// What follows a text message that did not reach the person, once for an invitation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AfterSms {
    #[default]
    None,
    EmailLink,
    EmailOtp,
}

impl AfterEmail {
    #[must_use]
    pub const fn method(self) -> Option<Method> {
        match self {
            Self::None => None,
            Self::SmsOtp => Some(Method::SmsOtp),
        }
    }
}

impl AfterSms {
    #[must_use]
    pub const fn method(self) -> Option<Method> {
        match self {
            Self::None => None,
            Self::EmailLink => Some(Method::EmailLink),
            Self::EmailOtp => Some(Method::EmailOtp),
        }
    }
}

text_enum!(
    /// What came of an invitation's message by the other channel.
    Fallback {
        /// Decided on, not made yet.
        Due = "due",
        Done = "done",
        /// Something else came first: the secret was used, or a resend took its place.
        Moot = "moot",
        RecipientMissing = "recipient_missing",
        CountryNotAllowed = "country_not_allowed",
        ChannelNotConfigured = "channel_not_configured",
        FeatureDisabled = "feature_disabled",
        /// The strict profile does not let the other method live so long.
        PolicyViolation = "policy_violation",
        /// The directory has no such person, or another one by that name.
        UserNotFound = "user_not_found",
    }
);

impl ReceiptKind {
    /// Whether the message did not reach the person. What was reported as spam did.
    #[must_use]
    pub const fn is_unreached(self) -> bool {
        match self {
            Self::HardBounce | Self::SoftBounce | Self::Suppressed | Self::Rejected => true,
            Self::Delivered | Self::Complained => false,
        }
    }
}

impl Invitation {
    /// The method on the other channel, if one was agreed on.
    #[must_use]
    pub const fn fallback_method(&self) -> Option<Method> {
        match self.method.channel() {
            Channel::Email => self.terms.fallback.email_to.method(),
            Channel::Sms => self.terms.fallback.sms_to.method(),
            Channel::Directory | Channel::Webhook => None,
        }
    }

    /// The method by which a message that did not reach the person is followed now. `None` when none was agreed on, the invitation does not
    /// wait for the person any more, somebody has its secret after all, or no wrong code is left to be tried.
    #[must_use]
    pub fn falls_back_to(&self, now: Timestamp) -> Option<Method> {
        let has_grant = self.grant.is_some() && self.grant_expires_at.is_some_and(|end| end > now);
        let waits = self.status_at(now) == Status::Pending && self.otp_used_at.is_none() && !has_grant;
        let is_worth = |method: &Method| !method.is_otp() || self.attempts_left != Some(0);
        self.fallback_method().filter(|_| waits).filter(is_worth)
    }
}
