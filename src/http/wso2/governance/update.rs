//! Changing properties, of one connector or of several at once.

use actix_web::{HttpResponse, patch, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::connector::Connector;
use super::property::{Wanted, patch};
use super::{connector_of, connectors_of, fault};
use crate::domain::wso2::Wso2Version;
use crate::http::State;
use crate::http::auth::{Authorized, GovernanceWrite};
use crate::http::extract::{Body, objects};
use crate::http::wso2::Fault;
use crate::service::Caller;

/// Properties of one connector.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "operation": "UPDATE", "properties": [
        {"name": "EmailVerification.AskPassword.EmailOTP", "value": "true"},
        {"name": "EmailVerification.LockOnCreation", "value": false}
    ]
}))]
pub(in crate::http) struct ConnectorUpdate {
    #[expect(dead_code, reason = "there is only one")]
    #[schema(inline)]
    operation: Operation,
    #[serde(deserialize_with = "objects")]
    #[schema(inline)]
    properties: Vec<PropertyUpdate>,
}

/// Properties of several connectors.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({
    "operation": "UPDATE", "connectors": [{
        "id": "YWRtaW4tZm9yY2VkLXBhc3N3b3JkLXJlc2V0",
        "properties": [
            {"name": "Recovery.AdminPasswordReset.RecoveryLink", "value": "false"},
            {"name": "Recovery.AdminPasswordReset.OTP", "value": "true"},
            {"name": "Recovery.AdminPasswordReset.ExpiryTime", "value": "60"}
        ]
    }]
}))]
pub(in crate::http) struct ConnectorsUpdate {
    #[expect(dead_code, reason = "there is only one")]
    #[schema(inline)]
    operation: Operation,
    #[serde(deserialize_with = "objects")]
    #[schema(inline)]
    connectors: Vec<NamedUpdate>,
}

/// Properties of the connector with this id.
#[derive(Deserialize, ToSchema)]
struct NamedUpdate {
    id: String,
    #[serde(deserialize_with = "objects")]
    #[schema(inline)]
    properties: Vec<PropertyUpdate>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Operation {
    Update,
}

/// A property and what it is to be.
#[derive(Deserialize, ToSchema)]
struct PropertyUpdate {
    name: String,
    #[schema(inline)]
    value: AnyText,
}

/// A text, or what is as good as its text.
#[derive(Deserialize, ToSchema)]
#[serde(untagged, expecting = "invalid type, expected a text, true, false or a whole number")]
enum AnyText {
    Text(String),
    Switch(bool),
    Whole(i64),
}

/// Change properties of a connector
///
/// All of it is done or, when any value or combination is impossible, nothing: 400 with the code IDG-50013 and the reason. Values may be
/// texts, or `true`, `false` and whole numbers as JSON has them. Needs the scope `settings:write` or `internal_idp_update`.
#[utoipa::path(
    tag = "wso2",
    params(
        ("category_id" = String, Path, description = "The category's name in base64url without padding"),
        ("connector_id" = String, Path, description = "The connector's name in base64url without padding"),
    ),
    request_body = ConnectorUpdate,
    security(("accessToken" = ["settings:write"]), ("accessToken" = ["internal_idp_update"])),
    responses(
        (status = 200, description = "The properties are so."),
        (status = 400, description = "IDG-50013: the settings can't be like that; or the body can't be used.", body = Fault),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 404, description = "IDG-50009: no such connector in the category.", body = Fault),
    )
)]
#[patch("/api/server/v1/identity-governance/{category_id}/connectors/{connector_id}")]
pub(super) async fn update_governance_connector(
    state: web::Data<State>,
    authorized: Authorized<GovernanceWrite>,
    path: web::Path<(String, String)>,
    body: Body<ConnectorUpdate>,
) -> Result<HttpResponse, Fault> {
    let connector = connector_of(&path.0, &path.1)?;
    let wanted = Update::default().with(connector, &body.0.properties, state.wso2_version)?;
    wanted.apply(&state, &authorized.caller).await
}

/// Change properties of several connectors
///
/// As of one, all in one step. Where WSO2 answers an impossible value with 500, this is 400 with the code IDG-50013 as well. Needs the
/// scope `settings:write` or `internal_idp_update`.
#[utoipa::path(
    tag = "wso2",
    params(("category_id" = String, Path, description = "The category's name in base64url without padding")),
    request_body = ConnectorsUpdate,
    security(("accessToken" = ["settings:write"]), ("accessToken" = ["internal_idp_update"])),
    responses(
        (status = 200, description = "The properties are so."),
        (status = 400, description = "IDG-50013: the settings can't be like that; or the body can't be used.", body = Fault),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
        (status = 404, description = "IDG-50008, IDG-50009: no such category, or no such connector in it.", body = Fault),
    )
)]
#[patch("/api/server/v1/identity-governance/{category_id}/connectors")]
pub(super) async fn update_governance_connectors(
    state: web::Data<State>,
    authorized: Authorized<GovernanceWrite>,
    path: web::Path<String>,
    body: Body<ConnectorsUpdate>,
) -> Result<HttpResponse, Fault> {
    connectors_of(&path)?;
    let mut update = Update::default();
    for NamedUpdate { id, properties } in &body.0.connectors {
        update = update.with(connector_of(&path, id)?, properties, state.wso2_version)?;
    }
    update.apply(&state, &authorized.caller).await
}

/// What is to be, each property once.
#[derive(Default)]
struct Update(Vec<Wanted>);

impl Update {
    /// # Errors
    /// IDG-50013 for a property that is not there, is there twice, or can't have the value.
    fn with(mut self, connector: &Connector, updates: &[PropertyUpdate], version: Wso2Version) -> Result<Self, Fault> {
        for PropertyUpdate { name, value } in updates {
            let unknown = || fault::not_updated(fault::no_property_of(name, connector.friendly_name));
            let property = connector.property(name, version).ok_or_else(unknown)?;
            if self.0.iter().any(|wanted| wanted.property.name == name) {
                return Err(fault::not_updated(format!("{}: is there twice", property.name)));
            }
            self.0.push(property.want(&value.text()).map_err(fault::not_updated)?);
        }
        Ok(self)
    }

    async fn apply(self, state: &State, caller: &Caller) -> Result<HttpResponse, Fault> {
        let properties: Vec<_> = self.0.iter().map(|wanted| wanted.property).collect();
        let changed = state.service.change_settings_by(caller, move |standing| patch(&self.0, standing)).await;
        changed.map_err(|error| fault::UPDATING.failed(error, &properties))?;
        Ok(HttpResponse::Ok().finish())
    }
}

impl AnyText {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Switch(value) => value.to_string(),
            Self::Whole(value) => value.to_string(),
        }
    }
}
