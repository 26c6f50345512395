//! How invitations behave for one tenant: the operator's defaults with the tenant's overrides merged over them.
//!
//! The JSON form (camelCase, RFC 7396 merge) is the contract of `/v1/settings`, of the `defaults` section of the
//! configuration and of the stored overrides alike, so its schema is derived here too. A change touches only invitations
//! issued afterwards.

mod layers;
mod rules;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use layers::{Defaults, Effective, Source, apply, differences};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::fallback::FallbackSettings;
use super::invitation::{Method, Purpose};
use super::otp::OtpShape;

/// Longest expiry that can be set, in minutes (7 days, the original's range).
pub const EXPIRY_MINUTES_MAX: i64 = 10_080;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the contract's switches, each of its own")]
pub struct Settings {
    /// Whether invitations can be issued at all.
    pub enabled: bool,
    #[schema(inline)]
    pub method: Method,
    /// How long an invitation of a new person lives; -1 for ever, 0 not at all.
    #[schema(minimum = -1, maximum = 10080)]
    pub expiry_minutes: i64,
    /// Whether people are told that their account is ready.
    pub activation_notification: bool,
    /// Whether a new person's account stays locked until the password is set.
    pub lock_account_until_password_set: bool,
    #[schema(inline)]
    pub notifications: Notifications,
    #[schema(inline)]
    pub otp: OtpSettings,
    #[schema(inline)]
    pub password_reset: PasswordResetSettings,
    #[schema(inline)]
    pub resend: ResendSettings,
    #[schema(inline)]
    pub reminders: ReminderSettings,
    #[schema(inline)]
    pub fallback: FallbackSettings,
    /// Whether the holder of an expired link may have a new one sent to the registered address.
    pub self_service_request_new: bool,
    #[schema(inline)]
    pub links: LinkSettings,
    #[schema(inline)]
    pub email: EmailSettings,
    #[schema(inline)]
    pub sms: SmsSettings,
    /// Language of messages to people whose own is not known, as a language tag.
    #[schema(max_length = 35)]
    pub locale: String,
    #[schema(inline)]
    pub password_policy: PasswordPolicy,
    #[schema(inline)]
    pub policy: PolicySettings,
}

/// Who sends the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Notifications {
    /// We send the messages.
    Internal,
    /// The caller gets the secret in the answer and sends it.
    External,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OtpSettings {
    /// Whether codes have upper-case letters; one class at least must be on.
    pub uppercase: bool,
    /// Whether codes have lower-case letters.
    pub lowercase: bool,
    /// Whether codes have digits.
    pub digits: bool,
    /// Characters of a code.
    #[schema(minimum = 4, maximum = 10)]
    pub length: u8,
    /// Wrong codes that one generation of an invitation takes.
    #[schema(minimum = 1, maximum = 10)]
    pub max_attempts: u8,
    #[schema(inline)]
    pub hashing: OtpHashing,
}

