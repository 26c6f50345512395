//! `/v1/deliveries`: the outbox as operators see it, without what its messages say.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::State;
use super::auth::{Authorized, DeliveriesWrite, InvitationsRead};
use super::idempotency::{Answer, IdempotencyKey, once};
use super::page::{ListQuery, PageLinks};
use super::problem::Problem;
use crate::domain::ids::{InvitationId, MessageId};
use crate::domain::invitation::Channel;
use crate::domain::message::{DeliveryState, DeliveryStatus, Kind};
use crate::service::lists::{Delivery, DeliveryFilter, Seen};
use crate::service::{Refusal, ServiceError};

/// A message, a change to make in the directory, or an event for a webhook.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "msg_0198c0de7c5a7d0c9c0f3b1f6f6b2a12", "kind": "invitation_email_link", "channel": "email", "status": "failed", "attempts": 1,
    "lastError": "http_422", "nextAttemptAt": null, "invitationId": "inv_0198c0de7c5a7d0c9c0f3b1f6f6b2a11",
    "accountId": "acc_0198c0de7c5a7d0c9c0f3b1f6f6b2a10", "createdAt": "2026-11-24T10:00:00.000Z", "updatedAt": "2026-11-24T10:00:01.000Z"
}))]
pub(super) struct DeliveryItem {
    id: String,
    /// `account_sync` is the account's lock in the directory, `webhook_event` an event; all else are messages.
    kind: &'static str,
    /// `email`, `sms`, `directory` or `webhook`.
    channel: &'static str,
    /// `skipped`, `scheduled`, `queued`, `sending`, `sent` (it was taken), `delivered`, `bounced` or `failed` (given up).
    status: &'static str,
    attempts: i64,
    /// Code of the last thing that went wrong.
    last_error: Option<String>,
    /// Null when it is not waiting for a time.
    next_attempt_at: Option<String>,
    invitation_id: Option<String>,
    account_id: Option<String>,
    created_at: String,
    updated_at: String,
}

/// Deliveries, in the order asked for.
#[derive(Serialize, ToSchema)]
pub(super) struct DeliveryPage {
    items: Vec<DeliveryItem>,
    page: PageLinks,
}

impl From<&Seen<Delivery>> for DeliveryItem {
    fn from(Seen { what: delivery, at: now }: &Seen<Delivery>) -> Self {
        let status = delivery.status_at(*now);
        let waits = matches!(status, DeliveryStatus::Scheduled | DeliveryStatus::Queued)
            && delivery.state != DeliveryState::Held;
        Self {
            id: delivery.id.to_string(),
            kind: delivery.kind.as_str(),
            channel: delivery.channel.as_str(),
            status: status.as_str(),
            attempts: delivery.attempts,
            last_error: delivery.reason().map(str::to_owned),
            next_attempt_at: waits.then(|| delivery.next_attempt_at.to_rfc3339()),
            invitation_id: delivery.invitation.map(|id| id.to_string()),
            account_id: delivery.account.map(|id| id.to_string()),
            created_at: delivery.created_at.to_rfc3339(),
            updated_at: delivery.updated_at.to_rfc3339(),
        }
    }
}

