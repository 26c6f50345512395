//! `GET /v1/invitations/{id}/timeline`

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::page::Order;
use crate::domain::time::Timestamp;
use crate::http::State;
use crate::http::auth::{Authorized, InvitationsRead};
use crate::http::extract::invitation_id;
use crate::http::page::{ListQuery, PageLinks};
use crate::http::problem::Problem;
use crate::service::lists::AuditEntry;

/// One thing that happened to the invitation.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"at": "2026-11-24T10:00:00.000Z", "event": "invitation.issued", "actor": "hr-portal", "detail": "email_link"}))]
pub(crate) struct TimelineEntry {
    at: String,
    /// Such as `invitation.issued`, `message.sent`, `message.bounced` or `invitation.redeem_failed`; `receipt.delivered` and `receipt.bounced` are of
    /// reminders and earlier messages.
    event: String,
    /// Subject of a token; `person` for the invited one, `system` for the service itself, `gateway:sendgrid` and the like for what a gateway reports.
    actor: String,
    /// A short fact such as an error's code or a method.
    detail: String,
}

/// What happened, in the order asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct TimelinePage {
    items: Vec<TimelineEntry>,
    page: PageLinks,
}

impl From<AuditEntry> for TimelineEntry {
    fn from(entry: AuditEntry) -> Self {
        Self {
            at: Timestamp::from_millis(entry.at).to_rfc3339(),
            event: entry.event,
            actor: entry.actor,
            detail: entry.detail,
        }
    }
}

/// Read what happened to an invitation
///
/// Every transition, every attempt to deliver, what the gateway reports, every try to redeem, and what was done to the account's lock for it. Oldest first, unless
/// `order=desc`. Needs the scope `invitations:read`.
#[utoipa::path(
    tag = "invitations",
    params(
        ("id" = String, Path, description = "The invitation's id"),
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 when absent", minimum = 1, maximum = 100),
        ("order" = Option<String>, Query, description = "`asc` or `desc`"),
        ("after" = Option<String>, Query, description = "A cursor: the page after it"),
        ("before" = Option<String>, Query, description = "A cursor: the page before it"),
    ),
    security(("accessToken" = ["invitations:read"])),
    responses(
        (status = 200, description = "A page.", body = TimelinePage),
        (status = 400, description = "A parameter can't be used, or `invalid_cursor`.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such invitation.", body = Problem),
    )
)]
#[get("/v1/invitations/{id}/timeline")]
pub(crate) async fn get_timeline(
    state: web::Data<State>,
    authorized: Authorized<InvitationsRead>,
    id: web::Path<String>,
    query: ListQuery,
) -> Result<HttpResponse, Problem> {
    let id = invitation_id(&id)?;
    let list = format!("timeline of {id}");
    let part = query.ordered(Order::Ascending).part(&state.service, &authorized.caller.tenant, list)?;
    let found = state.service.get_timeline(&authorized.caller, id, part.slice()).await?;
    let page = part.links(&found);
    Ok(HttpResponse::Ok().json(TimelinePage { page, items: found.map(TimelineEntry::from).items }))
}
