//! `/v1/templates`: the tenant's own words for messages.

mod view;

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, HeaderMap, IF_MATCH, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, delete, get, post, put, web};

use super::State;
use super::auth::{Authorized, SettingsRead, SettingsWrite};
use super::extract::Body;
use super::problem::Problem;
use crate::domain::locale::Locale;
use crate::domain::message::Kind;
use crate::service::templates::{EffectiveTemplate, Expected, TemplateName};
use crate::service::{Refusal, ServiceError};
use view::{PreviewRequest, PreviewView, TemplateBody, TemplateListView, TemplateView};

/// Largest body with a template: its parts at their limits, written with escapes.
const BODY_MAX: usize = 256 * 1024;

fn named(path: &(String, String)) -> Result<TemplateName, Problem> {
    let kind = Kind::parse(&path.0).filter(|kind| kind.channel().is_to_people());
    let kind = kind.ok_or_else(|| Problem::from(ServiceError::Refused(Refusal::TemplateNotFound)))?;
    let locale = Locale::parse(&path.1).ok_or_else(|| {
        let detail = "must be a language tag such as `en` or `de-CH`";
        Problem::field(StatusCode::BAD_REQUEST, "locale", "invalid_locale", detail)
    })?;
    Ok(TemplateName { kind, locale })
}

/// What `If-Match` and `If-None-Match` say of the tenant's own template; a tag that was never given out matches nothing.
fn expected(headers: &HeaderMap) -> Expected {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim());
    match (text(IF_MATCH), text(IF_NONE_MATCH)) {
        (Some("*"), _) => Expected::Something,
        (Some("\"0\""), _) | (None, Some("*")) => Expected::Nothing,
        (Some(tag), _) => Expected::Version(tag.trim_matches('"').parse().unwrap_or(-1)),
        (None, _) => Expected::Anything,
    }
}

fn answer(found: EffectiveTemplate) -> HttpResponse {
    let version = found.own.map_or(0, |(version, _)| version);
    HttpResponse::Ok().insert_header((ETAG, format!("\"{version}\""))).json(TemplateView::from(found))
}

/// List the tenant's templates
///
/// With the kinds of messages, what each may say, and the locales that are built in. Needs the scope `settings:read`.
#[utoipa::path(
    tag = "templates",
    security(("accessToken" = ["settings:read"])),
    responses(
        (status = 200, description = "What the tenant has of its own, and what is built in.", body = TemplateListView),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
    )
)]
#[get("/v1/templates")]
pub(super) async fn list_templates(
    state: web::Data<State>,
    authorized: Authorized<SettingsRead>,
) -> Result<HttpResponse, Problem> {
    let entries = state.service.list_templates(&authorized.caller).await?;
    Ok(HttpResponse::Ok().json(TemplateListView::from(entries)))
}

/// Read the template that takes effect
///
/// The tenant's own of the locale, of its parents, of the tenant's locale; else the built-in one, in the same order; else the
/// built-in English one. `ETag` is for `If-Match` of a change, `"0"` when the tenant has none of exactly this locale. Needs
/// the scope `settings:read`.
#[utoipa::path(
    tag = "templates",
    params(("kind" = String, Path, description = "Kind of message"), ("locale" = String, Path, description = "Language tag")),
    security(("accessToken" = ["settings:read"])),
    responses(
        (status = 200, description = "The template.", body = TemplateView,
         headers(("ETag" = String, description = "For `If-Match`"))),
        (status = 400, description = "The locale is not a language tag.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such kind of message.", body = Problem),
    )
)]
#[get("/v1/templates/{kind}/{locale}")]
pub(super) async fn get_template(
    state: web::Data<State>,
    authorized: Authorized<SettingsRead>,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let name = named(&path)?;
    Ok(answer(state.service.get_template(&authorized.caller, name).await?))
}

/// Replace a template
///
/// It is used for messages sent from then on. Refused with a pointer when it does not compile, names an unknown variable,
/// lacks its secret, is too large, or has HTML that loads, runs or leads elsewhere. Needs the scope `settings:write`.
#[utoipa::path(
    tag = "templates",
    params(
        ("kind" = String, Path, description = "Kind of message"),
        ("locale" = String, Path, description = "Language tag"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the change is meant for"),
    ),
    security(("accessToken" = ["settings:write"])),
    request_body = TemplateBody,
    responses(
        (status = 200, description = "The template, as it takes effect.", body = TemplateView,
         headers(("ETag" = String, description = "For `If-Match`"))),
        (status = 400, description = "The body or the locale can't be read.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such kind of message.", body = Problem),
        (status = 412, description = "It is not what `If-Match` says any more.", body = Problem),
        (status = 413, description = "The body is too large.", body = Problem),
        (status = 422, description = "The template breaks a rule; see `errors`.", body = Problem),
    )
)]
#[put("/v1/templates/{kind}/{locale}")]
pub(super) async fn put_template(
    state: web::Data<State>,
    authorized: Authorized<SettingsWrite>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    body: Body<TemplateBody, BODY_MAX>,
) -> Result<HttpResponse, Problem> {
    let name = named(&path)?;
    let (caller, expected) = (&authorized.caller, expected(request.headers()));
    Ok(answer(state.service.put_template(caller, name, body.0.into(), expected).await?))
}

/// Remove a template
///
/// What takes effect then is the next one in line, in the end the built-in one. Needs the scope `settings:write`.
#[utoipa::path(
    tag = "templates",
    params(
        ("kind" = String, Path, description = "Kind of message"),
        ("locale" = String, Path, description = "Language tag"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` that the removal is meant for"),
    ),
    security(("accessToken" = ["settings:write"])),
    responses(
        (status = 204, description = "The tenant has no template of its own there any more."),
        (status = 400, description = "The locale is not a language tag.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "The tenant has no template of its own there.", body = Problem),
        (status = 412, description = "It is not what `If-Match` says any more.", body = Problem),
    )
)]
#[delete("/v1/templates/{kind}/{locale}")]
pub(super) async fn delete_template(
    state: web::Data<State>,
    authorized: Authorized<SettingsWrite>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let name = named(&path)?;
    state.service.delete_template(&authorized.caller, name, expected(request.headers())).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Try a template out
///
/// Renders the draft in the body, or the template that takes effect, with sample values. Nothing is stored or sent, and the
/// secret is made up. Needs the scope `settings:read`.
#[utoipa::path(
    tag = "templates",
    params(("kind" = String, Path, description = "Kind of message"), ("locale" = String, Path, description = "Language tag")),
    security(("accessToken" = ["settings:read"])),
    request_body = PreviewRequest,
    responses(
        (status = 200, description = "What the message would say; for an SMS, how it is counted.", body = PreviewView),
        (status = 400, description = "The body or the locale can't be read.", body = Problem),
        (status = 401, description = "No valid access token.", body = Problem),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Problem),
        (status = 404, description = "There is no such kind of message.", body = Problem),
        (status = 413, description = "The body is too large.", body = Problem),
        (status = 422, description = "The draft breaks a rule; see `errors`.", body = Problem),
    )
)]
#[post("/v1/templates/{kind}/{locale}/preview")]
pub(super) async fn preview_template(
    state: web::Data<State>,
    authorized: Authorized<SettingsRead>,
    path: web::Path<(String, String)>,
    body: Body<PreviewRequest, BODY_MAX>,
) -> Result<HttpResponse, Problem> {
    let name = named(&path)?;
    let (draft, values) = body.0.parts()?;
    let rendered = state.service.preview_template(&authorized.caller, name, draft, values).await?;
    Ok(HttpResponse::Ok().json(PreviewView::from(rendered)))
}
