//! The user directory as the use cases see it: look a person up, lock, unlock, set the password.
//!
//! Each write is a desired state, so repeating it is safe. Which protocol is spoken is the driver's affair; drivers know
//! nothing of invitations, storage or HTTP routes.

mod scim;

use crate::domain::contact::{Email, Phone};
use crate::domain::ids::{Realm, Username};
use crate::domain::secret::Password;

pub use scim::{ScimConfig, ScimCredential, ScimDirectory};

/// A person as the directory has them. Addresses that are not safe to write to are left out.
#[derive(Clone)]
pub struct DirectoryUser {
    /// The directory's own immutable id.
    pub id: String,
    pub username: Username,
    pub email: Option<Email>,
    pub phone: Option<Phone>,
    pub display_name: Option<String>,
    pub locale: Option<String>,
    /// False when the account cannot be used; for plain SCIM the lock and an administrator's "disabled" are one thing.
    pub active: bool,
    /// ETag, when the directory has one.
    pub version: Option<String>,
    /// The completed-acceptance marker, when the directory is configured to keep one.
    pub marker: Option<String>,
}

/// The one PATCH of the accept saga.
pub struct PasswordChange<'a> {
    pub password: &'a Password,
    /// Unlock in the same request; only ever true when the lock is ours.
    pub unlock: bool,
    /// `<invitation>:<generation>:<fence>`, written where the directory keeps a marker.
    pub marker: &'a str,
}

/// Why a call to the directory gave no answer to use.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("the directory has no such user")]
    NotFound,
    #[error("the directory gave more than one user, or another one, for the name")]
    Ambiguous,
    /// The directory's password policy, in its words, safe to show to the person.
    #[error("the directory refused the password")]
    PasswordRejected { reason: Option<String> },
    /// `If-Match` failed: somebody changed the user in between; nothing was applied.
    #[error("the user was changed by somebody else")]
    Changed,
    /// The request was not applied: no connection, refused, throttled, or a wrong credential of ours.
    #[error("the directory did not take the request: {0}")]
    NotApplied(&'static str),
    /// The request may or may not have been applied: time-out or reset after sending, 5xx.
    #[error("the outcome of the request is not known: {0}")]
    Unknown(&'static str),
}

/// The configured driver.
pub enum Directory {
    Scim(ScimDirectory),
}

impl Directory {
    /// The one user of exactly this name in this realm.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], [`DirectoryError::Ambiguous`], or that no answer came.
    pub async fn find_user(&self, realm: &Realm, username: &Username) -> Result<DirectoryUser, DirectoryError> {
        match self {
            Self::Scim(scim) => scim.find_user(realm, username).await,
        }
    }

    /// The user with the directory's own id.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], or that no answer came.
    pub async fn get_user(&self, realm: &Realm, id: &str) -> Result<DirectoryUser, DirectoryError> {
        match self {
            Self::Scim(scim) => scim.get_user(realm, id).await,
        }
    }

    /// Locks (`active = false`) or unlocks the account, guarded by the version in `user` when there is one.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn set_active(&self, realm: &Realm, user: &DirectoryUser, active: bool) -> Result<(), DirectoryError> {
        match self {
            Self::Scim(scim) => scim.set_active(realm, user, active).await,
        }
    }

    /// Sets the password, and unlocks if asked, in one request.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn set_password(
        &self,
        realm: &Realm,
        user: &DirectoryUser,
        change: &PasswordChange<'_>,
    ) -> Result<(), DirectoryError> {
        match self {
            Self::Scim(scim) => scim.set_password(realm, user, change).await,
        }
    }

    /// Whether the directory keeps the acceptance marker, so that an unknown outcome can be looked up.
    #[must_use]
    pub const fn keeps_marker(&self) -> bool {
        match self {
            Self::Scim(scim) => scim.keeps_marker(),
        }
    }
}
