//! Taking a job in: rows are stored in batches as they come, and the job is shown once all of them are there.
//!
//! Nobody sees a job that is still received. Given up, or left alone by a sender that hung up, it is removed by the sweep.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use super::{found, note};
use crate::domain::bulk::ROWS_MAX;
use crate::domain::ids::{AccountKey, BulkJobId};
use crate::service::{Alongside, Caller, Refusal, Service, ServiceError, ServiceResult};
use crate::storage::bulk::rows::{self, Content};
use crate::storage::bulk::{Job, NewRow, RowPlace, jobs};

/// A row as it was sent.
pub enum ReceivedRow {
    /// One that can be worked on, and whom it invites.
    Usable { input: Vec<u8>, account: AccountKey },
    /// One that can't: the problem as JSON.
    Unusable { problem: String },
}

/// A job that is being received.
pub struct Incoming {
    id: BulkJobId,
    caller: Caller,
    dry_run: bool,
    total: i64,
    /// The last row of each account, by a hash: what is kept in memory is small and says nothing.
    seen: HashMap<u64, i64>,
    hasher: RandomState,
}

impl Service {
    /// A job whose rows are about to come in. Nothing is stored before the first of them.
    #[must_use]
    pub fn receive_bulk_job(&self, caller: &Caller, dry_run: bool) -> Incoming {
        Incoming {
            id: crate::entropy::bulk_job_id(self.clock.now()),
            caller: caller.clone(),
            dry_run,
            total: 0,
            seen: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// Stores the next rows.
    ///
    /// # Errors
    /// [`Refusal::BulkTooManyRows`], or a failure.
    pub async fn receive_bulk_rows(&self, incoming: &mut Incoming, received: Vec<ReceivedRow>) -> ServiceResult<()> {
        let is_first = incoming.total == 0;
        let mut new = Vec::with_capacity(received.len());
        for row in received {
            if incoming.total >= ROWS_MAX {
                return Err(Refusal::BulkTooManyRows.into());
            }
            new.push(self.sealed(incoming, row)?);
        }
        let (caller, id, dry_run) = (incoming.caller.clone(), incoming.id, incoming.dry_run);
        self.store
            .write(move |conn| {
                let now = conn.now()?;
                if is_first {
                    jobs::begin(conn, (&caller.tenant, id), dry_run, &caller.actor, now)?;
                } else if !jobs::keep_receiving(conn, &caller.tenant, id, now)? {
                    return Err(ServiceError::from(Refusal::BulkJobNotFound));
                }
                Ok(rows::insert(conn, (&caller.tenant, id), &new, now)?)
            })
            .await
    }

    fn sealed(&self, incoming: &mut Incoming, row: ReceivedRow) -> ServiceResult<NewRow> {
        let position = incoming.total;
        incoming.total += 1;
        match row {
            ReceivedRow::Unusable { problem } => {
                Ok(NewRow { position, content: Content::Problem(problem), twin: None })
            }
            ReceivedRow::Usable { input, account } => {
                let place = RowPlace { tenant: incoming.caller.tenant.clone(), job: incoming.id, position };
                let sealed = place.bind(|bound_to| self.keys.seal(bound_to, &input))?;
                let twin = incoming.seen.insert(incoming.hasher.hash_one(&account), position);
                Ok(NewRow { position, content: Content::Sealed(sealed), twin })
            }
        }
    }

    /// Puts the job into the queue, and writes what belongs to it `alongside`.
    ///
    /// # Errors
    /// [`Refusal::BulkEmpty`], or a failure.
    pub async fn enqueue_bulk_job(
        &self,
        caller: &Caller,
        (id, total): (BulkJobId, i64),
        alongside: Alongside<Job>,
    ) -> ServiceResult<Job> {
        if total == 0 {
            return Err(Refusal::BulkEmpty.into());
        }
        let caller = caller.clone();
        let job = self
            .store
            .write(move |conn| {
                let now = conn.now()?;
                if !jobs::enqueue(conn, (&caller.tenant, id), total, now)? {
                    return Err(ServiceError::from(Refusal::BulkJobNotFound));
                }
                let job = found(conn, &caller.tenant, id)?;
                note(conn, &caller.actor, now, ("bulk.created", &job))?;
                alongside.write(conn, &job)?;
                Ok(job)
            })
            .await?;
        self.wake_bulk.notify_one();
        Ok(job)
    }

    /// Gives up what was received, if it was not put into the queue.
    pub async fn discard_bulk_job(&self, caller: &Caller, id: BulkJobId) {
        let tenant = caller.tenant.clone();
        if let Err(error) = self.store.write(move |conn| jobs::discard(conn, &tenant, id)).await {
            tracing::warn!(error = %error, "a job could not be given up; its lease will lapse");
        }
    }
}

impl Incoming {
    #[must_use]
    pub const fn id(&self) -> BulkJobId {
        self.id
    }

    /// How many rows came in.
    #[must_use]
    pub const fn total(&self) -> i64 {
        self.total
    }
}
