//! What a use case says when it does not say yes: a refusal (expected, part of the contract) or a failure (ours).

use std::time::Duration;

use crate::directory::DirectoryError;
use crate::domain::ids::InvitationId;
use crate::domain::invitation::{Channel, Over, Status};
use crate::domain::keys::KeyError;
use crate::domain::settings::SettingsProblem;
use crate::storage::{AsStorageError, StorageError};

pub type ServiceResult<T> = Result<T, ServiceError>;

/// Expected ways to be told no. The table in `http::problem` gives each its status and code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The tenant has invitations turned off.
    FeatureDisabled,
    InvitationExists(InvitationId),
    /// A field of the command breaks a rule: JSON pointer, code and words.
    InvalidField {
        pointer: &'static str,
        code: &'static str,
        detail: String,
    },
    UserNotFound,
    /// [`Refusal::UserNotFound`] to those who do not tell it apart.
    UserStoreNotFound,
    RecipientMissing(Channel),
    RecipientRejected {
        pointer: &'static str,
        code: &'static str,
    },
    RedirectNotAllowed,
    ChannelNotConfigured(Channel),
    /// The strict profile forbids it.
    PolicyViolation(&'static str),
    /// Settings that can't be, all that is wrong with them.
    SettingsRejected(Vec<SettingsProblem>),
    /// It is not, or not any more, as the caller made it a condition.
    PreconditionFailed,
    InvitationNotFound,
    AccountNotFound,
    /// No such kind of message, or the tenant has no template of its own there.
    TemplateNotFound,
    /// The template is another one than the change was meant for.
    TemplateChanged,
    /// The tenant has as many templates as it may have.
    TemplateLimit,
    DeliveryNotFound,
    /// It can't be tried again; why, in words.
    DeliveryNotRetriable(&'static str),
    WebhookNotFound,
    /// The tenant has as many endpoints as it may.
    WebhookLimit,
    /// A gateway's report is not taken.
    Callback(CallbackRefusal),
    NotResendable(Status),
    /// The account has no invitation of this kind, whoever it is.
    NothingToResend,
    ResendTooSoon(Duration),
    ResendLimit,
    NotRevocable(Status),
    AcceptInProgress(Duration),
    /// The one answer to every wrong, unknown or used-up secret.
    InvalidOrExpired,
    /// A genuine link whose invitation is over.
    Over(Over),
    /// A genuine link whose account is not locked yet.
    NotReady(Duration),
    GrantInvalid,
    PasswordRejected(Vec<PasswordRefusal>),
    AccountDisabled,
    /// By an administrator, or because of too many wrong passwords: it stays locked when a password is set.
    AccountLocked,
    UserGone,
    /// Nothing was done, or the same call may be repeated.
    DirectoryUnavailable(Duration),
    /// The idempotency key was used for another request.
    IdempotencyKeyReused,
    /// The first call with this idempotency key still runs.
    IdempotencyInProgress(Duration),
    /// Too many slow hashes are waiting already.
    Overloaded,
    BulkJobNotFound,
    /// The job ended before it could be cancelled.
    BulkJobDone,
    BulkEmpty,
    BulkTooManyRows,
    /// A row asks for its secret, which no job keeps.
    BulkReturnsNoSecrets,
    /// A row before this one invites the same account.
    RepeatedInBulk,
}

/// Why a gateway's report is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackRefusal {
    /// Nobody set this gateway up to report here.
    NotFound,
    /// It has no signature of the gateway's, or one of another time.
    Unsigned,
    /// Genuine, but not what that gateway reports.
    Malformed,
    /// Whether it is genuine can't be told right now.
    Unavailable(Duration),
}

/// One reason why a password was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordRefusal {
    /// `too_short`, …, or of the directory `password_reused` (as far as its words tell) or `directory_policy`.
    pub code: &'static str,
    /// The directory's own words, when it gave some.
    pub detail: Option<String>,
}

/// Unexpected: logged once, at the boundary; the caller learns nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the {0} can't be read")]
    Corrupt(&'static str),
    #[error("the task that did it ended early")]
    Cancelled,
    #[error("the {0} could not be made")]
    Internal(&'static str),
    /// Somebody else was faster; nothing was done.
    #[error("the row of the job is settled already")]
    RowSettled,
}

impl Failure {
    /// Whether nothing was done, or the same call may be repeated.
    #[must_use]
    pub const fn may_be_repeated(&self) -> bool {
        matches!(self, Self::Storage(StorageError::Unavailable(_) | StorageError::Conflict(_)))
    }
}

/// A refusal or a failure.
#[derive(Debug)]
pub enum ServiceError {
    Refused(Refusal),
    Failed(Failure),
}

impl<T: Into<Failure>> From<T> for ServiceError {
    fn from(failure: T) -> Self {
        Self::Failed(failure.into())
    }
}

impl From<Refusal> for ServiceError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl AsStorageError for ServiceError {
    fn as_storage_error(&self) -> Option<&StorageError> {
        match self {
            Self::Failed(Failure::Storage(error)) => Some(error),
            Self::Failed(_) | Self::Refused(_) => None,
        }
    }
}

/// When a caller may try a directory that did not answer again.
pub(super) const DIRECTORY_RETRY: Duration = Duration::from_secs(5);

/// What a failed look-up of a person means for the caller.
pub(super) fn lookup_refusal(error: &DirectoryError) -> Refusal {
    match error {
        DirectoryError::NotFound | DirectoryError::NoSuchStore | DirectoryError::Ambiguous => Refusal::UserNotFound,
        DirectoryError::PasswordRejected { .. }
        | DirectoryError::Changed
        | DirectoryError::NotApplied(_)
        | DirectoryError::Unknown(_) => {
            tracing::warn!(error = %error, "the directory could not be asked");
            Refusal::DirectoryUnavailable(DIRECTORY_RETRY)
        }
    }
}
