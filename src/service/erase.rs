//! Erasing a person on request: everything that is kept of an account, but for the audit trail, which names it by an id that leads
//! nowhere once the account's row is gone.
//!
//! A lock of ours stays in the directory unless the call lifts it, or lifting it was wanted already: then it is lifted before anything
//! is forgotten, since afterwards nobody would know that it was ours.

use std::time::Duration;

use super::audit::note;
use super::error::DIRECTORY_RETRY;
use super::sync::enqueue_sync;
use super::{Caller, Refusal, Service, ServiceResult};
use crate::directory::DirectoryError;
use crate::domain::account::{Access, Account, DirectorySync, Hold};
use crate::domain::ids::{AccountKey, Realm, Username};
use crate::domain::invitation::{RevokeReason, Status};
use crate::domain::time::Timestamp;
use crate::storage::audit::{Event, record};
use crate::storage::transitions::{self, ACCEPT_LEASE, Close};
use crate::storage::{Connection, StorageError, accounts, invitations, outbox, retention};

/// How often the lock is lifted anew when something else is wanted of it meanwhile.
const TRIES: usize = 3;
/// How long the directory may take to unlock.
const UNLOCK_DEADLINE: Duration = Duration::from_secs(20);

/// What to erase, and by whose wish.
#[derive(Clone)]
struct Erasure {
    caller: Caller,
    key: AccountKey,
    /// Lift our lock first.
    unlock: bool,
    /// The version of the account that is known to be unlocked in the directory.
    unlocked: Option<i64>,
}

enum Outcome {
    /// Nothing is kept of the account any more, or never was.
    Erased,
    /// Our lock has to be lifted first; that is wanted now.
    Unlock(Box<Account>),
}

impl Service {
    /// Erases all that is kept of the account in the caller's tenant. Erasing what is not there is done already.
    ///
    /// # Errors
    /// [`Refusal::AcceptInProgress`] while a password is being set; [`Refusal::DirectoryUnavailable`] when our lock has to be lifted and
    /// is not yet: nothing is forgotten then, and the call may be repeated; or a failure.
    pub async fn erase_account(
        &self,
        caller: &Caller,
        realm: &Realm,
        username: &Username,
        unlock: bool,
    ) -> ServiceResult<()> {
        let key = AccountKey::new(realm, username);
        let mut erasure = Erasure { caller: caller.clone(), key, unlock, unlocked: None };
        for _ in 0..TRIES {
            let attempt = erasure.clone();
            match self.store.write(move |conn| attempt.attempt(conn)).await? {
                Outcome::Erased => return Ok(self.store.drop_remains().await?),
                Outcome::Unlock(account) => {
                    self.wake.notify_one();
                    self.unlock_in_directory(&account).await?;
                    erasure.unlocked = Some(account.version);
                }
            }
        }
        Err(Refusal::DirectoryUnavailable(DIRECTORY_RETRY).into())
    }

    async fn unlock_in_directory(&self, account: &Account) -> ServiceResult<()> {
        // A worker may be about to lock: it has to find out by itself that this is no longer wanted.
        let is_settled =
            matches!(account.hold, Hold::Held | Hold::Released) || account.directory == DirectorySync::Failed;
        let unlocked = tokio::time::timeout(UNLOCK_DEADLINE, self.try_to_unlock(account)).await;
        match unlocked {
            Ok(Ok(())) if is_settled => Ok(()),
            Ok(Ok(())) | Err(_) => Err(Refusal::DirectoryUnavailable(DIRECTORY_RETRY).into()),
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "an account that is to be erased could not be unlocked");
                Err(Refusal::DirectoryUnavailable(DIRECTORY_RETRY).into())
            }
        }
    }

    /// Unlocks the user, if there still is one.
    async fn try_to_unlock(&self, account: &Account) -> Result<(), DirectoryError> {
        let unlocked = match self.user_of(account).await {
            Ok(user) if user.access.may_await_password() || user.access == Access::LockedByAdministrator => {
                self.directory.set_lock(account.user_store(), &user, None).await
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        match unlocked {
            Err(DirectoryError::NotFound | DirectoryError::NoSuchStore) => Ok(()),
            other => other,
        }
    }
}

impl Erasure {
    /// Erases, or says what has to happen before.
    fn attempt(&self, conn: &mut Connection) -> ServiceResult<Outcome> {
        let Some(mut account) = accounts::find_locked(conn, &self.caller.tenant, &self.key)? else {
            return Ok(Outcome::Erased);
        };
        let now = conn.now()?;
        self.end_live(conn, now)?;
        let is_unlocked = self.unlocked == Some(account.version);
        if account.hold.is_ours() && !is_unlocked && (self.unlock || account.lock_reason.is_none()) {
            if account.lock_reason.is_some() {
                accounts::want_lock(conn, &account, None, now)?;
                enqueue_sync(conn, &account, None, now)?;
                account = accounts::find(conn, &account.tenant, &self.key)?.ok_or(StorageError::Corrupt("account"))?;
            }
            return Ok(Outcome::Unlock(Box::new(account)));
        }
        retention::erase(conn, &account)?;
        let detail = if is_unlocked { "unlocked" } else { "" };
        let event = Event {
            event: "account.erased",
            tenant: &account.tenant,
            invitation: None,
            account: Some(account.id),
            detail,
        };
        record(conn, &self.caller.actor, now, &event)?;
        Ok(Outcome::Erased)
    }

    /// Ends the invitation that is live, unless a password is being set with it.
    fn end_live(&self, conn: &mut Connection, now: Timestamp) -> ServiceResult<()> {
        let Some(live) = invitations::find_live(conn, &self.caller.tenant, &self.key)? else { return Ok(()) };
        if live.status == Status::Accepting
            || !transitions::close(conn, &live, Close::Revoked(RevokeReason::Administrator), now)?
        {
            return Err(Refusal::AcceptInProgress(ACCEPT_LEASE).into());
        }
        outbox::supersede(conn, live.id, now)?;
        Ok(note(conn, &self.caller.actor, now, ("invitation.revoked", "erased"), &live)?)
    }
}