/// How codes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OtpHashing {
    /// HMAC for short-lived codes, argon2id for those that live longer than a day.
    Auto,
    /// argon2id for every code.
    Argon2id,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordResetSettings {
    #[schema(inline)]
    pub method: Method,
    /// How long a reset lives; -1 for ever, 0 not at all.
    #[schema(minimum = -1, maximum = 10080)]
    pub expiry_minutes: i64,
    /// Whether the account stays locked until the new password is set.
    pub lock_account: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResendSettings {
    /// How long to wait after a message before the next one.
    #[schema(minimum = 0, maximum = 86400)]
    pub cooldown_seconds: u32,
    /// How often one invitation can be resent.
    #[schema(minimum = 0, maximum = 1000)]
    pub max_per_invitation: u32,
    /// How long the secret before the last one stays valid after a resend, under the same budget of attempts.
    #[schema(minimum = 0, maximum = 1440)]
    pub tolerance_minutes: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReminderSettings {
    /// When to remind of an invitation that is still open; empty for never.
    #[schema(max_items = 5)]
    pub minutes_before_expiry: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LinkSettings {
    /// Page that sets the password; `{token}` is replaced, best placed in the fragment so that no server logs it.
    #[schema(max_length = 2048)]
    pub setup_url: String,
    /// Page where a code is entered.
    #[schema(max_length = 2048)]
    pub otp_url: String,
    /// URLs that `redirectUrl` may name; one that ends in `/*` stands for all below it.
    #[schema(max_items = 100)]
    pub allowed_redirects: Vec<String>,
    /// Origins whose pages may call the public routes.
    #[schema(max_items = 100)]
    pub allowed_origins: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmailSettings {
    /// Address that e-mails come from, alone or as `Name <address>`, in place of the operator's. The empty text says "the operator's" where a
    /// lower layer names one.
    #[serde(deserialize_with = "text_or_none")]
    #[schema(required, max_length = 320)]
    pub from: Option<String>,
    /// Address that answers go to. The empty text says "the sender" where a lower layer names one.
    #[serde(deserialize_with = "text_or_none")]
    #[schema(required, max_length = 254)]
    pub reply_to: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SmsSettings {
    /// Countries that text messages may go to, as ISO 3166-1 alpha-2 codes; empty for all.
    #[schema(max_items = 249)]
    pub allowed_countries: Vec<String>,
    /// Host, with a port if it needs one, that the last line of a message binds its code to, so that a browser fills it in
    /// there and nowhere else (`@host #code`). The empty text says "none" where a lower layer names one.
    #[serde(deserialize_with = "text_or_none")]
    #[schema(required, max_length = 255)]
    pub autofill_origin: Option<String>,
    /// Number or name that messages come from, in place of the operator's. The empty text says "the operator's" where a lower layer names one.
    #[serde(deserialize_with = "text_or_none")]
    #[schema(required, max_length = 16)]
    pub from: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordPolicy {
    /// Characters that a password must have.
    #[schema(minimum = 8, maximum = 64)]
    pub min_length: u16,
    /// Characters that a password may have.
    #[schema(minimum = 64, maximum = 1024)]
    pub max_length: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicySettings {
    #[schema(inline)]
    pub profile: Profile,
}

/// What is done about settings that a standard advises against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// All that the original allows, with warnings where a standard says otherwise.
    Compatible,
    /// Refuses settings outside the ceilings of NIST SP 800-63B-4 and ASVS 5.0.
    Strict,
}

/// One thing wrong with settings: where (JSON pointer), which rule, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SettingsProblem {
    pub pointer: String,
    pub code: &'static str,
    pub detail: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: true,
            method: Method::EmailLink,
            expiry_minutes: 1440,
            activation_notification: true,
            lock_account_until_password_set: true,
            notifications: Notifications::Internal,
            otp: OtpSettings {
                uppercase: true,
                lowercase: true,
                digits: true,
                length: 6,
                max_attempts: 5,
                hashing: OtpHashing::Auto,
            },
            password_reset: PasswordResetSettings {
                method: Method::EmailLink,
                expiry_minutes: 1440,
                lock_account: true,
            },
            resend: ResendSettings { cooldown_seconds: 60, max_per_invitation: 5, tolerance_minutes: 0 },
            reminders: ReminderSettings { minutes_before_expiry: Vec::new() },
            fallback: FallbackSettings::default(),
            self_service_request_new: false,
            links: LinkSettings {
                setup_url: "https://localhost/set-password#token={token}".to_owned(),
                otp_url: "https://localhost/enter-code".to_owned(),
                allowed_redirects: Vec::new(),
                allowed_origins: Vec::new(),
            },
            email: EmailSettings { from: None, reply_to: None },
            sms: SmsSettings { allowed_countries: Vec::new(), autofill_origin: None, from: None },
            locale: "en".to_owned(),
            password_policy: PasswordPolicy { min_length: 8, max_length: 128 },
            policy: PolicySettings { profile: Profile::Compatible },
        }
    }
}

impl Settings {
    /// The method used when a call names none.
    #[must_use]
    pub const fn method_for(&self, purpose: Purpose) -> Method {
        match purpose {
            Purpose::Onboarding => self.method,
            Purpose::PasswordReset => self.password_reset.method,
        }
    }

    /// The expiry in minutes used when a call names none.
    #[must_use]
    pub const fn expiry_for(&self, purpose: Purpose) -> i64 {
        match purpose {
            Purpose::Onboarding => self.expiry_minutes,
            Purpose::PasswordReset => self.password_reset.expiry_minutes,
        }
    }

    /// Whether the account is locked until the password is set when a call does not say.
    #[must_use]
    pub const fn lock_for(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Onboarding => self.lock_account_until_password_set,
            Purpose::PasswordReset => self.password_reset.lock_account,
        }
    }

    /// Ceilings of the strict profile for one invitation: link 30 days, e-mail OTP 24 h, SMS OTP 10 min, 20 bits.
    #[must_use]
    pub fn exceeds_strict(&self, method: Method, expiry_minutes: i64) -> Option<&'static str> {
        let ceiling = match method {
            Method::EmailLink => 43_200,
            Method::EmailOtp => 1440,
            Method::SmsOtp => 10,
        };
        if expiry_minutes < 0 || expiry_minutes > ceiling {
            return Some("expiry_too_long");
        }
        (method.is_otp() && OtpShape::from(self.otp).bits() < 20.0).then_some("otp_too_weak")
    }
}

impl LinkSettings {
    /// Whether a page of `origin` (scheme, host, port) may call the public routes.
    #[must_use]
    pub fn allows_origin(&self, origin: &str) -> bool {
        self.allowed_origins.iter().any(|allowed| allowed == origin)
    }

    /// Whether `url` may be named as `redirectUrl`: an exact entry, or below an entry that ends in `/*`.
    #[must_use]
    pub fn allows_redirect(&self, url: &url::Url) -> bool {
        self.allowed_redirects.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(prefix) => url.as_str().starts_with(prefix),
            None => url::Url::parse(allowed).is_ok_and(|allowed| allowed == *url),
        })
    }
}

/// How long an invitation lives; `None` is for ever.
#[must_use]
pub fn lifetime(expiry_minutes: i64) -> Option<Duration> {
    u64::try_from(expiry_minutes).ok().map(|minutes| Duration::from_secs(minutes.saturating_mul(60)))
}

/// True for the expiries that can be asked for: -1 (never), 0 (at once), 1 to [`EXPIRY_MINUTES_MAX`].
#[must_use]
pub const fn is_expiry(minutes: i64) -> bool {
    minutes >= -1 && minutes <= EXPIRY_MINUTES_MAX
}

fn text_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}
