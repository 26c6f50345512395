//! `/v1/settings`: what holds for the tenant, where each value comes from, and changing it.

mod condition;
mod patch;
mod view;

use actix_web::{HttpRequest, HttpResponse, delete, get, patch, web};

use self::condition::{etag, if_match, is_known};
use self::patch::SettingsPatch;
use self::view::SettingsView;
use super::State;
use super::auth::{Authorized, SettingsRead, SettingsWrite};
use super::problem::Problem;
use crate::service::settings::SettingsSnapshot;

/// Read the settings
///
/// What holds for the tenant: its own settings over the operator's over the built-in ones. Needs the scope `settings:read`.
#[utoipa::path(
    tag = "settings",
    params(("If-None-Match" = Option<String>, Header, description = "An `ETag` that is known: 304 if it still holds")),
    security(("accessToken" = ["settings:read"])),
    responses(
        (status = 200, description = "The settings.", body = SettingsView,
         headers(("ETag" = String, description = "For `If-Match` and `If-None-Match`"))),
        (status = 304, description = "They are those that the caller knows."),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
    )
)]
#[get("/v1/settings")]
pub(super) async fn get_settings(
    state: web::Data<State>,
    authorized: Authorized<SettingsRead>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let snapshot = state.service.get_settings(&authorized.caller).await?;
    if is_known(&request, &snapshot.tag) {
        return Ok(HttpResponse::NotModified().insert_header(etag(&snapshot.tag)).finish());
    }
    Ok(answer(snapshot))
}

/// Change the settings
///
/// A JSON merge patch (RFC 7396) of what the tenant overrides: `null` goes back to the layer below, a list replaces a list.
/// All of it is done or, when any value or combination is impossible, nothing; every problem is named. Invitations that
/// exist already keep the terms they were issued under. Needs the scope `settings:write`.
#[utoipa::path(
    tag = "settings",
    params(("If-Match" = Option<String>, Header, description = "Change only if the settings still have this `ETag`")),
    request_body(content(
        (SettingsPatch = "application/merge-patch+json"),
        (SettingsPatch = "application/json"),
    )),
    security(("accessToken" = ["settings:write"])),
    responses(
        (status = 200, description = "The settings after the change.", body = SettingsView,
         headers(("ETag" = String, description = "For `If-Match` and `If-None-Match`"))),
        (status = 400, description = "Not a JSON object.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 412, description = "The settings have been changed since.", body = Problem),
        (status = 413, description = "The body is too large.", body = Problem),
        (status = 415, description = "The body is of another media type.", body = Problem),
        (status = 422, description = "The settings can't be like that: `invalid_settings`, see `errors`.", body = Problem),
    )
)]
#[patch("/v1/settings")]
pub(super) async fn change_settings(
    state: web::Data<State>,
    authorized: Authorized<SettingsWrite>,
    request: HttpRequest,
    patch: SettingsPatch,
) -> Result<HttpResponse, Problem> {
    let changed = state.service.change_settings(&authorized.caller, patch.0, if_match(&request)?).await?;
    Ok(answer(changed))
}

/// Reset the settings
///
/// Takes all that the tenant overrides away, so that the operator's settings hold. Needs the scope `settings:write`.
#[utoipa::path(
    tag = "settings",
    params(("If-Match" = Option<String>, Header, description = "Reset only if the settings still have this `ETag`")),
    security(("accessToken" = ["settings:write"])),
    responses(
        (status = 200, description = "The settings that hold now.", body = SettingsView,
         headers(("ETag" = String, description = "For `If-Match` and `If-None-Match`"))),
        (status = 400, description = "`If-Match` can't be read.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 412, description = "The settings have been changed since.", body = Problem),
    )
)]
#[delete("/v1/settings")]
pub(super) async fn reset_settings(
    state: web::Data<State>,
    authorized: Authorized<SettingsWrite>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let reset = state.service.reset_settings(&authorized.caller, if_match(&request)?).await?;
    Ok(answer(reset))
}

fn answer(snapshot: SettingsSnapshot) -> HttpResponse {
    let tag = etag(&snapshot.tag);
    HttpResponse::Ok().insert_header(tag).json(SettingsView::from(snapshot))
}
