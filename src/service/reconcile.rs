//! Comparing accounts that wait with the directory: wishes that were given up are asked for again, and what somebody changed there is
//! noticed and said.
//!
//! This only looks; what is to be changed becomes a wish in the outbox, and the worker carries it out under its own rules. An account
//! is claimed by lease before the look and judged under its row's lock after it, so that no connection is held meanwhile, many replicas
//! ask once, and a look that something overtook counts for nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::sync::enqueue_sync;
use super::{Actor, Service, ServiceResult};
use crate::directory::{DirectoryError, DirectoryUser};
use crate::domain::account::{Account, DirectorySync};
use crate::domain::ids::InvitationId;
use crate::domain::invitation::Status;
use crate::domain::reconcile::{Reconciliation, Sighting, Verdict, hold_after, is_watched, judge, spared};
use crate::domain::time::Timestamp;
use crate::storage::audit::{Event, record};
use crate::storage::checks::{self, Conclusion};
use crate::storage::{Connection, StorageError, accounts, invitations};

/// How many accounts are looked up at once.
const AT_ONCE: usize = 8;

impl Service {
    /// One pass over the accounts that are due, until `stop` says true; returns how many were claimed. It ends early when the directory
    /// answers nobody: those accounts wait longer from time to time.
    ///
    /// # Errors
    /// That the database failed.
    pub async fn reconcile(self: &Arc<Self>, stop: &watch::Receiver<bool>) -> ServiceResult<usize> {
        let Some(interval) = self.reconciliation.interval else { return Ok(0) };
        let batch = usize::from(self.reconciliation.batch);
        let mut claimed = 0;
        while claimed < batch && !*stop.borrow() {
            let limit = AT_ONCE.min(batch - claimed);
            let (count, due) = self.store.write(move |conn| claim(conn, interval, limit)).await?;
            claimed += count;
            if count == 0 || !self.compare_all(due, interval).await {
                break;
            }
        }
        Ok(claimed)
    }

    /// Compares them side by side; false when the directory answered for none.
    async fn compare_all(self: &Arc<Self>, due: Vec<Account>, interval: Duration) -> bool {
        let mut answered = due.is_empty();
        let mut looks = JoinSet::new();
        for account in due {
            let service = Arc::clone(self);
            looks.spawn(async move { service.reconcile_account(account, interval).await });
        }
        while let Some(looked) = looks.join_next().await {
            match looked {
                Ok(Ok(has_answer)) => answered |= has_answer,
                Ok(Err(error)) => {
                    tracing::error!(error = ?error, "a comparison with the directory could not be stored");
                }
                Err(_) => tracing::error!("a comparison with the directory panicked; its lease will lapse"),
            }
        }
        answered
    }

    async fn reconcile_account(&self, claimed: Account, interval: Duration) -> ServiceResult<bool> {
        let sighting = match self.user_of(&claimed).await {
            Ok(user) => Sighting::There(user.access),
            Err(DirectoryError::NotFound | DirectoryError::NoSuchStore) => Sighting::Gone,
            Err(error) => {
                tracing::warn!(account.id = %claimed.id, error = %error, "an account can't be compared with the directory yet");
                Sighting::Unclear
            }
        };
        let comparison = Comparison { claimed, sighting, interval, rules: self.reconciliation };
        let verdict = self.store.write(move |conn| comparison.conclude(conn)).await?;
        if verdict == Some(Verdict::Repeat) {
            self.wake.notify_one();
        }
        Ok(sighting != Sighting::Unclear)
    }

    /// The account's user in the directory.
    pub(super) async fn user_of(&self, account: &Account) -> Result<DirectoryUser, DirectoryError> {
        self.directory.look_up(account.user_store(), account.user_id.as_deref(), &account.username).await
    }
}

/// Claims what is due: how many that were, and those of them that are to be looked at. The others' wishes are with the worker.
fn claim(conn: &mut Connection, interval: Duration, limit: usize) -> Result<(usize, Vec<Account>), StorageError> {
    let claimed = checks::claim(conn, interval, i64::try_from(limit).unwrap_or(i64::MAX))?;
    let (count, now) = (claimed.len(), conn.now()?);
    let mut due = Vec::with_capacity(count);
    for account in claimed {
        if checks::is_syncing(conn, &account)? {
            checks::conclude(conn, &account, &put_off(&account, now), now)?;
        } else {
            due.push(account);
        }
    }
    Ok((count, due))
}

