//! The jobs themselves. One that is still received or being removed is shown to nobody.

use std::time::Duration;

use diesel::prelude::*;

use super::rows;
use crate::domain::bulk::{JobStatus, RowStatus};
use crate::domain::ids::{BulkJobId, TenantId};
use crate::domain::time::Timestamp;
use crate::storage::audit::Actor;
use crate::storage::connection::{Backend, Connection, on_backend};
use crate::storage::error::{StorageError, readable};
use crate::storage::schema::bulk_job as j;

/// How long a turn, or the wait for the next rows to come in, may take before somebody else steps in.
pub const LEASE: Duration = Duration::from_mins(1);

/// A job as callers see it.
#[derive(Debug, Clone)]
pub struct Job {
    pub id: BulkJobId,
    pub tenant: TenantId,
    pub status: JobStatus,
    pub dry_run: bool,
    pub total: i64,
    /// Rows dealt with, failed ones included.
    pub done: i64,
    pub failed: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// Who sent it, and in which request.
    pub actor: Actor,
}

/// A job whose turn it is, held until the lease ends.
#[derive(Debug, Clone)]
pub struct Turn {
    pub id: BulkJobId,
    pub tenant: TenantId,
    pub dry_run: bool,
    pub actor: Actor,
    /// How many turns in a row found something down.
    pub stalls: i64,
    pub fence: i64,
}

/// What [`JobRow`] is read from.
pub(super) const COLUMNS: Columns = (
    j::id,
    j::tenant,
    j::status,
    j::dry_run,
    j::total,
    j::done,
    j::failed,
    j::created_at,
    j::updated_at,
    j::finished_at,
    j::created_by,
    j::request_id,
);
type Columns = (
    j::id,
    j::tenant,
    j::status,
    j::dry_run,
    j::total,
    j::done,
    j::failed,
    j::created_at,
    j::updated_at,
    j::finished_at,
    j::created_by,
    j::request_id,
);

#[derive(Queryable)]
pub(super) struct JobRow {
    id: String,
    tenant: String,
    status: String,
    dry_run: i64,
    total: i64,
    done: i64,
    failed: i64,
    created_at: i64,
    updated_at: i64,
    finished_at: Option<i64>,
    created_by: String,
    request_id: Option<String>,
}

impl JobRow {
    /// The job, its rows counted while it is open: a counter that every row wrote would be the one row all wait for.
    pub(super) fn read(self, conn: &mut Connection) -> Result<Job, StorageError> {
        let mut job = Job {
            id: readable(BulkJobId::parse(&self.id), "job id")?,
            tenant: readable(TenantId::parse(&self.tenant).ok(), "tenant")?,
            status: readable(JobStatus::parse(&self.status), "job status")?,
            dry_run: self.dry_run != 0,
            total: self.total,
            done: self.done,
            failed: self.failed,
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
            finished_at: self.finished_at.map(Timestamp::from_millis),
            actor: Actor { name: self.created_by, request_id: self.request_id },
        };
        if job.status.is_open() {
            (job.done, job.failed) = count(conn, &job.tenant, job.id)?;
        }
        Ok(job)
    }
}

/// How many rows are dealt with, and how many of those failed.
fn count(conn: &mut Connection, tenant: &TenantId, job: BulkJobId) -> Result<(i64, i64), StorageError> {
    let by_status = rows::count(conn, tenant, job)?;
    let of =
        |wanted: &[RowStatus]| by_status.iter().filter(|(is, _)| wanted.contains(is)).map(|(_, count)| count).sum();
    Ok((of(&[RowStatus::Issued, RowStatus::Valid, RowStatus::Failed]), of(&[RowStatus::Failed])))
}

