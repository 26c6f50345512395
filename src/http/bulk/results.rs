//! `GET /v1/bulk-invitations/{id}/results`

use actix_web::{HttpResponse, get, web};

use super::job_id;
use super::view::{BulkResultPage, BulkResultView};
use crate::domain::bulk::RowStatus;
use crate::domain::page::Order;
use crate::http::State;
use crate::http::auth::{Authorized, InvitationsRead};
use crate::http::page::ListQuery;
use crate::http::problem::Problem;

/// List what became of a job's rows
///
/// In the order of the file, unless `order=desc`. Needs the scope `invitations:read`.
#[utoipa::path(
    tag = "bulk invitations",
    params(
        ("id" = String, Path, description = "The job's id"),
        ("status" = Option<String>, Query, description = "Any of `pending`, `issued`, `failed`, `valid`, `cancelled`: repeated, or separated by commas", example = "failed,cancelled"),
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 when absent", minimum = 1, maximum = 100),
        ("order" = Option<String>, Query, description = "`asc` or `desc`"),
        ("after" = Option<String>, Query, description = "A cursor: the page after it"),
        ("before" = Option<String>, Query, description = "A cursor: the page before it"),
    ),
    security(("accessToken" = ["invitations:read"])),
    responses(
        (status = 200, description = "A page.", body = BulkResultPage),
        (status = 400, description = "A parameter can't be used, or `invalid_cursor`.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such job.", body = Problem),
    )
)]
#[get("/v1/bulk-invitations/{id}/results")]
pub(crate) async fn list_bulk_invitation_results(
    state: web::Data<State>,
    authorized: Authorized<InvitationsRead>,
    id: web::Path<String>,
    mut query: ListQuery,
) -> Result<HttpResponse, Problem> {
    let (caller, id) = (&authorized.caller, job_id(&id)?);
    let statuses = query.many("status", RowStatus::parse, "pending, issued, failed, valid and cancelled")?;
    let part = query.ordered(Order::Ascending).part(&state.service, &caller.tenant, format!("results of {id}"))?;
    let found = state.service.list_bulk_results(caller, id, statuses, part.slice()).await?;
    let page = part.links(&found);
    Ok(HttpResponse::Ok().json(BulkResultPage { items: found.map(BulkResultView::from).items, page }))
}
