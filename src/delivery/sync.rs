//! Bringing the directory's lock to the state wanted, and letting go what waited for it.
//!
//! What is wanted is read anew at each try, so a stale row repeated late does no harm. Before an active account is locked the
//! intention is written down: a lock found after a crash is then known to be ours. A lock that was there before is left alone.

use super::send::MISCONFIGURED_RETRY;
use super::{Done, Worker, audit};
use crate::directory::DirectoryError;
use crate::domain::account::{Account, DirectorySync, Hold, SyncStep, sync_step};
use crate::domain::invitation::{Invitation, Status};
use crate::domain::time::Timestamp;
use crate::failpoint;
use crate::storage::accounts::{self, Observation};
use crate::storage::outbox::{self, Claimed, Settlement};
use crate::storage::transitions::Close;
use crate::storage::{Connection, StorageError, invitations, transitions};

/// The first try that is no longer repeated at once.
const AT_ONCE: i64 = 3;

impl Worker {
    /// One try; settles its row itself when it worked, in the transaction that lets the messages go.
    pub(super) async fn sync_account(&self, claimed: &Claimed) -> Result<Done, StorageError> {
        let about = claimed.clone();
        let found = self.0.store.read(move |conn| account_of(conn, &about)).await?;
        let Some(account) = found else { return Ok(Done::GivenUp { code: "account_unknown".to_owned() }) };
        let (store, id) = (account.user_store(), account.user_id.as_deref());
        let user = match self.0.directory.look_up(store, id, &account.username).await {
            Ok(user) => user,
            Err(error) => return Ok(self.directory_failed(claimed, &error)),
        };
        let step = sync_step(account.lock_reason.is_some(), account.hold, user.access);
        let is_new = step == SyncStep::Lock && account.hold != Hold::Intended;
        if is_new && !self.note(&account, Hold::Intended, &user.id).await? {
            return Ok(Done::Retry { at: self.now(), code: "changed".to_owned(), counts: true });
        }
        failpoint::hit("lock.intended");
        let changed = match step {
            SyncStep::Lock => self.0.directory.set_lock(account.user_store(), &user, account.lock_reason).await,
            SyncStep::Unlock => self.0.directory.set_lock(account.user_store(), &user, None).await,
            SyncStep::Nothing | SyncStep::LeaveForeign => Ok(()),
        };
        failpoint::hit("lock.applied");
        match changed {
            Ok(()) => self.confirm(claimed, account, user.id, step).await,
            Err(error) => {
                if is_new && error.is_certain() {
                    // The account was usable, and nothing of ours was applied: a lock that is found from now on is somebody else's.
                    self.note(&account, Hold::None, &user.id).await?;
                }
                Ok(self.directory_failed(claimed, &error))
            }
        }
    }

    /// Writes down whether we are about to lock; false when something else is wanted by now.
    async fn note(&self, account: &Account, hold: Hold, user_id: &str) -> Result<bool, StorageError> {
        let (account, user_id) = (account.clone(), user_id.to_owned());
        self.0
            .store
            .write(move |conn| {
                let noted = Observation {
                    lock_reason: account.lock_reason,
                    hold,
                    directory: DirectorySync::Pending,
                    user_id: Some(&user_id),
                };
                let now = conn.now()?;
                accounts::observe(conn, &account, &noted, now)
            })
            .await
    }

    async fn confirm(
        &self,
        claimed: &Claimed,
        seen: Account,
        user_id: String,
        step: SyncStep,
    ) -> Result<Done, StorageError> {
        let (lock_reason, hold) = match step {
            SyncStep::LeaveForeign => (None, Hold::Foreign),
            SyncStep::Unlock => (None, Hold::None),
            SyncStep::Lock => (seen.lock_reason, Hold::Held),
            SyncStep::Nothing if seen.lock_reason.is_some() => (seen.lock_reason, Hold::Held),
            SyncStep::Nothing => (None, Hold::None),
        };
        let claimed = claimed.clone();
        let settled = self
            .0
            .store
            .write(move |conn| {
                let now = conn.now()?;
                let observed =
                    Observation { lock_reason, hold, directory: DirectorySync::Synced, user_id: Some(&user_id) };
                if !accounts::observe(conn, &seen, &observed, now)? {
                    return Ok::<_, StorageError>(false);
                }
                if outbox::settle(conn, &claimed, &Settlement::Sent { provider_id: None }, now)? {
                    audit(conn, &claimed, now, ("account.synced", hold.as_str()))?;
                }
                let_go(conn, &claimed, &seen, now)?;
                Ok(true)
            })
            .await?;
        // Something else is wanted by now: look again at once.
        Ok(if settled {
            Done::Settled
        } else {
            Done::Retry { at: self.now(), code: "changed".to_owned(), counts: true }
        })
    }

