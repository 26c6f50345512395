//! The rows of jobs. What a row said is sealed, and wiped by the statement that settles it; only one settles it.

use diesel::dsl::{exists, not};
use diesel::prelude::*;

use crate::domain::bulk::RowStatus;
use crate::domain::ids::{BulkJobId, InvitationId, TenantId};
use crate::domain::time::Timestamp;
use crate::storage::connection::{Connection, on_backend};
use crate::storage::error::{StorageError, readable};
use crate::storage::schema::bulk_row as r;

/// A row to be added.
pub struct NewRow {
    pub position: i64,
    pub content: Content,
    /// The row before it that names the same account.
    pub twin: Option<i64>,
}

/// What is kept of a row that came in.
pub enum Content {
    /// Sealed, to be worked on.
    Sealed(Vec<u8>),
    /// Nothing: it can't be used, for this problem.
    Problem(String),
}

/// One row of one job.
#[derive(Debug, Clone)]
pub struct RowPlace {
    pub tenant: TenantId,
    pub job: BulkJobId,
    pub position: i64,
}

impl RowPlace {
    /// Hands the parts that a seal is bound to over to `then`.
    pub fn bind<T>(&self, then: impl FnOnce(&[&[u8]]) -> T) -> T {
        let position = self.position.to_be_bytes();
        then(&[b"bulk", self.tenant.as_str().as_bytes(), self.job.as_bytes(), &position])
    }
}

/// A row that is not settled.
pub struct OpenRow {
    pub position: i64,
    pub input: Vec<u8>,
    pub twin: Option<i64>,
    /// How often it was tried.
    pub attempts: i64,
}

/// How a row ends.
#[derive(Debug, Clone)]
pub enum Settled {
    Issued(InvitationId),
    Valid,
    Failed { problem: String },
}

/// A row as callers see it.
pub struct RowResult {
    pub position: i64,
    pub status: RowStatus,
    pub invitation: Option<String>,
    /// JSON.
    pub problem: Option<String>,
}

/// Adds rows to the job, all in one statement.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn insert(
    conn: &mut Connection,
    (tenant, job): (&TenantId, BulkJobId),
    rows: &[NewRow],
    now: Timestamp,
) -> Result<(), StorageError> {
    let job = job.to_string();
    let values: Vec<_> = rows
        .iter()
        .map(|row| {
            let (status, input, problem) = match &row.content {
                Content::Sealed(input) => (RowStatus::Pending, Some(input.as_slice()), None),
                Content::Problem(problem) => (RowStatus::Failed, None, Some(problem.as_str())),
            };
            (
                (r::job_id.eq(&job), r::position.eq(row.position), r::tenant.eq(tenant.as_str())),
                (r::status.eq(status.as_str()), r::input.eq(input), r::problem.eq(problem)),
                (r::twin.eq(row.twin), r::attempts.eq(0), r::next_attempt_at.eq(now.millis())),
            )
        })
        .collect();
    on_backend!(conn, |c| diesel::insert_into(r::table).values(&values).execute(c))?;
    Ok(())
}

/// The job's rows.
#[diesel::dsl::auto_type(no_type_alias)]
fn of_job<'a>(tenant: &'a TenantId, job: BulkJobId) -> _ {
    let tenant: &'a str = tenant.as_str();
    let job: String = job.to_string();
    r::tenant.eq(tenant).and(r::job_id.eq(job))
}

/// This row, while it is not settled.
#[diesel::dsl::auto_type(no_type_alias)]
fn is_open<'a>(place: &'a RowPlace) -> _ {
    let tenant: &'a str = place.tenant.as_str();
    let job: String = place.job.to_string();
    let position: i64 = place.position;
    let pending: &'static str = RowStatus::Pending.as_str();
    r::tenant.eq(tenant).and(r::job_id.eq(job)).and(r::position.eq(position)).and(r::status.eq(pending))
}

type DueRow = (i64, Option<Vec<u8>>, Option<i64>, i64);

