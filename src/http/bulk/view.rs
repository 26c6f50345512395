//! A job and its rows as callers see them.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::domain::time::Timestamp;
use crate::http::page::PageLinks;
use crate::http::problem::Problem;
use crate::service::bulk::{Job, RowResult};

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

/// What became of one row.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BulkResultView {
    /// The row's place in the file; the first one is 0. Blank lines don't count.
    index: i64,
    /// `pending`, `issued`, `failed`, `valid` (of a dry run) or `cancelled`.
    status: &'static str,
    /// Of an issued one.
    invitation_id: Option<String>,
    /// Of a failed one: what a single call would have been answered with.
    #[schema(value_type = Option<Problem>)]
    problem: Option<Box<RawValue>>,
}

impl From<RowResult> for BulkResultView {
    fn from(row: RowResult) -> Self {
        Self {
            index: row.position,
            status: row.status.as_str(),
            invitation_id: row.invitation,
            problem: row.problem.and_then(|json| RawValue::from_string(json).ok()),
        }
    }
}

/// Jobs, in the order asked for.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [], "page": {"after": null, "before": null}}))]
pub(crate) struct BulkInvitationPage {
    pub(super) items: Vec<BulkInvitationView>,
    pub(super) page: PageLinks,
}

/// Rows, in the order asked for.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "items": [
        {"index": 0, "status": "issued", "invitationId": "inv_0198c0de7c5a7d0c9c0f3b1f6f6b2a11", "problem": null},
        {"index": 1, "status": "failed", "invitationId": null, "problem": {
            "type": "urn:invited:problem:user_not_found", "title": "Unprocessable Entity", "status": 422,
            "detail": "The directory has no such user in this realm.", "code": "user_not_found",
            "errors": [{"pointer": "/user/username", "code": "user_not_found", "detail": "The directory has no such user in this realm."}]
        }}
    ],
    "page": {"after": null, "before": null}
}))]
pub(crate) struct BulkResultPage {
    pub(super) items: Vec<BulkResultView>,
    pub(super) page: PageLinks,
}
