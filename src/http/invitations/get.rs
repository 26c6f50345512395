//! `GET /v1/invitations/{id}`

use actix_web::{HttpResponse, get, web};

use super::view::InvitationView;
use crate::http::State;
use crate::http::auth::{Authorized, InvitationsRead};
use crate::http::extract::invitation_id;
use crate::http::problem::Problem;

/// Read an invitation
///
/// Needs the scope `invitations:read`.
#[utoipa::path(
    tag = "invitations",
    params(("id" = String, Path, description = "The invitation's id")),
    security(("accessToken" = ["invitations:read"])),
    responses(
        (status = 200, description = "The invitation.", body = InvitationView),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such invitation.", body = Problem),
    )
)]
#[get("/v1/invitations/{id}")]
pub(crate) async fn get_invitation(
    state: web::Data<State>,
    authorized: Authorized<InvitationsRead>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let snapshot = state.service.get_invitation(&authorized.caller, invitation_id(&id)?).await?;
    Ok(HttpResponse::Ok().json(InvitationView::from(snapshot)))
}