    fn directory_failed(&self, claimed: &Claimed, error: &DirectoryError) -> Done {
        tracing::warn!(message.id = %claimed.id, error = %error, "the directory does not agree yet");
        match error {
            DirectoryError::NotFound | DirectoryError::NoSuchStore => Done::GivenUp { code: "user_gone".to_owned() },
            error if error.is_misconfigured() => {
                tracing::error!("the directory refuses our credential");
                self.postpone(claimed, "directory_unauthorized".to_owned(), MISCONFIGURED_RETRY)
            }
            // Somebody was faster: look again at once, unless that happens all the time.
            DirectoryError::Changed if claimed.attempts < AT_ONCE => {
                Done::Retry { at: self.now(), code: "changed".to_owned(), counts: true }
            }
            DirectoryError::Changed
            | DirectoryError::Ambiguous
            | DirectoryError::PasswordRejected { .. }
            | DirectoryError::NotApplied(_)
            | DirectoryError::Unknown(_) => self.retry(claimed, "directory_unavailable", None),
        }
    }
}

/// The account that the row is about, unless it has been erased.
fn account_of(conn: &mut Connection, claimed: &Claimed) -> Result<Option<Account>, StorageError> {
    match claimed.account {
        Some(id) => accounts::find_by_id(conn, &claimed.tenant, id),
        None => Ok(None),
    }
}

/// The account's live invitation, if it waits for the lock.
fn waiting(conn: &mut Connection, account: &Account) -> Result<Option<Invitation>, StorageError> {
    let live = invitations::find_live(conn, &account.tenant, &account.key())?;
    Ok(live.filter(|invitation| invitation.status == Status::Provisioning))
}

/// The lock is confirmed: the invitation that waits for it may be redeemed and its message sent.
fn let_go(conn: &mut Connection, claimed: &Claimed, account: &Account, now: Timestamp) -> Result<(), StorageError> {
    let Some(invitation) = waiting(conn, account)? else { return Ok(()) };
    if transitions::confirm_lock(conn, &claimed.tenant, invitation.id, now)? {
        outbox::release_held(conn, invitation.id, now)?;
        let about = Claimed { invitation: Some(invitation.id), ..claimed.clone() };
        audit(conn, &about, now, ("invitation.lock_confirmed", ""))?;
    }
    Ok(())
}

/// The account that the row is about, held until the transaction ends; taken before any row of the outbox.
pub(super) fn hold(conn: &mut Connection, claimed: &Claimed) -> Result<Option<Account>, StorageError> {
    match account_of(conn, claimed)? {
        Some(named) => accounts::find_locked(conn, &named.tenant, &named.key()),
        None => Ok(None),
    }
}

/// The directory will not have it: the account is marked, and an invitation that waited for its lock has failed.
pub(super) fn give_up(
    conn: &mut Connection,
    claimed: &Claimed,
    code: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    let Some(account) = hold(conn, claimed)? else { return Ok(()) };
    let failed = Observation {
        lock_reason: account.lock_reason,
        hold: account.hold,
        directory: DirectorySync::Failed,
        user_id: None,
    };
    accounts::observe(conn, &account, &failed, now)?;
    let Some(invitation) = waiting(conn, &account)? else { return Ok(()) };
    if transitions::close(conn, &invitation, Close::Failed(code), now)? {
        outbox::supersede(conn, invitation.id, now)?;
        let about = Claimed { invitation: Some(invitation.id), ..claimed.clone() };
        audit(conn, &about, now, ("invitation.failed", code))?;
    }
    Ok(())
}
