//! What a new password must be, before the directory is asked.
//!
//! Length in characters, any Unicode, bytes unchanged, no composition rules; refused when common or when it repeats
//! what the service knows of the person (NIST SP 800-63B-4 §3.1.1.2, ASVS 5.0 6.2).

use std::collections::HashSet;
use std::sync::LazyLock;

use super::ids::fold;
use super::secret::Password;
use super::settings::PasswordPolicy;

/// Common passwords of at least eight characters, one a line, lower case.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().filter(|line| !line.is_empty()).collect());

/// One rule that a password breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordReason {
    TooShort,
    TooLong,
    Common,
    EqualsUsername,
    EqualsAddress,
    EqualsCode,
    /// Contains a NUL, which directories cut at.
    UnusableCharacter,
}

impl PasswordReason {
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::Common => "too_common",
            Self::EqualsUsername => "equals_username",
            Self::EqualsAddress => "equals_address",
            Self::EqualsCode => "equals_code",
            Self::UnusableCharacter => "unusable_character",
        }
    }
}

/// What the password must not repeat.
#[derive(Default)]
pub struct Known<'a> {
    pub username: &'a str,
    pub email: Option<&'a str>,
    pub phone: Option<&'a str>,
    /// Tells whether a text is the code that was sent; asked once.
    pub is_code: bool,
}

impl PasswordPolicy {
    /// Every rule that `password` breaks; empty when it may be sent to the directory.
    #[must_use]
    pub fn check(&self, password: &Password, known: &Known<'_>) -> Vec<PasswordReason> {
        let text = password.expose();
        let length = text.chars().count();
        let folded = zeroize::Zeroizing::new(fold(text));
        let local_part = known.email.and_then(|email| email.rsplit_once('@')).map(|(local, _)| local);
        let equals = |other: &str| *folded == fold(other);
        [
            (length < usize::from(self.min_length), PasswordReason::TooShort),
            (length > usize::from(self.max_length), PasswordReason::TooLong),
            (COMMON.contains(folded.as_str()), PasswordReason::Common),
            (equals(known.username), PasswordReason::EqualsUsername),
            ([known.email, local_part, known.phone].into_iter().flatten().any(equals), PasswordReason::EqualsAddress),
            (known.is_code, PasswordReason::EqualsCode),
            (text.contains('\0'), PasswordReason::UnusableCharacter),
        ]
        .into_iter()
        .filter_map(|(broken, reason)| broken.then_some(reason))
        .collect()
    }
}

/// Whether a directory's words for a refusal say that the password was used before. No standard has a code for it, so these are the
/// ones that directories are known to say: WSO2's number, Keycloak's message, and how RFC-minded LDAP servers put it.
#[must_use]
pub fn says_reused(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["22001", "recent history", "password history", "in history", "passwordhistory", "last passwords", "any of last"]
        .iter()
        .any(|phrase| words.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: PasswordPolicy = PasswordPolicy { min_length: 8, max_length: 128 };

    fn check(text: &str) -> Vec<PasswordReason> {
        let known = Known {
            username: "alexandrine",
            email: Some("alex.smith@example.com"),
            phone: Some("+94771234567"),
            is_code: false,
        };
        POLICY.check(&Password::new(text.to_owned()), &known)
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(check("1x3y5z7"), [PasswordReason::TooShort]);
        assert!(check("ßßßßßßßq").is_empty());
        assert!(check("🦀🦀🦀🦀🦀🦀🦀q").is_empty());
        assert!(check(&"x1 ".repeat(42)).is_empty());
        assert_eq!(check(&"x".repeat(129)), [PasswordReason::TooLong]);
    }

    #[test]
    fn common_passwords_are_refused_in_any_case() {
        for text in ["password", "PassWord", "password123", "qwertyuiop", "12345678"] {
            assert_eq!(check(text), [PasswordReason::Common], "{text}");
        }
    }

    #[test]
    fn what_we_know_of_the_person_is_refused() {
        assert_eq!(check("Alexandrine"), [PasswordReason::EqualsUsername]);
        assert_eq!(check("alex.smith@example.com"), [PasswordReason::EqualsAddress]);
        assert_eq!(check("ALEX.SMITH"), [PasswordReason::EqualsAddress]);
        assert_eq!(check("+94771234567"), [PasswordReason::EqualsAddress]);
    }

    #[test]
    fn a_refusal_for_a_password_used_before_is_told_from_others() {
        for words in [
            "22001 - This password has been used in recent history. Please choose a different password",
            "Invalid password: must not be equal to any of last 3 passwords.",
            "Password is in history of old passwords",
        ] {
            assert!(says_reused(words), "{words}");
        }
        for words in ["", "Password must contain a digit", "It was used before."] {
            assert!(!says_reused(words), "{words}");
        }
    }

    #[test]
    fn there_are_no_composition_rules() {
        assert!(check("correct horse battery staple").is_empty());
        assert!(check("  leading and trailing  ").is_empty());
    }

    #[test]
    fn the_built_in_list_is_worth_its_name() {
        assert!(COMMON.len() >= 3000, "{}", COMMON.len());
        assert!(COMMON.iter().all(|word| word.chars().count() >= 8 && *word == fold(word)));
    }
}
