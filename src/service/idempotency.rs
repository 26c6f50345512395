//! A call that carries a key is done once: its repeats get the answer of the first that succeeded.
//!
//! The key is reserved in a transaction of its own, under a lease. The answer is kept in the transaction of the effect, and only for
//! whoever still holds the reservation: of two that both believe to hold it, one is rolled back. A refusal or a failure gives the
//! key back; a process that dies leaves a lease that lapses, and what it had committed is answered again.
//!
//! At rest there is nothing to read: the key and its caller are in a digest (a plain one, so that a repeat is recognised after the
//! master keys have changed), the request is in a keyed MAC, the answer is sealed for this very call. The MAC covers the key as
//! well, which is not stored: who has the database and the master keys can still not try out what a request said. A request with a
//! password in it leaves its MAC for no longer than its grant lives, minutes, since nobody can repeat it afterwards.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{Alongside, Caller, Failure, Refusal, Service, ServiceError, ServiceResult};
use crate::domain::ids::AccountId;
use crate::domain::keys::{MacPurpose, sha256};
use crate::domain::time::Timestamp;
use crate::failpoint;
use crate::storage::idempotency::{self, Reservation};

/// How long an answer is repeated.
pub const KEPT: Duration = Duration::from_hours(24);
/// How long a call may run before another with its key may run in its place; longer than any call takes.
const LEASE: Duration = Duration::from_mins(1);
/// When the repeat of a call that still runs may be tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How many rows one pass of the sweep deletes.
const BATCH: i64 = 1000;

/// Whose key it is; the same key of another is another key.
pub struct Holder {
    pub caller: Caller,
    pub name: String,
    /// When nobody can show to be the holder any more, should that be before the answer is too old.
    pub until: Option<Timestamp>,
}

/// The subject of an access token.
impl From<Caller> for Holder {
    fn from(caller: Caller) -> Self {
        Self { name: caller.actor.name.clone(), caller, until: None }
    }
}

/// A call that carries a key.
pub struct KeyedCall {
    pub holder: Holder,
    /// What the key was used for, such as method and route; for something else it is another key.
    pub operation: String,
    pub key: String,
    /// What makes a call the same one: target and body. Only a MAC of it is kept.
    pub request: Vec<Vec<u8>>,
}

/// What is kept of a success.
pub struct Kept {
    pub answer: Zeroizing<Vec<u8>>,
    /// The account that the answer speaks of, so that it can be erased with it.
    pub account: Option<AccountId>,
}

/// How a call that carries a key went.
pub enum Once<T> {
    /// It was done.
    Done(T),
    /// It had been done before; this is what was kept of it.
    Again(Zeroizing<Vec<u8>>),
}

enum Reserved {
    Free(Reservation),
    Done(Zeroizing<Vec<u8>>),
}

impl Service {
    /// Runs the use case unless a call with this key has succeeded before; to its end, even when the caller hangs up.
    ///
    /// # Errors
    /// [`Refusal::IdempotencyKeyReused`], [`Refusal::IdempotencyInProgress`], or what the use case says.
    pub async fn once<T, F>(
        self: &Arc<Self>,
        call: KeyedCall,
        keep: impl Fn(&T) -> Kept + Send + Sync + 'static,
        run: impl FnOnce(Alongside<T>) -> F + Send + 'static,
    ) -> ServiceResult<Once<T>>
    where
        T: Send + 'static,
        F: Future<Output = ServiceResult<T>> + Send + 'static,
    {
        let service = Arc::clone(self);
        let task = tokio::spawn(async move {
            let held = match service.reserve_key(&call).await? {
                Reserved::Free(held) => held,
                Reserved::Done(answer) => return Ok(Once::Again(answer)),
            };
            failpoint::hit("idempotency.reserved");
            let result = run(service.keeping(held.clone(), call.holder.until, keep)).await;
            failpoint::hit("idempotency.done");
            if result.is_err() {
                service.release_key(held).await;
            }
            result.map(Once::Done)
        });
        task.await.map_err(|_| Failure::Cancelled)?
    }

    async fn reserve_key(&self, call: &KeyedCall) -> ServiceResult<Reserved> {
        let wanted = Reservation {
            tenant: call.holder.caller.tenant.clone(),
            key_hash: call.key_hash(),
            fence: i64::from_be_bytes(crate::entropy::bytes()),
        };
        let (held, fingerprint) = (wanted.clone(), self.keys.named_mac(MacPurpose::Call, &call.parts()));
        let earlier = self
            .store
            .write(move |conn| {
                let now = conn.now()?;
                if idempotency::reserve(conn, &wanted, &fingerprint, (now, now.after(LEASE)))? {
                    return Ok(None);
                }
                // Gone again: it was refused a moment ago.
                let earlier = idempotency::find(conn, &wanted)?.ok_or(Refusal::IdempotencyInProgress(RETRY))?;
                Ok::<_, ServiceError>(Some(earlier))
            })
            .await?;
        let Some(earlier) = earlier else { return Ok(Reserved::Free(held)) };
        if !self.keys.verify_named_mac(MacPurpose::Call, &call.parts(), &earlier.fingerprint) {
            return Err(Refusal::IdempotencyKeyReused.into());
        }
        let sealed = earlier.answer.ok_or(Refusal::IdempotencyInProgress(RETRY))?;
        Ok(Reserved::Done(self.keys.open(&bound_to(&held), &sealed)?))
    }

    /// Keeps the answer in the transaction of the effect.
    fn keeping<T>(
        &self,
        held: Reservation,
        until: Option<Timestamp>,
        keep: impl Fn(&T) -> Kept + Send + Sync + 'static,
    ) -> Alongside<T> {
        let keys = Arc::clone(&self.keys);
        Alongside::new(move |conn, outcome| {
            let Kept { answer, account } = keep(outcome);
            let sealed = keys.seal(&bound_to(&held), &answer)?;
            let kept_until = conn.now()?.after(KEPT);
            let expires_at = until.map_or(kept_until, |until| until.min(kept_until));
            if idempotency::complete(conn, &held, (&sealed, account), expires_at)? {
                return Ok(());
            }
            // The lease had lapsed: another call does the same by now, or may.
            Err(Refusal::IdempotencyInProgress(RETRY).into())
        })
    }

    async fn release_key(&self, held: Reservation) {
        if let Err(error) = self.store.write(move |conn| idempotency::release(conn, &held)).await {
            tracing::warn!(error = %error, "an idempotency key could not be given back; its lease will lapse");
        }
    }

    /// Deletes answers that were kept long enough, and leases that lapsed.
    pub(super) async fn forget_calls(&self) -> ServiceResult<usize> {
        Ok(self.store.write(|conn| idempotency::delete_expired(conn, BATCH)).await?)
    }
}

impl KeyedCall {
    fn key_hash(&self) -> Vec<u8> {
        let Holder { caller, name, .. } = &self.holder;
        let parts = [caller.tenant.as_str(), name, &self.operation, &self.key];
        sha256(&parts.map(str::as_bytes))
    }

    /// What the fingerprint covers.
    fn parts(&self) -> Vec<&[u8]> {
        std::iter::once(self.key.as_bytes()).chain(self.request.iter().map(Vec::as_slice)).collect()
    }
}

fn bound_to(held: &Reservation) -> [&[u8]; 3] {
    [b"idempotency", held.tenant.as_str().as_bytes(), &held.key_hash]
}