/// Begins a job whose rows are about to come in.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn begin(
    conn: &mut Connection,
    (tenant, id): (&TenantId, BulkJobId),
    dry_run: bool,
    actor: &Actor,
    now: Timestamp,
) -> Result<(), StorageError> {
    let values = (
        (j::id.eq(id.to_string()), j::tenant.eq(tenant.as_str()), j::status.eq(JobStatus::Receiving.as_str())),
        (j::dry_run.eq(i64::from(dry_run)), j::total.eq(0), j::done.eq(0), j::failed.eq(0)),
        (j::stalls.eq(0), j::fence.eq(0), j::lease_until.eq(now.after(LEASE).millis())),
        (j::next_attempt_at.eq(now.millis()), j::created_by.eq(&actor.name), j::request_id.eq(&actor.request_id)),
        (j::created_at.eq(now.millis()), j::updated_at.eq(now.millis())),
    );
    on_backend!(conn, |c| diesel::insert_into(j::table).values(values).execute(c))?;
    Ok(())
}

/// This job of this tenant, in this state.
#[diesel::dsl::auto_type(no_type_alias)]
fn is_job<'a>(tenant: &'a TenantId, id: BulkJobId, status: JobStatus) -> _ {
    let tenant: &'a str = tenant.as_str();
    let id: String = id.to_string();
    let status: &'static str = status.as_str();
    j::tenant.eq(tenant).and(j::id.eq(id)).and(j::status.eq(status))
}

/// More rows came in; false when the job was given up meanwhile.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn keep_receiving(
    conn: &mut Connection,
    tenant: &TenantId,
    id: BulkJobId,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let target = j::table.filter(is_job(tenant, id, JobStatus::Receiving));
    let rows =
        on_backend!(conn, |c| diesel::update(target).set(j::lease_until.eq(now.after(LEASE).millis())).execute(c))?;
    Ok(rows == 1)
}

/// All rows are there: the job is shown, and its turn will come. False when it was given up meanwhile.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn enqueue(
    conn: &mut Connection,
    (tenant, id): (&TenantId, BulkJobId),
    total: i64,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let target = j::table.filter(is_job(tenant, id, JobStatus::Receiving));
    let rows = on_backend!(conn, |c| diesel::update(target)
        .set((
            j::status.eq(JobStatus::Queued.as_str()),
            j::total.eq(total),
            j::lease_until.eq(None::<i64>),
            j::next_attempt_at.eq(now.millis()),
            j::updated_at.eq(now.millis()),
        ))
        .execute(c))?;
    Ok(rows == 1)
}

/// What came in is not wanted after all: it is removed bit by bit.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn discard(conn: &mut Connection, tenant: &TenantId, id: BulkJobId) -> Result<(), StorageError> {
    let target = j::table.filter(is_job(tenant, id, JobStatus::Receiving));
    on_backend!(conn, |c| diesel::update(target).set(j::status.eq(JobStatus::Discarded.as_str())).execute(c))?;
    Ok(())
}

/// The tenant's job of this id.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find(conn: &mut Connection, tenant: &TenantId, id: BulkJobId) -> Result<Option<Job>, StorageError> {
    let query = j::table
        .filter(j::tenant.eq(tenant.as_str()).and(j::id.eq(id.to_string())))
        .filter(j::status.eq_any(JobStatus::SHOWN))
        .select(COLUMNS);
    let row: Option<JobRow> = on_backend!(conn, |c| query.first(c).optional())?;
    row.map(|row| row.read(conn)).transpose()
}

type TurnRow = (String, String, i64, String, Option<String>, i64, i64);

/// Takes the job that has waited longest for its turn, if there is one that nobody holds.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn claim(conn: &mut Connection) -> Result<Option<Turn>, StorageError> {
    let now = conn.now()?;
    let query = j::table
        .filter(j::status.eq_any(JobStatus::OPEN).and(j::next_attempt_at.le(now.millis())))
        .filter(j::lease_until.is_null().or(j::lease_until.le(now.millis())))
        .order((j::next_attempt_at, j::id))
        .select(j::id);
    let due: Option<String> = match &mut conn.backend {
        Backend::Postgres(pg) => query.for_update().skip_locked().first(pg).optional()?,
        Backend::Sqlite(sqlite) => query.first(sqlite).optional()?,
    };
    let Some(id) = due else { return Ok(None) };
    let target = j::table.filter(j::id.eq(id));
    let row: TurnRow = on_backend!(conn, |c| diesel::update(target)
        .set((
            j::status.eq(JobStatus::Running.as_str()),
            j::fence.eq(j::fence + 1),
            j::lease_until.eq(now.after(LEASE).millis()),
            j::updated_at.eq(now.millis()),
        ))
        .returning((j::id, j::tenant, j::dry_run, j::created_by, j::request_id, j::stalls, j::fence))
        .get_result(c))?;
    let (id, tenant, dry_run, name, request_id, stalls, fence) = row;
    Ok(Some(Turn {
        id: readable(BulkJobId::parse(&id), "job id")?,
        tenant: readable(TenantId::parse(&tenant).ok(), "tenant")?,
        dry_run: dry_run != 0,
        actor: Actor { name, request_id },
        stalls,
        fence,
    }))
}

