//! An invitation: its states, what may follow what, and the terms it was issued under.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::contact::{Email, Phone};
use super::fallback::{Fallback, FallbackSettings};
use super::grace::Grace;
use super::ids::{AccountId, AccountKey, GrantId, InvitationId, Realm, TenantId, UserStore, Username};
use super::text::text_enum;
use super::time::Timestamp;

text_enum!(
    /// Where an invitation stands.
    Status {
        /// The account's lock is not confirmed yet; nothing was sent.
        Provisioning = "provisioning",
        Pending = "pending",
        /// A grant holder's password is being set in the directory.
        Accepting = "accepting",
        Accepted = "accepted",
        Expired = "expired",
        Revoked = "revoked",
        /// It can't be completed: see the failure's code.
        Failed = "failed",
    }
);

impl Status {
    /// The states of which an account has at most one invitation.
    pub const LIVE: [&'static str; 3] = ["provisioning", "pending", "accepting"];
}

text_enum!(
    /// Why the person is asked for a password.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    Purpose { Onboarding = "onboarding", PasswordReset = "password_reset" }
);

text_enum!(
    /// How the person proves to be the one invited.
    #[derive(Serialize, Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "snake_case")]
    Method { EmailLink = "email_link", EmailOtp = "email_otp", SmsOtp = "sms_otp" }
);

impl Method {
    #[must_use]
    pub const fn is_otp(self) -> bool {
        matches!(self, Self::EmailOtp | Self::SmsOtp)
    }

    #[must_use]
    pub const fn channel(self) -> Channel {
        match self {
            Self::EmailLink | Self::EmailOtp => Channel::Email,
            Self::SmsOtp => Channel::Sms,
        }
    }
}

text_enum!(
    /// Why an invitation was revoked.
    RevokeReason {
        Administrator = "administrator",
        /// A newer one of the account took its place.
        Replaced = "replaced",
        /// The person said that it was not for them.
        Declined = "declined",
        /// The account was given a password by other means.
        PasswordSetElsewhere = "password_set_elsewhere",
        /// The directory's user is gone.
        UserDeleted = "user_deleted",
    }
);

text_enum!(
    /// Where something goes that the outbox holds.
    Channel { Email = "email", Sms = "sms", Directory = "directory", Webhook = "webhook" }
);

impl Channel {
    /// Whether what goes out on it is read by a person.
    #[must_use]
    pub const fn is_to_people(self) -> bool {
        matches!(self, Self::Email | Self::Sms)
    }
}

/// What is known of the invited person; all that is personal about an invitation but the user name.
#[derive(Clone, Default)]
pub struct Person {
    /// The directory's immutable id.
    pub id: Option<String>,
    pub email: Option<Email>,
    pub phone: Option<Phone>,
    pub display_name: Option<String>,
    pub locale: Option<String>,
}

/// What was agreed when the invitation was issued; later changes of settings do not touch it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "terms that have nothing to do with each other, each one a field of JSON"
)]
pub struct Terms {
    pub lock_account: bool,
    pub activation_notification: bool,
    pub redirect_url: Option<String>,
    pub resend_cooldown_seconds: u32,
    pub max_resends: u32,
    /// How long the secret before the last one stays good after a resend.
    #[serde(default)]
    pub tolerance_minutes: u32,
    /// When to remind of it, in minutes before it expires.
    #[serde(default)]
    pub reminders: Vec<u32>,
    /// Whether the bearer of the expired link may have a new one sent.
    #[serde(default)]
    pub self_service_request_new: bool,
    /// What follows a message that did not reach the person.
    #[serde(default)]
    pub fallback: FallbackSettings,
    /// Whether a secret that is good went to the caller, who may be anybody but the person.
    #[serde(default)]
    pub handed_over: bool,
    /// Whether nobody waits for this password: the account can be used without it, and its state is not touched.
    #[serde(default)]
    pub optional: bool,
    pub warnings: Vec<String>,
}

