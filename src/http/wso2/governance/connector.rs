//! The connectors that there are here, as data: the original's names, order, words and types.
//!
//! Source: the connector configurations of WSO2's identity-governance, and what its integration tests expect of the API.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::property::{Methods, Property, View};
use crate::domain::wso2::Wso2Version;

/// One connector: the settings of one feature.
pub(super) struct Connector {
    pub(super) name: &'static str,
    pub(super) category: &'static str,
    pub(super) friendly_name: &'static str,
    properties: &'static [Property],
}

/// The connectors of a category's name, in the order of the answers.
pub(super) const CONNECTORS: [&Connector; 2] = [&ASK_PASSWORD, &PASSWORD_RESET];

/// Properties that came after 7.1.0, with invitations by OTP.
const LATER: [&str; 3] =
    ["EmailVerification.OTP", "EmailVerification.AskPassword.EmailOTP", "EmailVerification.AskPassword.SMSOTP"];

const BOOLEAN: Option<&str> = Some("boolean");
const INTEGER: Option<&str> = Some("integer");
const STRING: Option<&str> = Some("string");
const NO_VERIFICATION: &str = "addresses are not verified here but by an invitation";

static INVITED_BY: Methods = Methods {
    pointer: "/method",
    options: &["email_otp", "sms_otp"],
    several: "Enabling more than one ask password set option is not allowed.",
    beside: "Enabling more than one ask password set option is not allowed.",
    none: Ok("email_link"),
};

static RESET_BY: Methods = Methods {
    pointer: "/passwordReset/method",
    options: &["email_link", "email_otp", "sms_otp"],
    several: "Enabling more than one admin password reset option is not allowed",
    beside: "Enabling admin forced password reset option while other options are enabled is not allowed",
    none: Err("Disabling all admin forced password reset options is not allowed"),
};

static ASK_PASSWORD: Connector = Connector {
    name: "user-email-verification",
    category: "User Onboarding",
    friendly_name: "Ask Password",
    properties: &[
        Property {
            name: "EmailVerification.Enable",
            display_name: "Enable user email verification",
            description: "A verification notification will be triggered during user creation.",
            data_type: BOOLEAN,
            view: View::Switch("/enabled"),
        },
        Property {
            name: "EmailVerification.OTP.SendOTPInEmail",
            display_name: "Send OTP in e-mail",
            description: "Enable to send OTP in verification e-mail instead of confirmation code.",
            data_type: BOOLEAN,
            view: View::Fixed("false", "a code in place of a link is a method of its own"),
        },
        Property {
            name: "EmailVerification.OTP",
            display_name: "Send OTP in e-mail",
            description: "Enable to send OTP to verify email.",
            data_type: BOOLEAN,
            view: View::Fixed("false", NO_VERIFICATION),
        },
        Property {
            name: "EmailVerification.AskPassword.EmailOTP",
            display_name: "Send email OTP to setup the password",
            description: "Enable to send email OTP to setup the password.",
            data_type: BOOLEAN,
            view: View::Method(&INVITED_BY, "email_otp"),
        },
        Property {
            name: "EmailVerification.AskPassword.SMSOTP",
            display_name: "Send SMS OTP to setup the password",
            description: "Enable to send SMS OTP to setup the password.",
            data_type: BOOLEAN,
            view: View::Method(&INVITED_BY, "sms_otp"),
        },
        Property {
            name: "EmailVerification.OTP.UseUppercaseCharactersInOTP",
            display_name: "Include uppercase characters in OTP",
            description: "Enable to include uppercase characters in SMS and e-mail OTPs.",
            data_type: BOOLEAN,
            view: View::Switch("/otp/uppercase"),
        },
        Property {
            name: "EmailVerification.OTP.UseLowercaseCharactersInOTP",
            display_name: "Include lowercase characters in OTP",
            description: "Enable to include lowercase characters in SMS and e-mail OTPs.",
            data_type: BOOLEAN,
            view: View::Switch("/otp/lowercase"),
        },
        Property {
            name: "EmailVerification.OTP.UseNumbersInOTP",
            display_name: "Include numbers in OTP",
            description: "Enable to include numbers in SMS and e-mail OTPs.",
            data_type: BOOLEAN,
            view: View::Switch("/otp/digits"),
        },
        Property {
            name: "EmailVerification.OTP.OTPLength",
            display_name: "OTP length",
            description: "Length of the OTP for SMS and e-mail verifications. OTP length must be 4-10.",
            data_type: STRING,
            view: View::Whole("/otp/length"),
        },
        Property {
            name: "EmailVerification.LockOnCreation",
            display_name: "Enable account lock on creation",
            description: "The user account will be locked during user creation.",
            data_type: BOOLEAN,
            view: View::Switch("/lockAccountUntilPasswordSet"),
        },
        Property {
            name: "EmailVerification.Notification.InternallyManage",
            display_name: "Manage notifications sending internally",
            description: "Disable if the client application handles notification sending.",
            data_type: BOOLEAN,
            view: View::Either("/notifications", "internal", "external"),
        },
        Property {
            name: "EmailVerification.AskPassword.AccountActivation",
            display_name: "Send account activation email",
            description: "Disable if account activation confirmation email is not required.",
            data_type: None,
            view: View::Switch("/activationNotification"),
        },
        Property {
            name: "EmailVerification.ExpiryTime",
            display_name: "Email verification code expiry time",
            description: "Set the time span that the verification e-mail would be valid, in minutes. (For infinite validity period, \
                          set -1)",
            data_type: INTEGER,
            view: View::Fixed("1440", NO_VERIFICATION),
        },
        Property {
            name: "EmailVerification.AskPassword.ExpiryTime",
            display_name: "Ask password code expiry time",
            description: "Set the time span that the ask password e-mail would be valid, in minutes. (For infinite validity period, \
                          set -1)",
            data_type: INTEGER,
            view: View::Whole("/expiryMinutes"),
        },
        Property {
            name: "EmailVerification.AskPassword.PasswordGenerator",
            display_name: "Temporary password generation extension class",
            description: "Temporary password generation extension point in ask password feature.)",
            data_type: STRING,
            view: View::Fixed(
                "org.wso2.carbon.user.mgt.common.DefaultPasswordGenerator",
                "nobody gets a temporary password here",
            ),
        },
        Property {
            name: "_url_listPurposeJITProvisioning",
            display_name: "Manage JIT provisioning purposes",
            description: "Click here to manage just in time provisioning purposes.",
            data_type: Some("uri"),
            view: View::Fixed(
                "/carbon/consent/list-purposes.jsp?purposeGroup=JIT&purposeGroupType=SYSTEM&callback=%2Fcarbon%2Fidpmgt%2F\
                 idp-mgt-edit-local.jsp%3Fcategory%3DUser+Onboarding%26subCategory%3DAsk+Password",
                "it is a link of the original's own pages",
            ),
        },
    ],
};

