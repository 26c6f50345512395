//! Reading single properties by the names of connectors.

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::connector::{CONNECTORS, Connector};
use super::fault;
use super::property::{Property, Tree};
use crate::domain::wso2::Wso2Version;
use crate::http::State;
use crate::http::auth::{Authorized, PreferencesRead};
use crate::http::extract::ListBody;
use crate::http::wso2::Fault;

/// What is asked of a connector.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(example = json!({"connector-name": "user-email-verification", "properties": ["EmailVerification.Enable"]}))]
pub(in crate::http) struct PreferenceQuery {
    /// The name, not the id.
    connector_name: String,
    /// Names of properties; all of them when absent.
    properties: Option<Vec<String>>,
}

/// A connector's properties.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(example = json!({
    "connector-name": "user-email-verification", "properties": [{"name": "EmailVerification.Enable", "value": "true"}]
}))]
pub(in crate::http) struct Preference {
    connector_name: &'static str,
    #[schema(inline)]
    properties: Vec<PreferenceProperty>,
}

/// A property's value.
#[derive(Serialize, ToSchema)]
struct PreferenceProperty {
    name: &'static str,
    value: String,
}

/// Read preferences
///
/// The values of properties, by the names of their connectors. Needs the scope `settings:read` or `internal_login`.
#[utoipa::path(
    tag = "wso2",
    request_body = [PreferenceQuery],
    security(("accessToken" = ["settings:read"]), ("accessToken" = ["internal_login"])),
    responses(
        (status = 200, description = "The values, in the order that they were asked for.", body = [Preference]),
        (status = 400, description = "IDG-50011, IDG-50012: no such connector or property; or the body can't be used.", body = Fault),
        (status = 401, description = "No valid access token.", body = Fault),
        (status = 403, description = "The token lacks the scope or the tenant.", body = Fault),
    )
)]
#[post("/api/server/v1/identity-governance/preferences")]
pub(super) async fn find_governance_preferences(
    state: web::Data<State>,
    authorized: Authorized<PreferencesRead>,
    queries: ListBody<PreferenceQuery>,
) -> Result<web::Json<Vec<Preference>>, Fault> {
    let asked: Vec<_> = queries.0.iter().map(|query| query.asked(state.wso2_version)).collect::<Result<_, _>>()?;
    let snapshot = state.service.get_settings(&authorized.caller).await;
    let snapshot = snapshot.map_err(|error| fault::READING_PREFERENCES.failed(error, &[]))?;
    let settings = Tree::of(&snapshot.settings);
    Ok(web::Json(asked.iter().map(|asked| asked.answer(&settings)).collect()))
}

/// What is asked, once it is known to be there.
struct Asked {
    connector: &'static Connector,
    properties: Vec<&'static Property>,
}

impl PreferenceQuery {
    fn asked(&self, version: Wso2Version) -> Result<Asked, Fault> {
        let found = CONNECTORS.into_iter().find(|connector| connector.name == self.connector_name);
        let connector = found.ok_or_else(|| fault::no_such_preference(&self.connector_name))?;
        let Some(names) = &self.properties else {
            return Ok(Asked { connector, properties: connector.properties(version).collect() });
        };
        let property =
            |name: &String| connector.property(name, version).ok_or_else(|| fault::unsupported_property(name));
        Ok(Asked { connector, properties: names.iter().map(property).collect::<Result<_, _>>()? })
    }
}

impl Asked {
    fn answer(&self, settings: &Tree) -> Preference {
        let value = |property: &&Property| PreferenceProperty { name: property.name, value: property.shown(settings) };
        Preference { connector_name: self.connector.name, properties: self.properties.iter().map(value).collect() }
    }
}
