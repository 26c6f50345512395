//! `GET /v1/bulk-invitations`

use actix_web::{HttpResponse, get, web};

use super::view::{BulkInvitationPage, BulkInvitationView};
use crate::http::State;
use crate::http::auth::{Authorized, InvitationsRead};
use crate::http::page::ListQuery;
use crate::http::problem::Problem;

/// List jobs
///
/// Newest first, unless `order=asc`. Needs the scope `invitations:read`.
#[utoipa::path(
    tag = "bulk invitations",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 when absent", minimum = 1, maximum = 100),
        ("order" = Option<String>, Query, description = "`asc` or `desc`"),
        ("after" = Option<String>, Query, description = "A cursor: the page after it"),
        ("before" = Option<String>, Query, description = "A cursor: the page before it"),
    ),
    security(("accessToken" = ["invitations:read"])),
    responses(
        (status = 200, description = "A page.", body = BulkInvitationPage),
        (status = 400, description = "A parameter can't be used, or `invalid_cursor`.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
    )
)]
#[get("/v1/bulk-invitations")]
pub(crate) async fn list_bulk_invitations(
    state: web::Data<State>,
    authorized: Authorized<InvitationsRead>,
    query: ListQuery,
) -> Result<HttpResponse, Problem> {
    let part = query.part(&state.service, &authorized.caller.tenant, "bulk invitations")?;
    let found = state.service.list_bulk_jobs(&authorized.caller, part.slice()).await?;
    let page = part.links(&found);
    let items = found.items.iter().map(BulkInvitationView::from).collect();
    Ok(HttpResponse::Ok().json(BulkInvitationPage { items, page }))
}
