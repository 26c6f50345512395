//! Taking back what the tenant said of properties.

use actix_web::{HttpRequest, HttpResponse, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::property::{Property, reverted};
use super::{connector_of, fault};
use crate::http::State;
use crate::http::auth::{Authorized, GovernanceWrite};
use crate::http::extract::Body;
use crate::http::wso2::Fault;

/// Which properties.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"properties": ["EmailVerification.LockOnCreation", "EmailVerification.AskPassword.ExpiryTime"]}))]
pub(in crate::http) struct PropertiesRevert {
    /// Names; at least one.
    #[serde(default)]
    #[schema(required, min_items = 1)]
    properties: Vec<String>,
}

/// Revert properties of a connector
///
/// They are what the operator's settings say again. A method that is spread over several properties goes back as a whole, unless the
/// named ones would be the same either way. Needs the scope `settings:write` or `internal_idp_update`.
#[utoipa::path(
    tag = "wso2",
    params(
        ("category_id" = String, Path, description = "The category's name in base64url without padding"),
        ("connectorId" = String, Query, description = "The connector's name in base64url without padding"),
    ),
    request_body = PropertiesRevert,
    security(("accessToken" = ["settings:write"]), ("accessToken" = ["internal_idp_update"])),
    responses(
        (status = 200, description = "The properties are back."),
        (status = 400, description = "IDG-50016, IDG-50017: no properties, or one that is not there; IDG-50013: the settings can't be like \
                                      that; or the body can't be used.", body = Fault),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 404, description = "IDG-50009: no such connector in the category.", body = Fault),
    )
)]
#[post("/api/server/v1/identity-governance/{category_id}/connectors/revert")]
pub(super) async fn revert_governance_properties(
    state: web::Data<State>,
    authorized: Authorized<GovernanceWrite>,
    path: web::Path<String>,
    request: HttpRequest,
    body: Body<PropertiesRevert>,
) -> Result<HttpResponse, Fault> {
    let mut parameters = url::form_urlencoded::parse(request.query_string().as_bytes());
    let connector_id = parameters.find(|(name, _)| name == "connectorId").map(|(_, value)| value.into_owned());
    let connector = connector_of(&path, &connector_id.unwrap_or_default())?;
    let names = body.0.properties;
    if names.is_empty() {
        return Err(fault::nothing_to_revert());
    }
    let property = |name: &String| {
        let found = connector.property(name, state.wso2_version);
        found.ok_or_else(|| fault::no_property(name, connector.friendly_name))
    };
    let properties: Vec<&'static Property> = names.iter().map(property).collect::<Result<_, _>>()?;
    let to_revert = properties.clone();
    let changed =
        state.service.change_settings_by(&authorized.caller, move |standing| Ok(reverted(&to_revert, standing))).await;
    changed.map_err(|error| fault::REVERTING.failed(error, &properties))?;
    Ok(HttpResponse::Ok().finish())
}
