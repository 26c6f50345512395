//! Names of things: tenants, realms, user names and the ids that this service hands out.
//!
//! Each is its own type, parsed once at the edge; where two spellings mean the same thing, the type carries the key to compare by.

use unicode_normalization::UnicodeNormalization;
use uuid::{Builder, Uuid};

use super::text::{TextError, one_line};
use super::time::Timestamp;

/// Longest user name accepted, in characters.
pub const USERNAME_MAX: usize = 255;

fn is_slug(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphanumeric())
        && text.len() <= 64
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// What WSO2 Identity Server calls the tenant that is meant when none is named.
const SUPER_TENANT: &str = "carbon.super";

/// A tenant, `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`; compared exactly. `carbon.super` is another name of `default`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TenantId(String);

impl TenantId {
    /// The tenant of routes without `/t/{tenant}`.
    #[must_use]
    pub fn default_tenant() -> Self {
        Self("default".to_owned())
    }

    /// # Errors
    /// [`TextError::Charset`] when the text is not of the form above.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        match text {
            SUPER_TENANT => Ok(Self::default_tenant()),
            text if is_slug(text) => Ok(Self(text.to_owned())),
            _ => Err(TextError::Charset),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As WSO2 Identity Server calls it.
    #[must_use]
    pub fn domain(&self) -> &str {
        if *self == Self::default_tenant() { SUPER_TENANT } else { &self.0 }
    }

    /// The names that mean it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let other = Some(self.domain()).filter(|domain| *domain != self.0);
        std::iter::once(self.as_str()).chain(other)
    }
}

/// A user store of the directory, same form as a tenant; compared without case.
#[derive(Debug, Clone)]
pub struct Realm(String);

impl Realm {
    /// The realm meant when none is named.
    #[must_use]
    pub fn primary() -> Self {
        Self("PRIMARY".to_owned())
    }

    /// # Errors
    /// [`TextError::Charset`] when the text is not of the form above.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        if is_slug(text) { Ok(Self(text.to_owned())) } else { Err(TextError::Charset) }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where in the directory somebody is looked for.
#[derive(Debug, Clone, Copy)]
pub struct UserStore<'a> {
    pub tenant: &'a TenantId,
    pub realm: &'a Realm,
}

/// A user name as it was given: one line, up to 255 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// # Errors
    /// [`TextError`] when empty, too long or not one line.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        one_line(text, USERNAME_MAX)?;
        Ok(Self(text.to_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What two spellings of one account share: realm without case, user name in compatibility form without case.
///
/// Budgets and the one-live-invitation rule hang on this, so another spelling never buys another try.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccountKey {
    pub realm: String,
    pub username: String,
}

impl AccountKey {
    #[must_use]
    pub fn new(realm: &Realm, username: &Username) -> Self {
        Self { realm: realm.as_str().to_ascii_uppercase(), username: fold(username.as_str()) }
    }
}

/// Folds spellings that people and directories take for the same: compatibility form, no case, no outer blanks.
#[must_use]
pub fn fold(text: &str) -> String {
    text.trim().nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

/// An id of ours: a prefix and the 32 hex digits of a UUIDv7, so ids sort by age.
macro_rules! prefixed_id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id from the time and 10 random bytes.
            #[must_use]
            pub fn new(now: Timestamp, random: &[u8; 10]) -> Self {
                let millis = u64::try_from(now.millis()).unwrap_or(0);
                Self(Builder::from_unix_timestamp_millis(millis, random).into_uuid())
            }

            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The id written as `text`, only in exactly the form that [`std::fmt::Display`] gives.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let hex = text.strip_prefix($prefix)?;
                if hex.len() != 32 || hex.bytes().any(|b| b.is_ascii_uppercase()) {
                    return None;
                }
                Uuid::try_parse(hex).ok().map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }
    };
}

prefixed_id!(
    /// An invitation.
    InvitationId,
    "inv_"
);
prefixed_id!(
    /// An account that we own state of. Says nothing of the person: once the account's row is erased, nothing leads back.
    AccountId,
    "acc_"
);
prefixed_id!(
    /// A row of the outbox: one message, or one change to make in the directory.
    MessageId,
    "msg_"
);
prefixed_id!(
    /// A job that issues many invitations.
    BulkJobId,
    "blk_"
);
prefixed_id!(
    /// An entry of the audit trail.
    AuditId,
    "aud_"
);
prefixed_id!(
    /// A grant: the right to set one invitation's password.
    GrantId,
    "grt_"
);
prefixed_id!(
    /// An endpoint of a tenant that takes events.
    EndpointId,
    "whe_"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_account_share_a_key() {
        let key =
            |realm: &str, name: &str| AccountKey::new(&Realm::parse(realm).unwrap(), &Username::parse(name).unwrap());
        assert_eq!(key("PRIMARY", "Alex"), key("primary", "alex"));
        assert_eq!(key("PRIMARY", "alex "), key("PRIMARY", "ａｌｅｘ"));
        assert_eq!(key("PRIMARY", "re\u{301}ne"), key("PRIMARY", "RÉNE"));
        assert_ne!(key("PRIMARY", "alex"), key("SECONDARY", "alex"));
    }

    #[test]
    fn an_id_is_read_back_only_in_its_own_form() {
        let id = InvitationId::new(Timestamp::from_millis(1_700_000_000_000), &[7; 10]);
        let text = id.to_string();
        assert_eq!(InvitationId::parse(&text), Some(id));
        assert_eq!(InvitationId::parse(&text.to_uppercase()), None);
        assert_eq!(InvitationId::parse(text.trim_start_matches("inv_")), None);
        assert_eq!(MessageId::parse(&text), None);
    }

    #[test]
    fn realms_and_tenants_are_slugs() {
        for bad in ["", "-a", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(Realm::parse(bad).is_err() && TenantId::parse(bad).is_err(), "{bad:?}");
        }
        assert!(TenantId::parse("carbon.super").is_ok());
    }
}
