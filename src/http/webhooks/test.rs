//! `POST /v1/webhooks/{id}/test`

use actix_web::{HttpResponse, post, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::State;
use crate::http::auth::{Authorized, WebhooksWrite};
use crate::http::extract::endpoint_id;
use crate::http::problem::Problem;
use crate::service::webhooks::Attempt;

/// What came of a test.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({"delivered": true, "status": 204, "error": null, "durationMs": 42}))]
pub(crate) struct WebhookTestView {
    /// Whether the endpoint took it: any 2xx.
    delivered: bool,
    /// The HTTP status that it answered with; null when it did not answer.
    status: Option<u16>,
    /// `http_500`, `endpoint_unreachable`, `endpoint_timeout`, `endpoint_broke_off`, `proxy_refused`, `address_not_allowed`, …
    error: Option<String>,
    duration_ms: u64,
}

impl From<Attempt> for WebhookTestView {
    fn from(attempt: Attempt) -> Self {
        let error = attempt.outcome.error().map(str::to_owned);
        Self {
            delivered: error.is_none(),
            status: attempt.status,
            error,
            duration_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Try a webhook out
///
/// Sends a `webhook.test` right now, signed like any event, and waits for the answer; also to one that is turned off. Needs the scope
/// `webhooks:write`.
#[utoipa::path(
    tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id")),
    security(("accessToken" = ["webhooks:write"])),
    responses(
        (status = 200, description = "How it went.", body = WebhookTestView),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such webhook.", body = Problem),
    )
)]
#[post("/v1/webhooks/{id}/test")]
pub(crate) async fn test_webhook(
    state: web::Data<State>,
    authorized: Authorized<WebhooksWrite>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let attempt = state.service.test_webhook(&authorized.caller, endpoint_id(&id)?).await?;
    Ok(HttpResponse::Ok().json(WebhookTestView::from(attempt)))
}
