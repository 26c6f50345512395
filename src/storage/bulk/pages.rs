//! Pages of jobs, and of the rows of one.

use diesel::prelude::*;

use super::jobs::{COLUMNS, Job, JobRow};
use super::rows::{RowResult, read_result};
use crate::domain::bulk::{JobStatus, RowStatus};
use crate::domain::ids::{BulkJobId, TenantId};
use crate::domain::page::{Page, Place, Slice};
use crate::domain::time::Timestamp;
use crate::storage::connection::{Connection, on_boxed};
use crate::storage::error::StorageError;
use crate::storage::lists::beyond;
use crate::storage::schema::{bulk_job as j, bulk_row as r};

/// The tenant's jobs, by age.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn jobs(conn: &mut Connection, tenant: &TenantId, slice: &Slice) -> Result<Page<Job>, StorageError> {
    let rows: Vec<JobRow> = on_boxed!(conn, |c, Db| {
        let query = j::table.filter(j::tenant.eq(tenant.as_str()).and(j::status.eq_any(JobStatus::SHOWN)));
        beyond!(query.into_boxed::<Db>(), slice, "bulk_job.created_at", "bulk_job.id").select(COLUMNS).load(c)
    })?;
    let jobs = rows.into_iter().map(|row| row.read(conn)).collect::<Result<Vec<Job>, _>>()?;
    Ok(slice.page(jobs, |job| Place { at: job.created_at, id: job.id.to_string() }))
}

/// The job's rows of these statuses (of any, when there are none), by their place in the file. A job is small enough for one index.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn rows(
    conn: &mut Connection,
    (tenant, job): (&TenantId, BulkJobId),
    statuses: &[RowStatus],
    slice: &Slice,
) -> Result<Page<RowResult>, StorageError> {
    let rows: Vec<(i64, String, Option<String>, Option<String>)> = on_boxed!(conn, |c, Db| {
        let of_job = r::table.filter(r::tenant.eq(tenant.as_str()).and(r::job_id.eq(job.to_string())));
        let mut query = of_job.into_boxed::<Db>();
        if !statuses.is_empty() {
            query = query.filter(r::status.eq_any(statuses.iter().map(|status| status.as_str())));
        }
        beyond!(query, slice, "bulk_row.position", "bulk_row.job_id")
            .select((r::position, r::status, r::invitation_id, r::problem))
            .load(c)
    })?;
    let rows = rows.into_iter().map(read_result).collect::<Result<Vec<_>, _>>()?;
    // A place is a number and a text: here the row's position and its job.
    Ok(slice.page(rows, |row| Place { at: Timestamp::from_millis(row.position), id: job.to_string() }))
}
