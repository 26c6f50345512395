//! `GET /v1/invitations`

use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::view::InvitationView;
use crate::domain::ids::AccountKey;
use crate::domain::invitation::{Method, Purpose, Status};
use crate::domain::message::DeliveryStatus;
use crate::http::State;
use crate::http::auth::{Authorized, InvitationsRead};
use crate::http::page::{ListQuery, PageLinks};
use crate::http::problem::Problem;
use crate::service::lists::InvitationFilter;

/// Invitations, in the order asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct InvitationPage {
    items: Vec<InvitationView>,
    page: PageLinks,
}

/// List invitations
///
/// Newest first, unless `order=asc`. With `expiresBefore` they are ordered by their expiry instead, and those that never expire are left
/// out. Statuses are those that hold at the moment. Needs the scope `invitations:read`.
#[utoipa::path(
    tag = "invitations",
    params(
        ("status" = Option<String>, Query, description = "Any of `provisioning`, `pending`, `accepting`, `accepted`, `expired`, `revoked`, `failed`: repeated, or separated by commas", example = "pending,expired"),
        ("method" = Option<String>, Query, description = "`email_link`, `email_otp` or `sms_otp`"),
        ("purpose" = Option<String>, Query, description = "`onboarding` or `password_reset`"),
        ("username" = Option<String>, Query, description = "Of this account"),
        ("realm" = Option<String>, Query, description = "Of this user store; `PRIMARY` when only `username` is there"),
        ("deliveryStatus" = Option<String>, Query, description = "Any of `skipped`, `scheduled`, `queued`, `sending`, `sent`, `delivered`, `bounced`, `failed`: repeated, or separated by commas", example = "failed,bounced"),
        ("createdAfter" = Option<String>, Query, description = "Created later than this (RFC 3339)"),
        ("createdBefore" = Option<String>, Query, description = "Created earlier than this (RFC 3339)"),
        ("expiresBefore" = Option<String>, Query, description = "Expires, or has expired, earlier than this (RFC 3339)"),
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 when absent", minimum = 1, maximum = 100),
        ("order" = Option<String>, Query, description = "`asc` or `desc`"),
        ("after" = Option<String>, Query, description = "A cursor: the page after it"),
        ("before" = Option<String>, Query, description = "A cursor: the page before it"),
    ),
    security(("accessToken" = ["invitations:read"])),
    responses(
        (status = 200, description = "A page.", body = InvitationPage),
        (status = 400, description = "A parameter can't be used, or `invalid_cursor`.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
    )
)]
#[get("/v1/invitations")]
pub(crate) async fn list_invitations(
    state: web::Data<State>,
    authorized: Authorized<InvitationsRead>,
    mut query: ListQuery,
) -> Result<HttpResponse, Problem> {
    let filter = filter(&mut query)?;
    let part = query.part(&state.service, &authorized.caller.tenant, "invitations")?;
    let found = state.service.list_invitations(&authorized.caller, filter, part.slice()).await?;
    let page = part.links(&found);
    Ok(HttpResponse::Ok().json(InvitationPage { page, items: found.map(InvitationView::from).items }))
}

fn filter(query: &mut ListQuery) -> Result<InvitationFilter, Problem> {
    let (realm, username) = query.person()?;
    Ok(InvitationFilter {
        statuses: query.many("status", Status::parse, "the statuses of invitations")?,
        method: query.one("method", Method::parse, "email_link, email_otp or sms_otp")?,
        purpose: query.one("purpose", Purpose::parse, "onboarding or password_reset")?,
        account: realm.as_ref().zip(username.as_ref()).map(|(realm, username)| AccountKey::new(realm, username)),
        realm,
        delivery: query.many("deliveryStatus", DeliveryStatus::parse, "the statuses of deliveries")?,
        created_after: query.time("createdAfter")?,
        created_before: query.time("createdBefore")?,
        expires_before: query.time("expiresBefore")?,
    })
}
