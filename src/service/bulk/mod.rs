//! Jobs that issue many invitations: taken in row by row, worked on in turns by every replica, looked at and cancelled.
//!
//! What a row means and how a refusal is written are the transport's affair: it hands in a [`Wire`]. A row goes through the same use
//! case as a single call, and is settled in the transaction of the invitation that it issued.

mod receive;
mod row;
mod run;

use super::{Caller, Refusal, Service, ServiceError, ServiceResult};
use crate::domain::bulk::{JobStatus, RowStatus};
use crate::domain::ids::{BulkJobId, TenantId};
use crate::domain::page::{Page, Slice};
use crate::domain::time::Timestamp;
use crate::storage::audit::{Actor, Event, record};
pub use crate::storage::bulk::{Job, RowResult};
use crate::storage::bulk::{jobs, pages, purge};
use crate::storage::{Connection, StorageError};
pub use receive::{Incoming, ReceivedRow};
pub use run::{Runner, Turned};

use super::issue::Issue;

/// How many rows one pass of the sweep deletes.
const BATCH: i64 = 1000;

/// How rows are read and refusals written, as single calls do it.
#[derive(Clone, Copy)]
pub struct Wire {
    /// The command of a row's bytes, or the problem as JSON.
    pub read: fn(&[u8]) -> Result<Issue, String>,
    /// A refusal or a failure as the JSON of a problem; a failure is logged on the way.
    pub explain: fn(ServiceError) -> String,
}

impl Service {
    /// The tenant's job of this id.
    ///
    /// # Errors
    /// [`Refusal::BulkJobNotFound`], for another tenant's as well, or a failure.
    pub async fn get_bulk_job(&self, caller: &Caller, id: BulkJobId) -> ServiceResult<Job> {
        let tenant = caller.tenant.clone();
        self.store.read(move |conn| found(conn, &tenant, id)).await
    }

    /// The tenant's jobs.
    ///
    /// # Errors
    /// That the database failed.
    pub async fn list_bulk_jobs(&self, caller: &Caller, slice: Slice) -> ServiceResult<Page<Job>> {
        let tenant = caller.tenant.clone();
        Ok(self.store.read(move |conn| pages::jobs(conn, &tenant, &slice)).await?)
    }

    /// What became of the job's rows: of those of the statuses named, or of all.
    ///
    /// # Errors
    /// [`Refusal::BulkJobNotFound`], for another tenant's as well, or a failure.
    pub async fn list_bulk_results(
        &self,
        caller: &Caller,
        id: BulkJobId,
        statuses: Vec<RowStatus>,
        slice: Slice,
    ) -> ServiceResult<Page<RowResult>> {
        let tenant = caller.tenant.clone();
        self.store
            .read(move |conn| {
                found(conn, &tenant, id)?;
                Ok(pages::rows(conn, (&tenant, id), &statuses, &slice)?)
            })
            .await
    }

    /// Cancels the rows that are not settled; what is issued stays. Cancelling twice is one cancellation.
    ///
    /// # Errors
    /// [`Refusal::BulkJobNotFound`], [`Refusal::BulkJobDone`], or a failure.
    pub async fn cancel_bulk_job(&self, caller: &Caller, id: BulkJobId) -> ServiceResult<Job> {
        let caller = caller.clone();
        self.store
            .write(move |conn| {
                let now = conn.now()?;
                let cancelled = jobs::cancel(conn, &caller.tenant, id, now)?;
                let job = found(conn, &caller.tenant, id)?;
                if cancelled {
                    note(conn, &caller.actor, now, ("bulk.cancelled", &job))?;
                    return Ok(job);
                }
                match job.status {
                    JobStatus::Cancelled => Ok(job),
                    _ => Err(Refusal::BulkJobDone.into()),
                }
            })
            .await
    }

    /// Removes jobs that were kept long enough and what was sent of those that never came in; returns how many rows those were.
    pub(super) async fn purge_bulk_jobs(&self) -> ServiceResult<usize> {
        let kept = self.retention.bulk_jobs;
        self.store
            .write(move |conn| {
                let now = conn.now()?;
                let retired = purge::retire(conn, now.before(kept), BATCH)?;
                Ok::<_, ServiceError>(retired + purge::remove(conn, BATCH, now)?)
            })
            .await
    }
}

fn found(conn: &mut Connection, tenant: &TenantId, id: BulkJobId) -> ServiceResult<Job> {
    Ok(jobs::find(conn, tenant, id)?.ok_or(Refusal::BulkJobNotFound)?)
}

/// Writes down that `event` happened to the job.
fn note(
    conn: &mut Connection,
    actor: &Actor,
    now: Timestamp,
    (event, job): (&'static str, &Job),
) -> Result<(), StorageError> {
    let detail = format!("{} total={} done={} failed={}", job.id, job.total, job.done, job.failed);
    record(conn, actor, now, &Event { event, tenant: &job.tenant, invitation: None, account: None, detail: &detail })
}