/// Nothing is said of the account; it is due again after one interval.
const fn put_off(account: &Account, now: Timestamp) -> Conclusion {
    Conclusion {
        hold: account.hold,
        directory: account.directory,
        check_after: Some(now),
        checks_failed: account.checks_failed,
    }
}

/// A look at a claimed account.
struct Comparison {
    claimed: Account,
    sighting: Sighting,
    interval: Duration,
    rules: Reconciliation,
}

impl Comparison {
    /// Writes down what follows; `None` when something overtook the look, or a password is being set right now.
    fn conclude(&self, conn: &mut Connection) -> Result<Option<Verdict>, StorageError> {
        let claimed = &self.claimed;
        if accounts::find_locked(conn, &claimed.tenant, &claimed.key())?.is_none() {
            return Ok(None);
        }
        let (live, now) = (invitations::find_live(conn, &claimed.tenant, &claimed.key())?, conn.now()?);
        if live.as_ref().is_some_and(|invitation| invitation.status == Status::Accepting) {
            // It may be unlocked there and not yet written down here.
            checks::conclude(conn, claimed, &put_off(claimed, now), now)?;
            return Ok(None);
        }
        let verdict = judge(claimed, self.sighting, self.rules.relock);
        if !checks::conclude(conn, claimed, &self.conclusion(verdict, now), now)? {
            return Ok(None);
        }
        let live = live.map(|invitation| invitation.id);
        if verdict == Verdict::Repeat {
            enqueue_sync(conn, claimed, live, now)?;
        }
        if let Some((event, detail)) = self.entry(verdict) {
            self.record(conn, live, now, (event, detail))?;
        }
        Ok(Some(verdict))
    }

    fn conclusion(&self, verdict: Verdict, now: Timestamp) -> Conclusion {
        let claimed = &self.claimed;
        let failed = claimed.checks_failed.saturating_add(1);
        let hold = hold_after(claimed, verdict);
        let directory = match verdict {
            Verdict::Agrees | Verdict::Freed => {
                let check_after = (verdict == Verdict::Agrees && is_watched(claimed)).then_some(now);
                return Conclusion { hold, directory: DirectorySync::Synced, check_after, checks_failed: 0 };
            }
            Verdict::Drifted(_) => DirectorySync::Drifted,
            Verdict::Repeat => DirectorySync::Pending,
            Verdict::Gone => DirectorySync::Failed,
            Verdict::Unclear => claimed.directory,
        };
        let spared = spared(claimed, verdict, self.interval, failed);
        let check_after = spared.map(|extra| now.after(extra));
        Conclusion { hold, directory, check_after, checks_failed: failed }
    }

    /// The entry in the audit trail; only what is new makes one.
    fn entry(&self, verdict: Verdict) -> Option<(&'static str, &'static str)> {
        let before = self.claimed.directory;
        match verdict {
            Verdict::Agrees => (before == DirectorySync::Drifted).then_some(("account.drift_ended", "")),
            Verdict::Freed => Some(("account.freed", "")),
            Verdict::Drifted(difference) => {
                (before != DirectorySync::Drifted).then_some(("account.drifted", difference.as_str()))
            }
            Verdict::Repeat => {
                let wish = if self.claimed.lock_reason.is_some() { "lock" } else { "unlock" };
                Some(("account.sync_repeated", wish))
            }
            Verdict::Gone => (before != DirectorySync::Failed).then_some(("account.user_missing", "")),
            Verdict::Unclear => None,
        }
    }

    fn record(
        &self,
        conn: &mut Connection,
        invitation: Option<InvitationId>,
        now: Timestamp,
        (event, detail): (&'static str, &'static str),
    ) -> Result<(), StorageError> {
        let Account { tenant, id, .. } = &self.claimed;
        tracing::warn!(account.id = %id, event, detail, "the directory was compared with what is known of an account");
        record(conn, &Actor::system(), now, &Event { event, tenant, invitation, account: Some(*id), detail })
    }
}
