//! Trying a code: the attempt is reserved and committed before anything is compared, on every path that takes a code.
//!
//! It is given back when the code was right and when nothing was compared after all; a wrong code has cost the account and the
//! invitation one.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use super::audit::note;
use super::{Caller, Refusal, Service, ServiceError, ServiceResult};
use crate::domain::grace::LiveSecret;
use crate::domain::ids::{AccountKey, TenantId};
use crate::domain::invitation::{Invitation, Status};
use crate::domain::otp::Otp;
use crate::domain::verifier;
use crate::storage::{AsStorageError, Connection, StorageError, attempts, invitations};

/// Which invitation of the account an attempt is reserved of.
#[derive(Clone, Copy)]
pub(super) enum Of {
    /// The one whose code can be redeemed.
    Open,
    /// The live one, whatever became of its code, or else the newest when it has run out.
    Known,
}

/// Whose turn it is to have a code examined: one at a time for an account, so that right codes that are examined at once do not
/// reserve each other's attempts away. In this process only, and some accounts share a turn; the budgets do not depend on it.
pub(super) struct Turns {
    /// Random, so that nobody can find out who shares a turn with whom.
    seed: RandomState,
    turns: Vec<Turn>,
}

#[derive(Default)]
struct Turn {
    taken: Mutex<()>,
    waiting: AtomicUsize,
}

impl Turns {
    const COUNT: usize = 256;
    /// How many may wait for one turn, so that nobody keeps others waiting without end.
    const WAITING_MAX: usize = 64;

    pub(super) fn new() -> Self {
        let turns = std::iter::repeat_with(Turn::default).take(Self::COUNT).collect();
        Self { seed: RandomState::new(), turns }
    }

    /// Waits for the account's turn, which lasts until it is dropped.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`] when too many wait already.
    pub(super) async fn take(&self, tenant: &TenantId, key: &AccountKey) -> Result<MutexGuard<'_, ()>, Refusal> {
        let at = usize::try_from(self.seed.hash_one((tenant, key))).unwrap_or_default() % Self::COUNT;
        let turn = self.turns.get(at).ok_or(Refusal::Overloaded)?;
        if turn.waiting.fetch_add(1, Ordering::Relaxed) >= Self::WAITING_MAX {
            turn.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Refusal::Overloaded);
        }
        let taken = turn.taken.lock().await;
        turn.waiting.fetch_sub(1, Ordering::Relaxed);
        Ok(taken)
    }
}

impl Service {
    /// Reserves an attempt of the account and of its invitation; `None` when there is none to be had.
    pub(super) async fn reserve(
        &self,
        tenant: &TenantId,
        key: &AccountKey,
        of: Of,
    ) -> ServiceResult<Option<Invitation>> {
        let (tenant, key) = (tenant.clone(), key.clone());
        let reserved = self
            .store
            .write(move |conn| {
                if !attempts::reserve_of_account(conn, &tenant, &key)? {
                    return Err(Unreserved::Nothing);
                }
                let reserved = match of {
                    Of::Open => attempts::reserve_of_invitation(conn, &tenant, &key)?,
                    Of::Known => reserve_of_known(conn, &tenant, &key)?,
                };
                reserved.ok_or(Unreserved::Nothing)
            })
            .await;
        match reserved {
            Ok(invitation) => Ok(Some(invitation)),
            Err(Unreserved::Nothing) => Ok(None),
            Err(Unreserved::Storage(error)) => Err(error.into()),
        }
    }

    /// Which of the secrets that are good now `otp` is. An attempt must be reserved; it is given back when there was no room to compare.
    pub(super) async fn compare(&self, seen: &Invitation, otp: &Arc<Otp>) -> ServiceResult<Option<LiveSecret>> {
        let found = self.secret_of(seen.live_secrets(self.clock.now()), otp).await;
        if matches!(found, Err(ServiceError::Refused(Refusal::Overloaded))) {
            self.give_back(seen).await?;
        }
        found
    }

    /// Which of these secrets `otp` is. The slow verifiers come first, in one go on the bounded pool, so that nothing has been compared
    /// when there is no room.
    pub(super) async fn secret_of(
        &self,
        secrets: Vec<LiveSecret>,
        otp: &Arc<Otp>,
    ) -> ServiceResult<Option<LiveSecret>> {
        let (slow, fast): (Vec<_>, Vec<_>) =
            secrets.into_iter().partition(|secret| verifier::is_argon2(&secret.verifier));
        if !slow.is_empty()
            && let Some(found) = self.hasher.find(slow, Arc::clone(otp)).await?
        {
            return Ok(Some(found));
        }
        let is_it = |secret: &LiveSecret| verifier::matches_otp(&self.keys, &secret.context, &secret.verifier, otp);
        Ok(fast.into_iter().find(is_it))
    }

    /// Gives both attempts back that were reserved.
    pub(super) async fn give_back(&self, seen: &Invitation) -> ServiceResult<()> {
        let seen = seen.clone();
        self.store
            .write(move |conn| {
                attempts::give_back(conn, &seen.tenant, &seen.account_key())?;
                attempts::give_back_to_generation(conn, &seen)
            })
            .await?;
        Ok(())
    }

    pub(super) async fn note_wrong_code(&self, caller: &Caller, seen: Invitation) -> ServiceResult<()> {
        let actor = caller.actor.clone();
        self.store
            .write(move |conn| {
                let now = conn.now()?;
                note(conn, &actor, now, ("invitation.redeem_failed", "wrong_code"), &seen)
            })
            .await?;
        Ok(())
    }
}

fn reserve_of_known(
    conn: &mut Connection,
    tenant: &TenantId,
    key: &AccountKey,
) -> Result<Option<Invitation>, StorageError> {
    let known = match invitations::find_live(conn, tenant, key)? {
        Some(live) => Some(live),
        None => invitations::find_newest(conn, tenant, key)?.filter(|newest| newest.status == Status::Expired),
    };
    known.map_or(Ok(None), |seen| attempts::reserve_of_generation(conn, &seen))
}

/// Rolls a reservation back of which only one half could be made.
enum Unreserved {
    Nothing,
    Storage(StorageError),
}

impl From<StorageError> for Unreserved {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl AsStorageError for Unreserved {
    fn as_storage_error(&self) -> Option<&StorageError> {
        match self {
            Self::Storage(error) => Some(error),
            Self::Nothing => None,
        }
    }
}