/// The turn's job, while it is still this turn.
#[diesel::dsl::auto_type(no_type_alias)]
fn is_turn<'a>(turn: &'a Turn) -> _ {
    let tenant: &'a str = turn.tenant.as_str();
    let id: String = turn.id.to_string();
    let fence: i64 = turn.fence;
    let running: &'static str = JobStatus::Running.as_str();
    j::tenant.eq(tenant).and(j::id.eq(id)).and(j::status.eq(running)).and(j::fence.eq(fence))
}

/// Ends the turn; the next one comes at `next`, behind the jobs that wait already.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn end_turn(
    conn: &mut Connection,
    turn: &Turn,
    (stalls, next): (i64, Timestamp),
    now: Timestamp,
) -> Result<(), StorageError> {
    let target = j::table.filter(is_turn(turn));
    on_backend!(conn, |c| diesel::update(target)
        .set((
            j::stalls.eq(stalls),
            j::next_attempt_at.eq(next.millis()),
            j::lease_until.eq(None::<i64>),
            j::updated_at.eq(now.millis()),
        ))
        .execute(c))?;
    Ok(())
}

/// Every row is settled: the job is done, its counts written down. False when rows are open, it is another's turn, or it was cancelled.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn finish(conn: &mut Connection, turn: &Turn, now: Timestamp) -> Result<bool, StorageError> {
    let counts = count(conn, &turn.tenant, turn.id)?;
    let target = j::table.filter(is_turn(turn)).filter(j::total.eq(counts.0));
    let rows = on_backend!(conn, |c| diesel::update(target).set(over(JobStatus::Done, counts, now)).execute(c))?;
    Ok(rows == 1)
}

/// Cancels the job and the rows that are not settled; false when it is over already.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn cancel(conn: &mut Connection, tenant: &TenantId, id: BulkJobId, now: Timestamp) -> Result<bool, StorageError> {
    let open = j::table
        .filter(j::tenant.eq(tenant.as_str()).and(j::id.eq(id.to_string())))
        .filter(j::status.eq_any(JobStatus::OPEN));
    // First, so that nobody claims it or finishes it from here on.
    let rows = on_backend!(conn, |c| diesel::update(open)
        .set((j::status.eq(JobStatus::Cancelled.as_str()), j::fence.eq(j::fence + 1)))
        .execute(c))?;
    if rows == 0 {
        return Ok(false);
    }
    rows::cancel(conn, tenant, id)?;
    let counts = count(conn, tenant, id)?;
    let target = j::table.filter(is_job(tenant, id, JobStatus::Cancelled));
    on_backend!(conn, |c| diesel::update(target).set(over(JobStatus::Cancelled, counts, now)).execute(c))?;
    Ok(true)
}

/// What is written when a job is over.
#[diesel::dsl::auto_type(no_type_alias)]
fn over(status: JobStatus, counts: (i64, i64), now: Timestamp) -> _ {
    let status: &'static str = status.as_str();
    let (done, failed): (i64, i64) = counts;
    let at: i64 = now.millis();
    let no_lease: Option<i64> = None;
    (
        j::status.eq(status),
        j::done.eq(done),
        j::failed.eq(failed),
        j::lease_until.eq(no_lease),
        j::updated_at.eq(at),
        j::finished_at.eq(at),
    )
}
