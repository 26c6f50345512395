//! `POST /v1/redemptions/decline`: "this was not me".

use actix_web::{HttpRequest, HttpResponse, post, web};

use super::LinkRequest;
use crate::http::State;
use crate::http::auth::person;
use crate::http::extract::Body;
use crate::http::problem::Problem;

/// Decline an invitation
///
/// The bearer of a link that still works says that it was not for them: the invitation is revoked, whoever else has the link; the
/// account's lock stays. Everything but a genuine link fails with the same bytes after the same time.
#[utoipa::path(
    tag = "redemptions",
    request_body = LinkRequest,
    responses(
        (status = 204, description = "Revoked."),
        (status = 400, description = "`invalid_or_expired`, or the body can't be used.", body = Problem),
        (status = 409, description = "`accept_in_progress`: a password is being set right now.", body = Problem),
        (status = 410, description = "A genuine link whose invitation is over, or that a newer one has taken the place of.", body = Problem),
        (status = 429, description = "`rate_limited`: too many calls from this address.", body = Problem),
        (status = 503, description = "Try again.", body = Problem),
    )
)]
#[post("/v1/redemptions/decline")]
pub(crate) async fn decline_invitation(
    request: HttpRequest,
    state: web::Data<State>,
    body: Body<LinkRequest>,
) -> Result<HttpResponse, Problem> {
    state.service.decline(&person(&request), &body.0.token()).await?;
    Ok(HttpResponse::NoContent().finish())
}
