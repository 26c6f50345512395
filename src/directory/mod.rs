//! The user directory as the use cases see it: look a person up, lock, unlock, set the password.
//!
//! Each write is a desired state, so repeating it is safe. Which protocol is spoken is the driver's affair; drivers know
//! nothing of invitations, storage or HTTP routes.

mod address;
mod auth;
mod caller;
mod http;
mod keycloak;
mod reading;
mod scim;

use crate::domain::account::{Access, AccountState, LockReason};
use crate::domain::contact::{Email, Phone};
use crate::domain::ids::{UserStore, Username};
use crate::domain::invitation::Channel;
use crate::domain::secret::Password;
use crate::outbound::ProxyFault;

pub use address::BaseUrl;
pub use auth::Credential;
pub use caller::Endpoint;
pub use http::HttpDirectory;
pub use keycloak::KeycloakDirectory;
pub use scim::{ScimDirectory, described};

/// A person as the directory has them. Addresses that are not safe to write to are left out.
#[derive(Clone)]
pub struct DirectoryUser {
    /// The directory's own immutable id.
    pub id: String,
    /// Without the name of the user store, which some directories put before it.
    pub username: Username,
    pub email: Option<Email>,
    pub phone: Option<Phone>,
    pub display_name: Option<String>,
    pub locale: Option<String>,
    /// Whether the account can be used; for plain SCIM the lock and an administrator's "disabled" are one thing.
    pub access: Access,
    /// Why the account is locked, in the directory's words, such as WSO2's `MAX_ATTEMPTS_EXCEEDED`.
    pub locked_reason: Option<String>,
    /// What state the directory has it in, such as WSO2's `PENDING_AP`.
    pub account_state: Option<String>,
    /// `ETag`, when the directory has one.
    pub version: Option<String>,
    /// The completed-acceptance marker, when the directory is configured to keep one.
    pub marker: Option<String>,
}

impl DirectoryUser {
    /// Whether the directory itself says that the person was invited and has no password yet.
    #[must_use]
    pub fn awaits_first_password(&self) -> bool {
        let is = |said: &Option<String>, word: &str| said.as_deref() == Some(word);
        is(&self.account_state, AccountState::PendingAskPassword.as_str())
            || is(&self.locked_reason, LockReason::PendingAskPassword.as_str())
    }

    /// Whether the account can be used.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self.access, Access::Usable)
    }
}

/// The one change of the accept saga.
pub struct PasswordChange<'a> {
    pub password: &'a Password,
    /// Unlock in the same request; only ever true when the lock is ours.
    pub unlock: bool,
    /// The channel whose address the directory may mark as verified.
    pub proved: Option<Channel>,
    /// `<invitation>:<generation>:<fence>`, written where the directory keeps a marker.
    pub marker: &'a str,
}

/// Why a call to the directory gave no answer to use.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("the directory has no such user")]
    NotFound,
    /// Only when somebody is looked for by name.
    #[error("the directory has no such user store")]
    NoSuchStore,
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

/// It does not do what was asked.
pub(crate) const REFUSED: &str = "refused";
/// Our credential is refused.
pub(crate) const UNAUTHORIZED: &str = "unauthorized";

impl DirectoryError {
    /// Whether it is our credential that is refused: every call would meet that, and only an operator can mend it.
    #[must_use]
    pub fn is_misconfigured(&self) -> bool {
        matches!(self, Self::NotApplied(code) if [UNAUTHORIZED, ProxyFault::Unauthorized.code()].contains(code))
    }

    /// Whether it is certain that nothing was applied.
    #[must_use]
    pub const fn is_certain(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }
}

/// The configured driver.
pub enum Directory {
    /// WSO2 Identity Server, too.
    Scim(ScimDirectory),
    Keycloak(KeycloakDirectory),
    Http(HttpDirectory),
}

impl Directory {
    /// The one user of exactly this name in this user store.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], [`DirectoryError::NoSuchStore`], [`DirectoryError::Ambiguous`], or that no answer came.
    pub async fn find_user(&self, store: UserStore<'_>, username: &Username) -> Result<DirectoryUser, DirectoryError> {
        match self {
            Self::Scim(scim) => scim.find_user(store, username).await,
            Self::Keycloak(keycloak) => keycloak.find_user(store, username).await,
            Self::Http(http) => http.find_user(store, username).await,
        }
    }

    /// The user of this id, so that a recycled name is not taken for the person; where none is known, the one of this name.
    ///
    /// # Errors
    /// As [`Directory::get_user`] and [`Directory::find_user`].
    pub async fn look_up(
        &self,
        store: UserStore<'_>,
        id: Option<&str>,
        username: &Username,
    ) -> Result<DirectoryUser, DirectoryError> {
        match id {
            Some(id) => self.get_user(store, id).await,
            None => self.find_user(store, username).await,
        }
    }

    /// The user with the directory's own id.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], or that no answer came.
    pub async fn get_user(&self, store: UserStore<'_>, id: &str) -> Result<DirectoryUser, DirectoryError> {
        match self {
            Self::Scim(scim) => scim.get_user(store, id).await,
            Self::Keycloak(keycloak) => keycloak.get_user(store, id).await,
            Self::Http(http) => http.get_user(store, id).await,
        }
    }

    /// Locks the account for a reason, or unlocks it, guarded by the version in `user` when there is one.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn set_lock(
        &self,
        store: UserStore<'_>,
        user: &DirectoryUser,
        wanted: Option<LockReason>,
    ) -> Result<(), DirectoryError> {
        match self {
            Self::Scim(scim) => scim.set_lock(store, user, wanted).await,
            Self::Keycloak(keycloak) => keycloak.set_lock(store, user, wanted).await,
            Self::Http(http) => http.set_lock(store, user, wanted).await,
        }
    }

    /// Sets the password, and unlocks if asked, in one request where the directory can.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub async fn set_password(
        &self,
        store: UserStore<'_>,
        user: &DirectoryUser,
        change: &PasswordChange<'_>,
    ) -> Result<(), DirectoryError> {
        match self {
            Self::Scim(scim) => scim.set_password(store, user, change).await,
            Self::Keycloak(keycloak) => keycloak.set_password(store, user, change).await,
            Self::Http(http) => http.set_password(store, user, change).await,
        }
    }

    /// Whether the directory keeps the acceptance marker, so that an unknown outcome can be looked up.
    #[must_use]
    pub const fn keeps_marker(&self) -> bool {
        match self {
            Self::Scim(scim) => scim.keeps_marker(),
            Self::Keycloak(keycloak) => keycloak.keeps_marker(),
            Self::Http(http) => http.keeps_marker(),
        }
    }
}
