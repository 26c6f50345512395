//! `POST /v1/bulk-invitations/{id}/cancel`

use actix_web::{HttpResponse, post, web};

use super::job_id;
use super::view::BulkInvitationView;
use crate::http::State;
use crate::http::auth::{Authorized, InvitationsWrite};
use crate::http::problem::Problem;

/// Cancel a job
///
/// Rows that are not dealt with are cancelled; what is issued stays. Cancelling twice is one cancellation. Needs the scope
/// `invitations:write`.
#[utoipa::path(
    tag = "bulk invitations",
    params(("id" = String, Path, description = "The job's id")),
    security(("accessToken" = ["invitations:write"])),
    responses(
        (status = 200, description = "The job, cancelled.", body = BulkInvitationView),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such job.", body = Problem),
        (status = 409, description = "`bulk_job_done`: it ended before.", body = Problem),
    )
)]
#[post("/v1/bulk-invitations/{id}/cancel")]
pub(crate) async fn cancel_bulk_invitation(
    state: web::Data<State>,
    authorized: Authorized<InvitationsWrite>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let job = state.service.cancel_bulk_job(&authorized.caller, job_id(&id)?).await?;
    Ok(HttpResponse::Ok().json(BulkInvitationView::from(&job)))
}
