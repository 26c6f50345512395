//! `/v1/webhooks`: where a tenant's events go.

mod change;
pub(super) mod secret;
pub(super) mod test;
mod view;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, web};

use super::State;
use super::auth::{Authorized, WebhooksWrite};
use super::extract::{Body, endpoint_id};
use super::idempotency::{Answer, IdempotencyKey, once};
use super::problem::Problem;
use super::request::path_for;
use crate::domain::webhook::Endpoint;
use crate::service::webhooks::WithSecret;
use change::{CreateWebhookRequest, UpdateWebhookRequest};
use view::{CreatedWebhookView, WebhookListView, WebhookView};

/// Add a webhook
///
/// Every event of the tenant that the endpoint asks for is posted to it from now on, signed as Standard Webhooks says. The secret is
/// shown this once. Needs the scope `webhooks:write`.
#[utoipa::path(
    tag = "webhooks",
    request_body = CreateWebhookRequest,
    params(IdempotencyKey),
    security(("accessToken" = ["webhooks:write"])),
    responses(
        (status = 201, description = "Added; the secret is not shown again.", body = CreatedWebhookView,
         headers(("Location" = String, description = "Path of the webhook"))),
        (status = 400, description = "The body can't be used.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 409, description = "`webhook_limit`: the tenant has 20 already.", body = Problem),
        (status = 422, description = "The URL is not one that may be called.", body = Problem),
    )
)]
#[post("/v1/webhooks")]
pub(super) async fn create_webhook(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<WebhooksWrite>,
    body: Body<CreateWebhookRequest>,
) -> Result<HttpResponse, Problem> {
    let new = body.0.read()?;
    once(&request, &state.service, authorized.caller, created, |service, caller, alongside| async move {
        service.create_webhook(&caller, new, alongside).await
    })
    .await
}

fn created(created: &WithSecret) -> Answer {
    let Endpoint { id, tenant, .. } = &created.endpoint;
    let location = path_for(tenant, &format!("/v1/webhooks/{id}"));
    Answer::at(StatusCode::CREATED, location, &CreatedWebhookView::from(created))
}

/// List the webhooks
///
/// All of the tenant's, oldest first; there are at most 20. Needs the scope `webhooks:write`.
#[utoipa::path(
    tag = "webhooks",
    security(("accessToken" = ["webhooks:write"])),
    responses(
        (status = 200, description = "The webhooks.", body = WebhookListView),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
    )
)]
#[get("/v1/webhooks")]
pub(super) async fn list_webhooks(
    state: web::Data<State>,
    authorized: Authorized<WebhooksWrite>,
) -> Result<HttpResponse, Problem> {
    let endpoints = state.service.list_webhooks(&authorized.caller).await?;
    Ok(HttpResponse::Ok().json(WebhookListView::from(endpoints.as_slice())))
}

/// Read a webhook
///
/// Needs the scope `webhooks:write`.
#[utoipa::path(
    tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id")),
    security(("accessToken" = ["webhooks:write"])),
    responses(
        (status = 200, description = "The webhook.", body = WebhookView),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such webhook.", body = Problem),
    )
)]
#[get("/v1/webhooks/{id}")]
pub(super) async fn get_webhook(
    state: web::Data<State>,
    authorized: Authorized<WebhooksWrite>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let endpoint = state.service.get_webhook(&authorized.caller, endpoint_id(&id)?).await?;
    Ok(HttpResponse::Ok().json(WebhookView::from(&endpoint)))
}

/// Change a webhook
///
/// What is absent stays. One that is turned off gets nothing more; what waits for it ends as a failed delivery. Needs the scope
/// `webhooks:write`.
#[utoipa::path(
    tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id")),
    request_body = UpdateWebhookRequest,
    security(("accessToken" = ["webhooks:write"])),
    responses(
        (status = 200, description = "As it is now.", body = WebhookView),
        (status = 400, description = "The body can't be used.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such webhook.", body = Problem),
        (status = 422, description = "The URL is not one that may be called.", body = Problem),
    )
)]
#[patch("/v1/webhooks/{id}")]
pub(super) async fn update_webhook(
    state: web::Data<State>,
    authorized: Authorized<WebhooksWrite>,
    id: web::Path<String>,
    body: Body<UpdateWebhookRequest>,
) -> Result<HttpResponse, Problem> {
    let endpoint = state.service.update_webhook(&authorized.caller, endpoint_id(&id)?, body.0.read()?).await?;
    Ok(HttpResponse::Ok().json(WebhookView::from(&endpoint)))
}

/// Remove a webhook
///
/// What waits for it is not sent. Needs the scope `webhooks:write`.
#[utoipa::path(
    tag = "webhooks",
    params(("id" = String, Path, description = "The webhook's id")),
    security(("accessToken" = ["webhooks:write"])),
    responses(
        (status = 204, description = "Removed."),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such webhook.", body = Problem),
    )
)]
#[delete("/v1/webhooks/{id}")]
pub(super) async fn delete_webhook(
    state: web::Data<State>,
    authorized: Authorized<WebhooksWrite>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    state.service.delete_webhook(&authorized.caller, endpoint_id(&id)?).await?;
    Ok(HttpResponse::NoContent().finish())
}
