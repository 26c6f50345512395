//! `/v1/audit-events`: who did what and when, as pages or as a stream of lines.

use actix_web::http::header::ACCEPT;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, get, web};
use futures_util::Stream;
use futures_util::stream::try_unfold;
use serde::Serialize;
use utoipa::ToSchema;

use super::State;
use super::auth::{AuditRead, Authorized};
use super::page::{ListQuery, PageLinks};
use super::problem::Problem;
use crate::domain::ids::{AccountId, AccountKey, InvitationId};
use crate::domain::page::{Edge, Order, Slice};
use crate::domain::text::one_line;
use crate::domain::time::Timestamp;
use crate::service::Caller;
use crate::service::lists::{About, AuditEntry, AuditFilter};

const NDJSON: &str = "application/x-ndjson";
/// How many events are read at once for an export.
const EXPORT_PAGE: usize = 500;

/// One thing that happened. No secrets, no addresses, no user names.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "aud_0198c0de7c5a7d0c9c0f3b1f6f6b2a13", "at": "2026-11-24T10:00:00.000Z", "event": "invitation.issued", "actor": "hr-portal",
    "requestId": "4bf92f3577b34da6a3ce929d0e0e4736", "invitationId": "inv_0198c0de7c5a7d0c9c0f3b1f6f6b2a11",
    "accountId": "acc_0198c0de7c5a7d0c9c0f3b1f6f6b2a10", "detail": "email_link"
}))]
pub(super) struct AuditEventView {
    id: String,
    at: String,
    /// Such as `invitation.issued`, `message.sent` or `account.locked`.
    event: String,
    /// Subject of the token; `person` for the invited one, `system` for the service itself.
    actor: String,
    /// `X-Request-Id` of the call.
    request_id: Option<String>,
    invitation_id: Option<String>,
    account_id: Option<String>,
    /// A short fact such as an error's code or a method.
    detail: String,
}

/// Events, in the order asked for.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditPage {
    items: Vec<AuditEventView>,
    page: PageLinks,
}

impl From<AuditEntry> for AuditEventView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: Timestamp::from_millis(entry.at).to_rfc3339(),
            event: entry.event,
            actor: entry.actor,
            request_id: entry.request_id,
            invitation_id: entry.invitation_id,
            account_id: entry.account_id,
            detail: entry.detail,
        }
    }
}

/// List or export what happened
///
/// Newest first, unless `order=asc`. With `Accept: application/x-ndjson`, or `format=ndjson`, everything that the filter finds is streamed,
/// oldest first, one event a line. Needs the scope `audit:read`.
#[utoipa::path(
    tag = "audit",
    params(
        ("from" = Option<String>, Query, description = "At this time or later (RFC 3339)"),
        ("to" = Option<String>, Query, description = "Before this time (RFC 3339)"),
        ("actor" = Option<String>, Query, description = "By this one: a token's subject, `person` or `system`"),
        ("event" = Option<String>, Query, description = "Of this name", example = "invitation.issued"),
        ("invitationId" = Option<String>, Query, description = "About this invitation"),
        ("accountId" = Option<String>, Query, description = "About this account"),
        ("username" = Option<String>, Query, description = "About the account of this name"),
        ("realm" = Option<String>, Query, description = "The user store of `username`; `PRIMARY` when absent"),
        ("format" = Option<String>, Query, description = "`json` or `ndjson`"),
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 when absent; not for an export"),
        ("order" = Option<String>, Query, description = "`asc` or `desc`; not for an export"),
        ("after" = Option<String>, Query, description = "A cursor: the page after it; not for an export"),
        ("before" = Option<String>, Query, description = "A cursor: the page before it; not for an export"),
    ),
    security(("accessToken" = ["audit:read"])),
    responses(
        (status = 200, description = "A page, or the stream.", content(
            (AuditPage = "application/json"), (AuditEventView = "application/x-ndjson"),
        )),
        (status = 400, description = "A parameter can't be used, or `invalid_cursor`.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
    )
)]
#[get("/v1/audit-events")]
pub(super) async fn list_audit_events(
    request: HttpRequest,
    state: web::Data<State>,
    authorized: Authorized<AuditRead>,
    mut query: ListQuery,
) -> Result<HttpResponse, Problem> {
    let format = |text: &str| ["json", "ndjson"].contains(&text).then(|| text == "ndjson");
    let is_export = query.one("format", format, "json or ndjson")?.unwrap_or_else(|| accepts_lines(&request));
    let (filter, person) = filter(&mut query)?;
    let caller = authorized.caller;
    if is_export {
        query.done()?;
        let filter = state.service.about_person(&caller, filter, person).await?;
        let lines = lines(web::Data::clone(&state), caller, filter);
        return Ok(HttpResponse::Ok().content_type(NDJSON).streaming(lines));
    }
    let part = query.part(&state.service, &caller.tenant, "audit-events")?;
    let filter = state.service.about_person(&caller, filter, person).await?;
    let found = state.service.list_audit_events(&caller, filter, part.slice()).await?;
    let page = part.links(&found);
    Ok(HttpResponse::Ok().json(AuditPage { page, items: found.map(AuditEventView::from).items }))
}

fn accepts_lines(request: &HttpRequest) -> bool {
    let accepted = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split([',', ';']).any(|kind| kind.trim().eq_ignore_ascii_case(NDJSON))
}

fn filter(query: &mut ListQuery) -> Result<(AuditFilter, Option<AccountKey>), Problem> {
    let line = |text: &str| one_line(text, 255).is_ok().then(|| text.to_owned());
    let filter = AuditFilter {
        from: query.time("from")?,
        to: query.time("to")?,
        actor: query.one("actor", line, "a subject")?,
        event: query.one("event", line, "the name of an event")?,
        invitation: query.one("invitationId", InvitationId::parse, "the id of an invitation")?,
        about: query
            .one("accountId", AccountId::parse, "the id of an account")?
            .map_or(About::Anything, About::Account),
    };
    match query.person()? {
        (None, _) => Ok((filter, None)),
        (Some(realm), Some(username)) => Ok((filter, Some(AccountKey::new(&realm, &username)))),
        (Some(_), None) => Err(super::page::refuse("username", "missing", "is needed with realm")),
    }
}

/// The events as lines, read page by page: neither memory nor a connection is held while the client reads.
fn lines(
    state: web::Data<State>,
    caller: Caller,
    filter: AuditFilter,
) -> impl Stream<Item = Result<Bytes, actix_web::Error>> + 'static {
    try_unfold(Some(Edge::Start), move |edge| {
        let (state, caller, filter) = (web::Data::clone(&state), caller.clone(), filter.clone());
        async move {
            let Some(edge) = edge else { return Ok(None) };
            let slice = Slice { limit: EXPORT_PAGE, order: Order::Ascending, edge };
            let page = state.service.list_audit_events(&caller, filter, slice).await.map_err(Problem::from)?;
            let next = page.after.clone().map(Edge::After);
            let mut text = String::new();
            for event in page.map(AuditEventView::from).items {
                text.push_str(&serde_json::to_string(&event).unwrap_or_default());
                text.push('\n');
            }
            Ok(Some((Bytes::from(text), next)))
        }
    })
}