/// The first rows that are not settled and don't wait, and whose account no row before them names that is not settled: what is later in the
/// file is done later.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn due(
    conn: &mut Connection,
    (tenant, job): (&TenantId, BulkJobId),
    limit: i64,
) -> Result<Vec<OpenRow>, StorageError> {
    let now = conn.now()?;
    let earlier = diesel::alias!(r as earlier);
    let waits = exists(
        earlier
            .filter(earlier.field(r::job_id).eq(r::job_id).and(earlier.field(r::position).nullable().eq(r::twin)))
            .filter(earlier.field(r::status).eq(RowStatus::Pending.as_str()).assume_not_null()),
    );
    let query = r::table
        .filter(of_job(tenant, job).and(not(waits)))
        .filter(r::status.eq(RowStatus::Pending.as_str()).and(r::next_attempt_at.le(now.millis())))
        .order(r::position)
        .limit(limit)
        .select((r::position, r::input, r::twin, r::attempts));
    let rows: Vec<DueRow> = on_backend!(conn, |c| query.load(c))?;
    rows.into_iter()
        .map(|(position, input, twin, attempts)| {
            Ok(OpenRow { position, input: readable(input, "row of a job")?, twin, attempts })
        })
        .collect()
}

/// When the next row that waits may be tried again; `None` when none is open.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn next_due(
    conn: &mut Connection,
    (tenant, job): (&TenantId, BulkJobId),
) -> Result<Option<Timestamp>, StorageError> {
    let query = r::table
        .filter(of_job(tenant, job).and(r::status.eq(RowStatus::Pending.as_str())))
        .select(diesel::dsl::min(r::next_attempt_at));
    let next: Option<i64> = on_backend!(conn, |c| query.first(c))?;
    Ok(next.map(Timestamp::from_millis))
}

/// Settles the row and wipes what it said; false when it is settled already.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn settle(conn: &mut Connection, place: &RowPlace, settled: &Settled) -> Result<bool, StorageError> {
    let (status, invitation, problem) = match settled {
        Settled::Issued(invitation) => (RowStatus::Issued, Some(invitation.to_string()), None),
        Settled::Valid => (RowStatus::Valid, None, None),
        Settled::Failed { problem } => (RowStatus::Failed, None, Some(problem.as_str())),
    };
    let target = r::table.filter(is_open(place));
    let rows = on_backend!(conn, |c| diesel::update(target)
        .set((
            r::status.eq(status.as_str()),
            r::invitation_id.eq(invitation),
            r::problem.eq(problem),
            r::input.eq(None::<Vec<u8>>),
        ))
        .execute(c))?;
    Ok(rows == 1)
}

/// Has the row tried again later, unless it is settled already.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn postpone(conn: &mut Connection, place: &RowPlace, until: Timestamp) -> Result<(), StorageError> {
    let target = r::table.filter(is_open(place));
    on_backend!(conn, |c| diesel::update(target)
        .set((r::attempts.eq(r::attempts + 1), r::next_attempt_at.eq(until.millis())))
        .execute(c))?;
    Ok(())
}

/// Cancels the rows that are not settled.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub(super) fn cancel(conn: &mut Connection, tenant: &TenantId, job: BulkJobId) -> Result<(), StorageError> {
    let target = r::table.filter(of_job(tenant, job).and(r::status.eq(RowStatus::Pending.as_str())));
    on_backend!(conn, |c| diesel::update(target)
        .set((r::status.eq(RowStatus::Cancelled.as_str()), r::input.eq(None::<Vec<u8>>)))
        .execute(c))?;
    Ok(())
}

/// How many rows stand where.
pub(super) fn count(
    conn: &mut Connection,
    tenant: &TenantId,
    job: BulkJobId,
) -> Result<Vec<(RowStatus, i64)>, StorageError> {
    let query = r::table.filter(of_job(tenant, job)).group_by(r::status).select((r::status, diesel::dsl::count_star()));
    let rows: Vec<(String, i64)> = on_backend!(conn, |c| query.load(c))?;
    rows.into_iter().map(|(status, count)| Ok((readable(RowStatus::parse(&status), "row status")?, count))).collect()
}

type FoundRow = (i64, String, Option<String>, Option<String>, Option<i64>);

/// How a row stands, and the row before it that names the same account.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find(conn: &mut Connection, place: &RowPlace) -> Result<Option<(RowResult, Option<i64>)>, StorageError> {
    let query = r::table.filter(of_job(&place.tenant, place.job).and(r::position.eq(place.position))).select((
        r::position,
        r::status,
        r::invitation_id,
        r::problem,
        r::twin,
    ));
    let row: Option<FoundRow> = on_backend!(conn, |c| query.first(c).optional())?;
    let Some((position, status, invitation, problem, twin)) = row else { return Ok(None) };
    Ok(Some((read_result((position, status, invitation, problem))?, twin)))
}

pub(super) fn read_result(
    (position, status, invitation, problem): (i64, String, Option<String>, Option<String>),
) -> Result<RowResult, StorageError> {
    let status = readable(RowStatus::parse(&status), "row status")?;
    Ok(RowResult { position, status, invitation, problem })
}
