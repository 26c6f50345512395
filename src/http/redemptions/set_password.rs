//! `POST /v1/redemptions/password`: the password, with the grant.

use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::secret::Password;
use crate::http::State;
use crate::http::auth::{bearer, person};
use crate::http::extract::Body;
use crate::http::idempotency::{Answer, IdempotencyKey, once};
use crate::http::problem::Problem;
use crate::service::set_password::Accepted;
use crate::service::{Refusal, ServiceError};

/// The password as the person chose it; its bytes reach the directory unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"password": "correct horse battery staple"}))]
pub(crate) struct PasswordRequest {
    #[schema(min_length = 8, max_length = 1024, format = Password)]
    password: String,
}

/// The password is set.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"status": "accepted", "acceptedAt": "2026-11-24T10:02:03.000Z", "redirectUrl": null}))]
pub(crate) struct PasswordAnswer {
    /// `accepted`
    status: &'static str,
    accepted_at: String,
    /// Where to send the person now.
    redirect_url: Option<String>,
}

/// Set the password
///
/// Sets the password in the directory, and unlocks the account when the lock was waiting for that. Nothing is used up before the
/// directory confirmed: after a `422` or `503` the same grant may be used again. Who sends an `Idempotency-Key` can repeat the call when
/// its answer got lost.
#[utoipa::path(
    tag = "redemptions",
    request_body = PasswordRequest,
    params(IdempotencyKey),
    security(("grant" = [])),
    responses(
        (status = 200, description = "The password is set.", body = PasswordAnswer),
        (status = 400, description = "The body can't be used.", body = Problem),
        (status = 401, description = "`grant_invalid`", body = Problem),
        (status = 403, description = "`account_disabled`: by somebody else; nothing was changed.", body = Problem),
        (status = 409, description = "`accept_in_progress`, or the account is gone.", body = Problem),
        (status = 422, description = "`password_rejected`, with `reasons`.", body = Problem),
        (status = 429, description = "`rate_limited`: too many calls from this address.", body = Problem),
        (status = 503, description = "`directory_unavailable`: the grant stays good.", body = Problem),
    )
)]
#[post("/v1/redemptions/password")]
pub(crate) async fn set_password(
    request: HttpRequest,
    state: web::Data<State>,
    body: Body<PasswordRequest>,
) -> Result<HttpResponse, Problem> {
    let password = Password::new(body.0.password);
    let grant = bearer(&request).ok_or(ServiceError::Refused(Refusal::GrantInvalid))?;
    let holder = state.service.holder_by_grant(&person(&request), &grant)?;
    once(&request, &state.service, holder, answer, move |service, caller, alongside| async move {
        service.set_password(&caller, &grant, password, alongside).await
    })
    .await
}

fn answer(accepted: &Accepted) -> Answer {
    Answer::ok(&PasswordAnswer {
        status: "accepted",
        accepted_at: accepted.accepted_at.to_rfc3339(),
        redirect_url: accepted.redirect_url.clone(),
    })
    .about(accepted.account)
}