/// An invitation as it is stored.
#[derive(Clone)]
pub struct Invitation {
    pub id: InvitationId,
    pub tenant: TenantId,
    pub account: AccountId,
    pub realm: Realm,
    pub username: Username,
    pub person: Person,
    pub terms: Terms,
    /// JSON object, at most 4 KiB, kept as given.
    pub metadata: String,
    pub created_by: String,
    pub purpose: Purpose,
    pub method: Method,
    /// As stored; ask [`Invitation::status_at`] for what holds now.
    pub status: Status,
    pub generation: i64,
    pub resends: i64,
    /// Tagged verifier of the live secret; `None` once an OTP is used up or closed.
    pub verifier: Option<String>,
    /// Verifiers of link tokens of earlier generations, to tell "superseded" from "never existed".
    pub retired_verifiers: Vec<String>,
    /// The secret before the current one, if a resend left it good for a while.
    pub grace: Option<Grace>,
    /// Wrong OTPs still allowed in this generation; `None` for links.
    pub attempts_left: Option<i64>,
    pub otp_used_at: Option<Timestamp>,
    pub otp_replay: Option<Vec<u8>>,
    pub grant: Option<GrantId>,
    pub grant_expires_at: Option<Timestamp>,
    pub accept_fence: i64,
    pub accept_grant: Option<GrantId>,
    pub accept_lease_until: Option<Timestamp>,
    /// When the current generation's message is to be sent, if the caller chose a time; the expiry counts from it.
    pub send_at: Option<Timestamp>,
    /// `None` never expires.
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// When the current generation was issued.
    pub issued_at: Timestamp,
    pub accepted_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub revoke_reason: Option<RevokeReason>,
    pub failure: Option<String>,
    /// What came of the message by the other channel; `None` as long as none was wanted.
    pub fallback: Option<Fallback>,
}

/// Why a genuine link no longer opens anything. Only its bearer learns this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Expired,
    Accepted,
    Revoked,
    Superseded,
    Failed,
}

/// Whether a genuine secret may be redeemed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemable {
    Yes,
    /// The account's lock is not confirmed yet.
    NotYet,
    /// A password is being set by the holder of a grant.
    BeingAccepted,
    Over(Over),
}

impl Invitation {
    #[must_use]
    pub const fn user_store(&self) -> UserStore<'_> {
        UserStore { tenant: &self.tenant, realm: &self.realm }
    }

    /// The channel that whoever redeemed a secret has proved to read. `None` when two secrets of different channels were good, and
    /// when one was handed over: that went by no channel of the person's.
    #[must_use]
    pub fn proved_channel(&self) -> Option<Channel> {
        let channel = self.method.channel();
        let is_sure = self.grace.as_ref().is_none_or(|grace| grace.method.channel() == channel);
        (is_sure && !self.terms.handed_over).then_some(channel)
    }

    #[must_use]
    pub fn account_key(&self) -> AccountKey {
        AccountKey::new(&self.realm, &self.username)
    }

    /// Expired is a matter of the clock, not of a clean-up job having run.
    #[must_use]
    pub fn status_at(&self, now: Timestamp) -> Status {
        match self.status {
            Status::Provisioning | Status::Pending if has_expired(self.expires_at, now) => Status::Expired,
            status => status,
        }
    }

    /// Whether it was resent as often as was agreed.
    #[must_use]
    pub fn is_resent_out(&self) -> bool {
        self.resends >= i64::from(self.terms.max_resends)
    }

    /// The earliest moment for a resend: the cool-down counts from the sending. What has not been sent yet may be replaced at once.
    #[must_use]
    pub fn resendable_from(&self, now: Timestamp) -> Timestamp {
        let cooldown = Duration::from_secs(self.terms.resend_cooldown_seconds.into());
        match self.send_at {
            Some(at) if at > now => self.issued_at,
            Some(at) => at.after(cooldown),
            None => self.issued_at.after(cooldown),
        }
    }

    /// When to remind of this generation, as the terms have it: only between the sending and the expiry. In minutes before the
    /// expiry, and as times.
    pub fn reminders(&self) -> impl Iterator<Item = (u32, Timestamp)> {
        let start = self.send_at.unwrap_or(self.issued_at);
        let times = self.terms.reminders.iter().filter_map(move |minutes| {
            let at = self.expires_at?.before(Duration::from_secs(u64::from(*minutes) * 60));
            Some((*minutes, at))
        });
        times.filter(move |(_, at)| *at > start)
    }

    /// What the bearer of the current secret may do now.
    #[must_use]
    pub fn redeemable_at(&self, now: Timestamp) -> Redeemable {
        match self.status_at(now) {
            Status::Pending => Redeemable::Yes,
            Status::Provisioning => Redeemable::NotYet,
            Status::Accepting => Redeemable::BeingAccepted,
            Status::Accepted => Redeemable::Over(Over::Accepted),
            Status::Expired => Redeemable::Over(Over::Expired),
            Status::Revoked => Redeemable::Over(Over::Revoked),
            Status::Failed => Redeemable::Over(Over::Failed),
        }
    }

    /// What marks a completed acceptance in the directory: invitation, generation and fence.
    #[must_use]
    pub fn acceptance_marker(&self) -> String {
        format!("{}:{}:{}", self.id, self.generation, self.accept_fence)
    }
}

/// An invitation is over at the very millisecond of its expiry.
#[must_use]
pub fn has_expired(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_some_and(|at| at <= now)
}
