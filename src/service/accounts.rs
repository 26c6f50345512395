//! The state that we own of an account, and an administrator's override of it.

use std::time::Duration;

use super::error::lookup_refusal;
use super::sync::enqueue_sync;
use super::{Alongside, Caller, Refusal, Service, ServiceError, ServiceResult};
use crate::domain::account::{Account, DirectorySync, Hold, LockReason};
use crate::domain::ids::{AccountKey, Realm, UserStore, Username};
use crate::domain::invitation::{Invitation, Purpose};
use crate::domain::time::Timestamp;
use crate::storage::audit::{Event, record};
use crate::storage::{Connection, StorageError, accounts, invitations};

/// An account with its live invitation, if it has one.
#[derive(Clone)]
pub struct AccountSnapshot {
    pub account: Account,
    pub live: Option<Invitation>,
    /// When it is compared with the directory again, at the earliest.
    pub next_check_at: Option<Timestamp>,
}

impl Service {
    /// The account, if this service ever had to do with it.
    ///
    /// # Errors
    /// [`Refusal::AccountNotFound`], or a failure.
    pub async fn get_account(
        &self,
        caller: &Caller,
        realm: &Realm,
        username: &Username,
    ) -> ServiceResult<AccountSnapshot> {
        let (tenant, key) = (caller.tenant.clone(), AccountKey::new(realm, username));
        let interval = self.reconciliation.interval;
        self.store
            .read(move |conn| {
                let account = accounts::find(conn, &tenant, &key)?.ok_or(Refusal::AccountNotFound)?;
                account_snapshot(conn, account, interval)
            })
            .await
    }

    /// Locks the account for the administrator; no invitation lifts that lock.
    ///
    /// # Errors
    /// [`Refusal::AccountNotFound`] when the directory does not know it either, or a failure.
    pub async fn lock_account(
        &self,
        caller: &Caller,
        realm: &Realm,
        username: &Username,
        alongside: Alongside<AccountSnapshot>,
    ) -> ServiceResult<AccountSnapshot> {
        let fresh = self.known_account(caller, realm, username).await?;
        self.override_lock(caller, fresh, Some(LockReason::AdminInitiated), alongside).await
    }

    /// Lifts any lock of ours and clears the budget of wrong codes. A lock that was there before ours stays.
    ///
    /// # Errors
    /// As [`Service::lock_account`].
    pub async fn unlock_account(
        &self,
        caller: &Caller,
        realm: &Realm,
        username: &Username,
        alongside: Alongside<AccountSnapshot>,
    ) -> ServiceResult<AccountSnapshot> {
        let fresh = self.known_account(caller, realm, username).await?;
        self.override_lock(caller, fresh, None, alongside).await
    }

    async fn override_lock(
        &self,
        caller: &Caller,
        fresh: Account,
        reason: Option<LockReason>,
        alongside: Alongside<AccountSnapshot>,
    ) -> ServiceResult<AccountSnapshot> {
        let (actor, interval) = (caller.actor.clone(), self.reconciliation.interval);
        let snapshot = self
            .store
            .write(move |conn| {
                let key = fresh.key();
                accounts::insert_if_absent(conn, &fresh)?;
                let account = accounts::find_locked(conn, &fresh.tenant, &key)?.ok_or_else(StorageError::vanished)?;
                let now = conn.now()?;
                accounts::want_lock(conn, &account, reason, now)?;
                if reason.is_none() {
                    accounts::clear_budget(conn, &account.tenant, &key)?;
                    end_idle_reset(conn, &account)?;
                }
                enqueue_sync(conn, &account, None, now)?;
                let event = if reason.is_some() { "account.locked" } else { "account.unlocked" };
                let event = Event {
                    event,
                    tenant: &account.tenant,
                    invitation: None,
                    account: Some(account.id),
                    detail: "administrator",
                };
                record(conn, &actor, now, &event)?;
                let account = accounts::find(conn, &account.tenant, &key)?.ok_or(StorageError::Corrupt("account"))?;
                let snapshot = account_snapshot(conn, account, interval)?;
                alongside.write(conn, &snapshot)?;
                Ok::<_, ServiceError>(snapshot)
            })
            .await?;
        self.wake.notify_one();
        Ok(snapshot)
    }

    /// The account as stored, or as the directory knows it.
    async fn known_account(&self, caller: &Caller, realm: &Realm, username: &Username) -> ServiceResult<Account> {
        let (tenant, key) = (caller.tenant.clone(), AccountKey::new(realm, username));
        if let Some(account) = self.store.read(move |conn| accounts::find(conn, &tenant, &key)).await? {
            return Ok(account);
        }
        let store = UserStore { tenant: &caller.tenant, realm };
        let user = self.directory.find_user(store, username).await.map_err(|error| match lookup_refusal(&error) {
            Refusal::UserNotFound => Refusal::AccountNotFound,
            other => other,
        })?;
        let now = self.clock.now();
        Ok(Account {
            id: crate::entropy::account_id(now),
            tenant: caller.tenant.clone(),
            realm: realm.clone(),
            username: user.username,
            user_id: Some(user.id),
            otp_failures: 0,
            awaits: None,
            lock_reason: None,
            hold: Hold::None,
            directory: DirectorySync::Synced,
            version: 0,
            updated_at: now,
            check_after: None,
            checks_failed: 0,
        })
    }
}

/// A reset that has no live invitation and holds no lock is over: the old password works. An onboarding waits on, since there is none.
pub(super) fn end_idle_reset(conn: &mut Connection, account: &Account) -> Result<(), StorageError> {
    if account.awaits != Some(Purpose::PasswordReset) {
        return Ok(());
    }
    let key = account.key();
    let current = accounts::find(conn, &account.tenant, &key)?.ok_or_else(StorageError::vanished)?;
    let is_live = invitations::find_live(conn, &account.tenant, &key)?.is_some();
    if is_live || current.lock_reason == Some(LockReason::PendingPasswordReset) {
        return Ok(());
    }
    accounts::await_password(conn, &current, None)
}

fn account_snapshot(
    conn: &mut Connection,
    account: Account,
    interval: Option<Duration>,
) -> ServiceResult<AccountSnapshot> {
    let key = account.key();
    let now = conn.now()?;
    let live = invitations::find_live(conn, &account.tenant, &key)?
        .filter(|invitation| !crate::domain::invitation::has_expired(invitation.expires_at, now));
    let next_check_at = account.check_after.zip(interval).map(|(since, interval)| since.after(interval));
    Ok(AccountSnapshot { account, live, next_check_at })
}
