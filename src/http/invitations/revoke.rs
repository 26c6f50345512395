//! `POST /v1/invitations/{id}/revoke`

use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::InvitationView;
use crate::http::State;
use crate::http::auth::{Authorized, InvitationsWrite};
use crate::http::extract::{Body, invitation_id};
use crate::http::idempotency::{Answer, IdempotencyKey, once};
use crate::http::problem::Problem;
use crate::service::lookup::Snapshot;

/// Whether our lock goes with the invitation.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"unlock": false}))]
pub(crate) struct RevokeInvitationRequest {
    /// Lift our lock of the account as well.
    #[serde(default)]
    unlock: bool,
}

/// Revoke an invitation
///
/// Final: nothing is sent afterwards. The account stays locked unless `unlock` is true. Needs the scope `invitations:write`.
#[utoipa::path(
    tag = "invitations",
    params(("id" = String, Path, description = "The invitation's id"), IdempotencyKey),
    request_body = RevokeInvitationRequest,
    security(("accessToken" = ["invitations:write"])),
    responses(
        (status = 200, description = "Revoked.", body = InvitationView),
        (status = 400, description = "The body can't be used.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such invitation.", body = Problem),
        (status = 409, description = "`accept_in_progress` or `not_revocable`.", body = Problem),
    )
)]
#[post("/v1/invitations/{id}/revoke")]
pub(crate) async fn revoke_invitation(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<InvitationsWrite>,
    id: web::Path<String>,
    body: Body<RevokeInvitationRequest>,
) -> Result<HttpResponse, Problem> {
    let (id, unlock) = (invitation_id(&id)?, body.0.unlock);
    once(&request, &state.service, authorized.caller, answer, move |service, caller, alongside| async move {
        service.revoke(&caller, id, unlock, alongside).await
    })
    .await
}

fn answer(snapshot: &Snapshot) -> Answer {
    Answer::ok(&InvitationView::from(snapshot.clone())).about(snapshot.invitation.account)
}
