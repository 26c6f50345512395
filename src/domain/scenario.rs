//! WSO2's names for what a secret is for: recovery scenarios and steps, and which invitations of ours they mean.
//!
//! The one place for this mapping; the compatible routes read it both ways.

use super::invitation::{Method, Purpose};
use super::text::text_enum;

text_enum!(
    /// Why a secret was given out. Compared exactly, as the original does.
    Scenario {
        AskPassword = "ASK_PASSWORD",
        AskPasswordViaEmailOtp = "ASK_PASSWORD_VIA_EMAIL_OTP",
        AskPasswordViaSmsOtp = "ASK_PASSWORD_VIA_SMS_OTP",
        AdminForcedPasswordResetViaEmailLink = "ADMIN_FORCED_PASSWORD_RESET_VIA_EMAIL_LINK",
        AdminForcedPasswordResetViaOtp = "ADMIN_FORCED_PASSWORD_RESET_VIA_OTP",
        AdminForcedPasswordResetViaSmsOtp = "ADMIN_FORCED_PASSWORD_RESET_VIA_SMS_OTP",
        TenantAdminAskPassword = "TENANT_ADMIN_ASK_PASSWORD",
        AdminInviteSetPasswordOffline = "ADMIN_INVITE_SET_PASSWORD_OFFLINE",
        NotificationBasedPwRecovery = "NOTIFICATION_BASED_PW_RECOVERY",
        QuestionBasedPwdRecovery = "QUESTION_BASED_PWD_RECOVERY",
        UsernameRecovery = "USERNAME_RECOVERY",
        SelfSignUp = "SELF_SIGN_UP",
        LiteSignUp = "LITE_SIGN_UP",
        EmailVerification = "EMAIL_VERIFICATION",
        EmailVerificationOtp = "EMAIL_VERIFICATION_OTP",
        EmailVerificationOnUpdate = "EMAIL_VERIFICATION_ON_UPDATE",
        EmailVerificationOnVerifiedListUpdate = "EMAIL_VERIFICATION_ON_VERIFIED_LIST_UPDATE",
        EmailOtpVerificationOnUpdate = "EMAIL_OTP_VERIFICATION_ON_UPDATE",
        EmailOtpVerificationOnVerifiedListUpdate = "EMAIL_OTP_VERIFICATION_ON_VERIFIED_LIST_UPDATE",
        MobileVerificationOnUpdate = "MOBILE_VERIFICATION_ON_UPDATE",
        MobileVerificationOnVerifiedListUpdate = "MOBILE_VERIFICATION_ON_VERIFIED_LIST_UPDATE",
        ProgressiveProfileMobileVerificationOnUpdate = "PROGRESSIVE_PROFILE_MOBILE_VERIFICATION_ON_UPDATE",
        ProgressiveProfileMobileVerificationOnVerifiedListUpdate =
            "PROGRESSIVE_PROFILE_MOBILE_VERIFICATION_ON_VERIFIED_LIST_UPDATE",
        PasswordExpiry = "PASSWORD_EXPIRY",
    }
);

impl Scenario {
    /// The scenario of an invitation of this purpose whose secret went this way.
    #[must_use]
    pub const fn of(purpose: Purpose, method: Method) -> Self {
        match (purpose, method) {
            (Purpose::Onboarding, Method::EmailLink) => Self::AskPassword,
            (Purpose::Onboarding, Method::EmailOtp) => Self::AskPasswordViaEmailOtp,
            (Purpose::Onboarding, Method::SmsOtp) => Self::AskPasswordViaSmsOtp,
            (Purpose::PasswordReset, Method::EmailLink) => Self::AdminForcedPasswordResetViaEmailLink,
            (Purpose::PasswordReset, Method::EmailOtp) => Self::AdminForcedPasswordResetViaOtp,
            (Purpose::PasswordReset, Method::SmsOtp) => Self::AdminForcedPasswordResetViaSmsOtp,
        }
    }

    /// The invitations that it means; `None` when it is about something that this service does not do, or that is never resent
    /// (the offline link).
    #[must_use]
    pub const fn invitation(self) -> Option<(Purpose, Method)> {
        match self {
            Self::AskPassword | Self::TenantAdminAskPassword => Some((Purpose::Onboarding, Method::EmailLink)),
            Self::AskPasswordViaEmailOtp => Some((Purpose::Onboarding, Method::EmailOtp)),
            Self::AskPasswordViaSmsOtp => Some((Purpose::Onboarding, Method::SmsOtp)),
            Self::AdminForcedPasswordResetViaEmailLink => Some((Purpose::PasswordReset, Method::EmailLink)),
            Self::AdminForcedPasswordResetViaOtp => Some((Purpose::PasswordReset, Method::EmailOtp)),
            Self::AdminForcedPasswordResetViaSmsOtp => Some((Purpose::PasswordReset, Method::SmsOtp)),
            _ => None,
        }
    }
}

text_enum!(
    /// What the bearer of a secret does next.
    Step {
        /// With a link, and with any secret of a reset that an administrator asked for.
        UpdatePassword = "UPDATE_PASSWORD",
        /// With a code of an onboarding invitation.
        SetPassword = "SET_PASSWORD",
    }
);

impl Step {
    /// The step of an invitation of this purpose whose secret went this way.
    #[must_use]
    pub const fn of(purpose: Purpose, method: Method) -> Self {
        match (purpose, method) {
            (Purpose::Onboarding, Method::EmailOtp | Method::SmsOtp) => Self::SetPassword,
            (Purpose::Onboarding, Method::EmailLink) | (Purpose::PasswordReset, _) => Self::UpdatePassword,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invitation_has_a_scenario_that_means_it() {
        for purpose in Purpose::ALL {
            for method in Method::ALL {
                assert_eq!(Scenario::of(*purpose, *method).invitation(), Some((*purpose, *method)));
            }
        }
        let known = Scenario::ALL.iter().filter(|scenario| scenario.invitation().is_some());
        assert_eq!(known.count(), 7, "the six, and that of a tenant's first administrator");
    }

    #[test]
    fn only_onboarding_codes_have_a_step_of_their_own() {
        let set = |purpose: Purpose, method: Method| Step::of(purpose, method) == Step::SetPassword;
        for method in Method::ALL {
            assert_eq!(set(Purpose::Onboarding, *method), method.is_otp());
            assert!(!set(Purpose::PasswordReset, *method));
        }
    }

    #[test]
    fn names_are_compared_exactly() {
        assert_eq!(Scenario::parse("ASK_PASSWORD"), Some(Scenario::AskPassword));
        for other in ["ask_password", " ASK_PASSWORD", "", "ASK_PASSWORDS"] {
            assert_eq!(Scenario::parse(other), None, "{other}");
        }
    }
}
