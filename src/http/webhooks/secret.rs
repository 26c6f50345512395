//! `POST /v1/webhooks/{id}/rotate-secret`

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::CreatedWebhookView;
use crate::http::State;
use crate::http::auth::{Authorized, WebhooksWrite};
use crate::http::extract::{Body, endpoint_id};
use crate::http::idempotency::{Answer, IdempotencyKey, once};
use crate::http::problem::Problem;
use crate::service::webhooks::WithSecret;

/// Longest overlap: a week.
const OVERLAP_MAX: u64 = 10_080;

/// How long the secret before signs as well.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"overlapMinutes": 1440}))]
pub(crate) struct RotateWebhookSecretRequest {
    /// 0 to 10080; a day when absent.
    #[serde(default = "a_day")]
    #[schema(minimum = 0, maximum = 10080, default = 1440)]
    overlap_minutes: u64,
}

const fn a_day() -> u64 {
    1440
}

/// Give a webhook a new secret
///
/// The new secret is shown this once. For the time of the overlap every event carries two signatures, so that the receiver can change
/// over at any moment of it. Needs the scope `webhooks:write`.
#[utoipa::path(
    tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id"), IdempotencyKey),
    request_body = RotateWebhookSecretRequest,
    security(("accessToken" = ["webhooks:write"])),
    responses(
        (status = 200, description = "The new secret signs from now on.", body = CreatedWebhookView),
        (status = 400, description = "The body can't be used.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such webhook.", body = Problem),
    )
)]
#[post("/v1/webhooks/{id}/rotate-secret")]
pub(crate) async fn rotate_webhook_secret(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<WebhooksWrite>,
    id: web::Path<String>,
    body: Body<RotateWebhookSecretRequest>,
) -> Result<HttpResponse, Problem> {
    let minutes = body.0.overlap_minutes;
    if minutes > OVERLAP_MAX {
        let detail = "must be 0 to 10080";
        return Err(Problem::field(StatusCode::BAD_REQUEST, "/overlapMinutes", "out_of_range", detail));
    }
    let overlap = Duration::from_secs(minutes * 60);
    let id = endpoint_id(&id)?;
    once(&request, &state.service, authorized.caller, rotated, move |service, caller, alongside| async move {
        service.rotate_webhook_secret(&caller, id, overlap, alongside).await
    })
    .await
}

fn rotated(rotated: &WithSecret) -> Answer {
    Answer::ok(&CreatedWebhookView::from(rotated))
}
