//! `GET /v1/bulk-invitations/{id}`

use actix_web::{HttpResponse, get, web};

use super::job_id;
use super::view::BulkInvitationView;
use crate::http::State;
use crate::http::auth::{Authorized, InvitationsRead};
use crate::http::problem::Problem;

/// Read how far a job is
///
/// Needs the scope `invitations:read`.
#[utoipa::path(
    tag = "bulk invitations",
    params(("id" = String, Path, description = "The job's id")),
    security(("accessToken" = ["invitations:read"])),
    responses(
        (status = 200, description = "The job.", body = BulkInvitationView),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such job.", body = Problem),
    )
)]
#[get("/v1/bulk-invitations/{id}")]
pub(crate) async fn get_bulk_invitation(
    state: web::Data<State>,
    authorized: Authorized<InvitationsRead>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let job = state.service.get_bulk_job(&authorized.caller, job_id(&id)?).await?;
    Ok(HttpResponse::Ok().json(BulkInvitationView::from(&job)))
}
