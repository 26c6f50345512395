//! Removing jobs bit by bit: those that were kept long enough, and those whose rows never came in to the end.

use diesel::prelude::*;

use super::jobs::LEASE;
use crate::domain::bulk::JobStatus;
use crate::domain::time::Timestamp;
use crate::storage::connection::{Backend, Connection, on_backend};
use crate::storage::error::StorageError;
use crate::storage::schema::{bulk_job as j, bulk_row as r};

/// Takes jobs that ended before `ended_before` out of sight, at most `limit`; returns how many.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn retire(conn: &mut Connection, ended_before: Timestamp, limit: i64) -> Result<usize, StorageError> {
    let over = j::table
        .filter(j::status.eq_any(JobStatus::OVER).and(j::finished_at.lt(ended_before.millis())))
        .order(j::finished_at)
        .limit(limit)
        .select(j::id);
    let ids: Vec<String> = on_backend!(conn, |c| over.load(c))?;
    if ids.is_empty() {
        return Ok(0);
    }
    let target = j::table.filter(j::id.eq_any(ids).and(j::status.eq_any(JobStatus::OVER)));
    Ok(on_backend!(conn, |c| diesel::update(target)
        .set((j::status.eq(JobStatus::Discarded.as_str()), j::lease_until.eq(0)))
        .execute(c))?)
}

/// Deletes up to `limit` rows of a job that is not wanted, and the job when it has no more; returns how many rows that were.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn remove(conn: &mut Connection, limit: i64, now: Timestamp) -> Result<usize, StorageError> {
    // One whose sender hung up comes here when its lease has lapsed.
    let given_up = j::status.eq(JobStatus::Receiving.as_str()).and(j::lease_until.le(now.millis()).assume_not_null());
    let unwanted =
        j::table.filter(j::status.eq(JobStatus::Discarded.as_str()).or(given_up)).order(j::lease_until).select(j::id);
    let job: Option<String> = match &mut conn.backend {
        Backend::Postgres(pg) => unwanted.for_update().skip_locked().first(pg).optional()?,
        Backend::Sqlite(sqlite) => unwanted.first(sqlite).optional()?,
    };
    let Some(job) = job else { return Ok(0) };
    let positions = r::table.filter(r::job_id.eq(&job)).order(r::position).limit(limit).select(r::position);
    let positions: Vec<i64> = on_backend!(conn, |c| positions.load(c))?;
    if let (Some(first), Some(last)) = (positions.first(), positions.last()) {
        let target = r::table.filter(r::job_id.eq(&job).and(r::position.between(*first, *last)));
        on_backend!(conn, |c| diesel::delete(target).execute(c))?;
        // What still comes in of it is refused from here on.
        let target = j::table.filter(j::id.eq(&job));
        on_backend!(conn, |c| diesel::update(target)
            .set((j::status.eq(JobStatus::Discarded.as_str()), j::lease_until.eq(now.after(LEASE).millis())))
            .execute(c))?;
        return Ok(positions.len());
    }
    on_backend!(conn, |c| diesel::delete(j::table.filter(j::id.eq(&job))).execute(c))?;
    Ok(1)
}