/// List deliveries
///
/// Newest first, unless `order=asc`. Shows neither addresses nor what a message says. Needs the scope `invitations:read`.
#[utoipa::path(
    tag = "deliveries",
    params(
        ("status" = Option<String>, Query, description = "Any of `skipped`, `scheduled`, `queued`, `sending`, `sent`, `delivered`, `bounced`, `failed`: repeated, or separated by commas", example = "failed"),
        ("channel" = Option<String>, Query, description = "`email`, `sms`, `directory` or `webhook`"),
        ("kind" = Option<String>, Query, description = "Such as `invitation_email_link`, `account_sync` or `webhook_event`"),
        ("invitationId" = Option<String>, Query, description = "Of this invitation"),
        ("createdAfter" = Option<String>, Query, description = "Created later than this (RFC 3339)"),
        ("createdBefore" = Option<String>, Query, description = "Created earlier than this (RFC 3339)"),
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 when absent", minimum = 1, maximum = 100),
        ("order" = Option<String>, Query, description = "`asc` or `desc`"),
        ("after" = Option<String>, Query, description = "A cursor: the page after it"),
        ("before" = Option<String>, Query, description = "A cursor: the page before it"),
    ),
    security(("accessToken" = ["invitations:read"])),
    responses(
        (status = 200, description = "A page.", body = DeliveryPage),
        (status = 400, description = "A parameter can't be used, or `invalid_cursor`.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
    )
)]
#[get("/v1/deliveries")]
pub(super) async fn list_deliveries(
    state: web::Data<State>,
    authorized: Authorized<InvitationsRead>,
    mut query: ListQuery,
) -> Result<HttpResponse, Problem> {
    let filter = DeliveryFilter {
        statuses: query.many("status", DeliveryStatus::parse, "the statuses of deliveries")?,
        channel: query.one("channel", Channel::parse, "the channel of a delivery")?,
        kind: query.one("kind", Kind::parse, "the kind of a delivery")?,
        invitation: query.one("invitationId", InvitationId::parse, "the id of an invitation")?,
        created_after: query.time("createdAfter")?,
        created_before: query.time("createdBefore")?,
    };
    let part = query.part(&state.service, &authorized.caller.tenant, "deliveries")?;
    let found = state.service.list_deliveries(&authorized.caller, filter, part.slice()).await?;
    let page = part.links(&found);
    Ok(HttpResponse::Ok().json(DeliveryPage { page, items: found.map(|delivery| DeliveryItem::from(&delivery)).items }))
}

fn message_id(text: &str) -> Result<MessageId, Problem> {
    MessageId::parse(text).ok_or_else(|| ServiceError::Refused(Refusal::DeliveryNotFound).into())
}

/// Read a delivery
///
/// Needs the scope `invitations:read`.
#[utoipa::path(
    tag = "deliveries",
    params(("id" = String, Path, description = "The delivery's id")),
    security(("accessToken" = ["invitations:read"])),
    responses(
        (status = 200, description = "The delivery.", body = DeliveryItem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such delivery.", body = Problem),
    )
)]
#[get("/v1/deliveries/{id}")]
pub(super) async fn get_delivery(
    state: web::Data<State>,
    authorized: Authorized<InvitationsRead>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let delivery = state.service.get_delivery(&authorized.caller, message_id(&id)?).await?;
    Ok(HttpResponse::Ok().json(DeliveryItem::from(&delivery)))
}

/// Try a failed delivery again
///
/// A change in the directory, and an event for a webhook, go back into the queue. A message's secret was wiped when it was given up, so its invitation is resent, with a
/// new secret and under the rules of a resend; the answer is the new delivery. Needs the scope `deliveries:write`.
#[utoipa::path(
    tag = "deliveries",
    params(("id" = String, Path, description = "The delivery's id"), IdempotencyKey),
    security(("accessToken" = ["deliveries:write"])),
    responses(
        (status = 200, description = "The delivery that is under way now.", body = DeliveryItem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such delivery.", body = Problem),
        (status = 409, description = "`delivery_not_retriable`, or what a resend refuses.", body = Problem),
        (status = 422, description = "A rule refuses the resend.", body = Problem),
        (status = 429, description = "`resend_too_soon` or `resend_limit`.", body = Problem),
        (status = 503, description = "`directory_unavailable`: nothing was done.", body = Problem),
    )
)]
#[post("/v1/deliveries/{id}/retry")]
pub(super) async fn retry_delivery(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<DeliveriesWrite>,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = message_id(&id)?;
    once(&request, &state.service, authorized.caller, retried, move |service, caller, alongside| async move {
        service.retry_delivery(&caller, id, alongside).await
    })
    .await
}

fn retried(delivery: &Seen<Delivery>) -> Answer {
    Answer::ok(&DeliveryItem::from(delivery))
}
