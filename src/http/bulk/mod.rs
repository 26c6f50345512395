//! `/v1/bulk-invitations`: sending many, following the job, cancelling it.

pub(super) mod cancel;
pub(super) mod create;
pub(super) mod get;
pub(super) mod list;
mod receive;
pub(super) mod results;
mod split;
mod view;

use super::invitations::issue::read_command;
use super::problem::Problem;
use crate::domain::ids::BulkJobId;
use crate::service::bulk::Wire;
use crate::service::{Refusal, ServiceError};

/// Rows are read and problems written as for single calls.
#[must_use]
pub fn wire() -> Wire {
    Wire {
        read: |row| read_command(row).map_err(|problem| problem.to_json()),
        explain: |error| Problem::from(error).to_json(),
    }
}

/// The job's id in a path; one that can't be an id names nothing.
fn job_id(text: &str) -> Result<BulkJobId, Problem> {
    BulkJobId::parse(text).ok_or_else(|| ServiceError::Refused(Refusal::BulkJobNotFound).into())
}
