//! A job as callers see it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::time::Timestamp;
use crate::service::bulk::Job;

/// A job that issues many invitations, or tries out whether they could be issued.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "blk_0198c0de7c5a7d0c9c0f3b1f6f6b2a11", "status": "running", "dryRun": false, "total": 1000, "done": 420, "failed": 3,
    "createdAt": "2026-11-24T10:00:00.000Z", "updatedAt": "2026-11-24T10:00:07.000Z", "finishedAt": null, "createdBy": "hr-portal"
}))]
pub(crate) struct BulkInvitationView {
    id: String,
    /// `queued`, `running`, `done` or `cancelled`.
    status: &'static str,
    /// Whether rows are only tried out.
    dry_run: bool,
    /// Rows that were sent.
    total: i64,
    /// Rows dealt with so far, failed ones included.
    done: i64,
    failed: i64,
    created_at: String,
    updated_at: String,
    finished_at: Option<String>,
    /// Subject of the token that sent it.
    created_by: String,
}

impl From<&Job> for BulkInvitationView {
    fn from(job: &Job) -> Self {
        Self {
            id: job.id.to_string(),
            status: job.status.as_str(),
            dry_run: job.dry_run,
            total: job.total,
            done: job.done,
            failed: job.failed,
            created_at: job.created_at.to_rfc3339(),
            updated_at: job.updated_at.to_rfc3339(),
            finished_at: job.finished_at.map(Timestamp::to_rfc3339),
            created_by: job.actor.name.clone(),
        }
    }
}
