//! `POST /v1/invitations/{id}/resend`

use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::issue::{DeliveryName, MethodName, locale};
use super::view::IssuedView;
use crate::domain::invitation::Method;
use crate::http::State;
use crate::http::auth::{Authorized, InvitationsWrite};
use crate::http::extract::{Body, invitation_id, optional_time};
use crate::http::idempotency::{Answer, IdempotencyKey, once};
use crate::http::problem::Problem;
use crate::service::issue::{DeliveryMode, Issued};
use crate::service::resend::Resend;

/// What changes with the new generation; what is absent stays, or comes from the settings.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"expiresInMinutes": 60}))]
pub(crate) struct ResendInvitationRequest {
    #[schema(value_type = Option<MethodName>)]
    method: Option<Method>,
    /// -1 never, 0 at once, or 1 to 10080.
    #[schema(minimum = -1, maximum = 10080)]
    expires_in_minutes: Option<i64>,
    delivery: Option<DeliveryName>,
    /// When to send it, at most 90 days ahead; the expiry counts from then. What is over is now.
    #[schema(format = DateTime)]
    send_at: Option<String>,
    #[schema(max_length = 35)]
    locale: Option<String>,
}

/// Resend an invitation
///
/// A new secret; the ones before it, their grants and queued messages die. Also for one that has expired or failed. Needs the scope
/// `invitations:write`.
#[utoipa::path(
    tag = "invitations",
    params(("id" = String, Path, description = "The invitation's id"), IdempotencyKey),
    request_body = ResendInvitationRequest,
    security(("accessToken" = ["invitations:write"])),
    responses(
        (status = 200, description = "A new generation.", body = IssuedView),
        (status = 400, description = "The body can't be used.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such invitation.", body = Problem),
        (status = 409, description = "`not_resendable`, `accept_in_progress`, `invitation_exists` or `feature_disabled`.", body = Problem),
        (status = 422, description = "A rule refuses it.", body = Problem),
        (status = 429, description = "`resend_too_soon` or `resend_limit`.", body = Problem),
        (status = 503, description = "`directory_unavailable`: nothing was done.", body = Problem),
    )
)]
#[post("/v1/invitations/{id}/resend")]
pub(crate) async fn resend_invitation(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<InvitationsWrite>,
    id: web::Path<String>,
    body: Body<ResendInvitationRequest>,
) -> Result<HttpResponse, Problem> {
    let command = Resend {
        method: body.0.method,
        expires_in_minutes: body.0.expires_in_minutes,
        delivery: body.0.delivery.map(DeliveryMode::from),
        send_at: optional_time("/sendAt", body.0.send_at.as_deref())?,
        locale: locale("/locale", body.0.locale)?,
        keeps_lock: false,
    };
    let id = invitation_id(&id)?;
    once(&request, &state.service, authorized.caller, answer, move |service, caller, alongside| async move {
        service.resend(&caller, id, command, alongside).await
    })
    .await
}

fn answer(issued: &Issued) -> Answer {
    Answer::ok(&IssuedView::from(issued)).about(issued.snapshot.invitation.account)
}