static PASSWORD_RESET: Connector = Connector {
    name: "admin-forced-password-reset",
    category: "Account Management",
    friendly_name: "Password Reset",
    properties: &[
        Property {
            name: "Recovery.AdminPasswordReset.RecoveryLink",
            display_name: "Enable password reset via recovery e-mail",
            description: "User gets notified with a link to reset password",
            data_type: BOOLEAN,
            view: View::Method(&RESET_BY, "email_link"),
        },
        Property {
            name: "Recovery.AdminPasswordReset.OTP",
            display_name: "Enable password reset via Email OTP",
            description: "User gets notified with a one-time password to Email try with SSO login",
            data_type: BOOLEAN,
            view: View::Method(&RESET_BY, "email_otp"),
        },
        Property {
            name: "Recovery.AdminPasswordReset.SMSOTP",
            display_name: "Enable password reset via SMS OTP",
            description: "User gets notified with a one-time password to Mobile try with SSO login",
            data_type: BOOLEAN,
            view: View::Method(&RESET_BY, "sms_otp"),
        },
        Property {
            name: "Recovery.AdminPasswordReset.Offline",
            display_name: "Enable password reset offline",
            description: "An OTP generated and stored in users claims",
            data_type: BOOLEAN,
            view: View::Fixed("false", "codes are never kept with the user"),
        },
        Property {
            name: "Recovery.AdminPasswordReset.ExpiryTime",
            display_name: "Admin forced password reset code expiry time",
            description: "Validity time of the admin forced password reset code in minutes",
            data_type: INTEGER,
            view: View::Whole("/passwordReset/expiryMinutes"),
        },
    ],
};

impl Connector {
    pub(super) fn id(&self) -> String {
        id(self.name)
    }

    /// Those that this version has, in its order.
    pub(super) fn properties(&self, version: Wso2Version) -> impl Iterator<Item = &'static Property> {
        let is_there = move |property: &&Property| version.has_otp_invitations() || !LATER.contains(&property.name);
        self.properties.iter().filter(is_there)
    }

    pub(super) fn property(&self, name: &str, version: Wso2Version) -> Option<&'static Property> {
        self.properties(version).find(|property| property.name == name)
    }
}

/// The original's id of a category or connector: its name in base64url without padding.
pub(super) fn id(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

/// The connectors of the category with this id; empty when there is none.
pub(super) fn of_category(category_id: &str) -> Vec<&'static Connector> {
    CONNECTORS.into_iter().filter(|connector| id(connector.category) == category_id).collect()
}
