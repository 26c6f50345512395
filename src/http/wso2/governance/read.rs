//! Reading categories and connectors.

use actix_web::{HttpRequest, get, web};

use super::property::Tree;
use super::view::{CategoryLink, CategoryView, ConnectorView, categories, views};
use super::{connector_of, connectors_of, fault};
use crate::http::State;
use crate::http::auth::{Authorized, GovernanceRead};
use crate::http::wso2::Fault;

/// List the categories of connectors
///
/// The two that have to do with setting passwords. Pages, filters and orders are answered with 501, as WSO2 does. Needs the scope
/// `settings:read` or `internal_idp_view`.
#[utoipa::path(
    path = "/api/server/v1/identity-governance",
    tag = "wso2",
    params(
        ("limit" = Option<String>, Query, description = "Not supported: 501"),
        ("offset" = Option<String>, Query, description = "Not supported: 501"),
        ("filter" = Option<String>, Query, description = "Not supported: 501"),
        ("sort" = Option<String>, Query, description = "Not supported: 501"),
    ),
    security(("accessToken" = ["settings:read"]), ("accessToken" = ["internal_idp_view"])),
    responses(
        (status = 200, description = "The categories.", body = [CategoryLink]),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 501, description = "IDG-50005, IDG-50006, IDG-50007: there are no pages, filters or orders.", body = Fault),
    )
)]
#[get("/api/server/v1/identity-governance{_:/?}")]
pub(super) async fn list_governance_categories(
    authorized: Authorized<GovernanceRead>,
    request: HttpRequest,
) -> Result<web::Json<Vec<CategoryLink>>, Fault> {
    let asked: Vec<_> = url::form_urlencoded::parse(request.query_string().as_bytes()).map(|(name, _)| name).collect();
    let unsupported =
        ["limit", "offset", "filter", "sort"].into_iter().find(|name| asked.iter().any(|asked| asked == name));
    match unsupported.and_then(fault::not_supported) {
        Some(fault) => Err(fault),
        None => Ok(web::Json(categories(&authorized.caller.tenant))),
    }
}

/// Read a category
///
/// Its connectors with their properties. Needs the scope `settings:read` or `internal_idp_view`.
#[utoipa::path(
    tag = "wso2",
    params(("category_id" = String, Path, description = "The category's name in base64url without padding")),
    security(("accessToken" = ["settings:read"]), ("accessToken" = ["internal_idp_view"])),
    responses(
        (status = 200, description = "The category.", body = CategoryView),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 404, description = "IDG-50008: no such category.", body = Fault),
    )
)]
#[get("/api/server/v1/identity-governance/{category_id}")]
pub(super) async fn get_governance_category(
    state: web::Data<State>,
    authorized: Authorized<GovernanceRead>,
    path: web::Path<String>,
) -> Result<web::Json<CategoryView>, Fault> {
    let connectors = connectors_of(&path)?;
    let snapshot = state.service.get_settings(&authorized.caller).await;
    let snapshot = snapshot.map_err(|error| fault::READING_CATEGORY.failed(error, &[]))?;
    Ok(web::Json(CategoryView::of(&connectors, &Tree::of(&snapshot.settings), state.wso2_version)))
}

/// List the connectors of a category
///
/// With their properties. Needs the scope `settings:read` or `internal_idp_view`.
#[utoipa::path(
    tag = "wso2",
    params(("category_id" = String, Path, description = "The category's name in base64url without padding")),
    security(("accessToken" = ["settings:read"]), ("accessToken" = ["internal_idp_view"])),
    responses(
        (status = 200, description = "The connectors.", body = [ConnectorView]),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 404, description = "IDG-50008: no such category.", body = Fault),
    )
)]
#[get("/api/server/v1/identity-governance/{category_id}/connectors")]
pub(super) async fn list_governance_connectors(
    state: web::Data<State>,
    authorized: Authorized<GovernanceRead>,
    path: web::Path<String>,
) -> Result<web::Json<Vec<ConnectorView>>, Fault> {
    let connectors = connectors_of(&path)?;
    let snapshot = state.service.get_settings(&authorized.caller).await;
    let snapshot = snapshot.map_err(|error| fault::READING_CATEGORY.failed(error, &[]))?;
    Ok(web::Json(views(&connectors, &Tree::of(&snapshot.settings), state.wso2_version)))
}

/// Read a connector
///
/// Its properties are views of the settings of `/v1/settings`; all values are texts. Which properties there are depends on the version of
/// WSO2 Identity Server that the operator names (`compat.wso2_version`). Needs the scope `settings:read` or `internal_idp_view`.
#[utoipa::path(
    tag = "wso2",
    params(
        ("category_id" = String, Path, description = "The category's name in base64url without padding"),
        ("connector_id" = String, Path, description = "The connector's name in base64url without padding"),
    ),
    security(("accessToken" = ["settings:read"]), ("accessToken" = ["internal_idp_view"])),
    responses(
        (status = 200, description = "The connector.", body = ConnectorView),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 404, description = "IDG-50009: no such connector in the category.", body = Fault),
    )
)]
#[get("/api/server/v1/identity-governance/{category_id}/connectors/{connector_id}")]
pub(super) async fn get_governance_connector(
    state: web::Data<State>,
    authorized: Authorized<GovernanceRead>,
    path: web::Path<(String, String)>,
) -> Result<web::Json<ConnectorView>, Fault> {
    let connector = connector_of(&path.0, &path.1)?;
    let snapshot = state.service.get_settings(&authorized.caller).await;
    let snapshot = snapshot.map_err(|error| fault::READING_CONNECTOR.failed(error, &[]))?;
    Ok(web::Json(ConnectorView::of(connector, &Tree::of(&snapshot.settings), state.wso2_version)))
}
