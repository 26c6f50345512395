//! What WSO2's bodies present as code or key, and how the original words what is wrong with it.
//!
//! The original looks a code up by itself. Ours binds an OTP to its person, so an OTP comes with the user, or with the properties
//! `username` and `realm`; a link's token, and the grant that a login sent the person on with, need nobody.

use actix_web::http::StatusCode;
use zeroize::Zeroizing;

use super::Fault;
use super::user::{Property, User, named};
use crate::domain::ids::{Realm, Username};
use crate::domain::invitation::{Method, Over};
use crate::domain::otp::Otp;
use crate::service::error::PasswordRefusal;
use crate::service::redeem::{Code, Proof};
use crate::service::{Refusal, ServiceError};

/// The password is in the recent history.
pub(super) const REUSED: &str = "22001";

/// What is presented. An OTP of nobody, or of somebody who can't be, is refused like any other, after the same time.
pub(super) fn proof(secret: &str, user: Option<&User>, properties: Option<&[Property]>) -> Proof {
    let otp = Otp::typed(secret);
    if !otp.is_plausible() {
        return Proof::Token(Zeroizing::new(secret.trim().to_owned()));
    }
    match owner(user, properties.unwrap_or_default()) {
        Some((realm, username)) => Proof::Code(Code { realm, username, otp, idempotency_key: None }),
        None => Proof::Nonsense,
    }
}

fn owner(user: Option<&User>, properties: &[Property]) -> Option<(Realm, Username)> {
    if let Some(user) = user {
        return user.named("/user").ok();
    }
    let value = |key: &str| properties.iter().find(|property| property.key == key)?.value.as_deref();
    named("/properties", value("username")?, value("realm")).ok()
}

/// 18001: unknown, of somebody else, used, or meant for another step.
pub(super) fn invalid() -> Fault {
    Fault::bad_request("18001", "Invalid Code.")
}

/// A genuine secret whose time is over, which the original tells apart by what it is.
pub(super) fn expired(method: Method) -> Fault {
    if method.is_otp() {
        Fault::bad_request("18022", "Expired OTP.")
    } else {
        Fault::bad_request("18002", "Expired Code.")
    }
}

/// What is wrong with a secret, or with the password that it is to set, by the original's numbers where it has some.
pub(super) fn fault(error: ServiceError) -> Fault {
    match error {
        ServiceError::Refused(Refusal::InvalidOrExpired | Refusal::GrantInvalid | Refusal::Over(Over::Accepted)) => {
            invalid()
        }
        ServiceError::Refused(Refusal::Over(Over::Expired)) => expired(Method::EmailLink),
        ServiceError::Refused(Refusal::Over(Over::Superseded | Over::Revoked | Over::Failed)) => {
            Fault::bad_request("18023", "The link is no longer valid.")
        }
        ServiceError::Refused(Refusal::PasswordRejected(reasons)) => rejected(&reasons),
        ServiceError::Refused(Refusal::AccountDisabled) => {
            Fault::bad_request("17003", "The account is locked or disabled by somebody else.")
        }
        ServiceError::Refused(Refusal::UserGone) => Fault::bad_request("18003", "The account does not exist any more."),
        error => error.into(),
    }
}

/// 20035, or 22001 for a password that was used before; the description has the reasons, in the directory's words where it has some.
fn rejected(reasons: &[PasswordRefusal]) -> Fault {
    let description = reasons.iter().map(words).collect::<Vec<_>>().join(" ");
    if reasons.iter().any(|reason| reason.code == "password_reused") {
        let message = "The password was used before; choose another one.";
        return Fault::new(StatusCode::PRECONDITION_FAILED, REUSED, message, description);
    }
    Fault::new(StatusCode::BAD_REQUEST, "20035", "Password Policy Violate", description)
}

fn words(reason: &PasswordRefusal) -> String {
    if let Some(detail) = &reason.detail {
        return detail.clone();
    }
    let words = match reason.code {
        "too_short" => "The password is too short.",
        "too_long" => "The password is too long.",
        "too_common" => "The password is one of those that are guessed first.",
        "equals_username" => "The password is the user name.",
        "equals_address" => "The password is the e-mail address or phone number.",
        "equals_code" => "The password is the code that was sent.",
        "unusable_character" => "The password has a character that can't be used.",
        "password_reused" => "The password was used before.",
        _ => "The directory does not allow the password.",
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn property(key: &str, value: Option<&str>) -> Property {
        Property { key: key.to_owned(), value: value.map(str::to_owned) }
    }

    fn owner_of(properties: &[Property]) -> Option<(String, String)> {
        match proof(" Ab3Cd4 ", None, Some(properties)) {
            Proof::Code(code) => Some((code.realm.as_str().to_owned(), code.username.as_str().to_owned())),
            Proof::Token(_) | Proof::Nonsense => None,
        }
    }

    #[test]
    fn an_otp_is_its_persons_and_nobody_elses() {
        let alex = |realm: &str| Some((realm.to_owned(), "alex".to_owned()));
        let username = || property("username", Some("alex"));
        assert_eq!(owner_of(&[username()]), alex("PRIMARY"));
        assert_eq!(owner_of(&[property("realm", Some("")), username()]), alex("PRIMARY"));
        assert_eq!(
            owner_of(&[property("", None), username(), property("realm", Some("SECONDARY"))]),
            alex("SECONDARY")
        );
        assert_eq!(owner_of(&[property("username", Some("SECONDARY/alex"))]), alex("SECONDARY"));
        assert_eq!(owner_of(&[]), None);
        assert_eq!(owner_of(&[property("Username", Some("alex")), property("username", None)]), None);
        assert_eq!(owner_of(&[username(), property("realm", Some("no realm"))]), None);
    }

    #[test]
    fn whatever_can_be_no_otp_is_a_token() {
        for token in ["inv1_0123456789", "a.b.c", "", "12 456"] {
            assert!(matches!(proof(token, None, None), Proof::Token(_)), "{token}");
        }
    }
}
