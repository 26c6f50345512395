//! Categories and connectors as answers show them.

use serde::Serialize;
use utoipa::ToSchema;

use super::connector::{CONNECTORS, Connector, id};
use super::property::Tree;
use crate::domain::ids::TenantId;
use crate::domain::settings::Settings;
use crate::domain::wso2::Wso2Version;
use crate::http::request::path_for;

/// A category, with where its connectors are.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "VXNlciBPbmJvYXJkaW5n", "name": "User Onboarding",
    "self": "/api/server/v1/identity-governance/VXNlciBPbmJvYXJkaW5n",
    "connectors": [{
        "id": "dXNlci1lbWFpbC12ZXJpZmljYXRpb24",
        "self": "/api/server/v1/identity-governance/VXNlciBPbmJvYXJkaW5n/connectors/dXNlci1lbWFpbC12ZXJpZmljYXRpb24"
    }]
}))]
pub(in crate::http) struct CategoryLink {
    /// The name in base64url without padding.
    id: String,
    name: &'static str,
    /// Path of the category.
    #[serde(rename = "self")]
    location: String,
    #[schema(inline)]
    connectors: Vec<ConnectorLink>,
}

/// Where a connector is.
#[derive(Serialize, ToSchema)]
struct ConnectorLink {
    /// The name in base64url without padding.
    id: String,
    /// Path of the connector.
    #[serde(rename = "self")]
    location: String,
}

/// A category, complete.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct CategoryView {
    name: &'static str,
    connectors: Vec<ConnectorView>,
}

/// A connector with its properties.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(example()))]
pub(in crate::http) struct ConnectorView {
    /// The name in base64url without padding.
    id: String,
    name: &'static str,
    /// Name of the category.
    category: &'static str,
    friendly_name: &'static str,
    order: u8,
    sub_category: &'static str,
    #[schema(inline)]
    properties: Vec<PropertyView>,
}

/// A property with its value.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PropertyView {
    name: &'static str,
    /// Whatever the type, a text: `"true"`, `"1440"`.
    value: String,
    display_name: &'static str,
    description: &'static str,
    #[schema(inline)]
    meta: Meta,
}

/// What is said of a property's values.
#[derive(Serialize, ToSchema)]
struct Meta {
    /// `boolean`, `integer`, `string` or `uri`; absent where the original does not say.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    data_type: Option<&'static str>,
    #[serde(rename = "groupID")]
    group_id: u8,
}

/// Every category, with links for this tenant.
pub(super) fn categories(tenant: &TenantId) -> Vec<CategoryLink> {
    let base = path_for(tenant, "/api/server/v1/identity-governance");
    let link = |connector: &Connector| {
        let category = format!("{base}/{}", id(connector.category));
        let location = format!("{category}/connectors/{}", connector.id());
        let connectors = vec![ConnectorLink { id: connector.id(), location }];
        CategoryLink { id: id(connector.category), name: connector.category, location: category, connectors }
    };
    // Each category has one connector here.
    CONNECTORS.into_iter().map(link).collect()
}

impl CategoryView {
    pub(super) fn of(connectors: &[&Connector], settings: &Tree, version: Wso2Version) -> Self {
        let name = connectors.first().map_or("", |connector| connector.category);
        Self { name, connectors: views(connectors, settings, version) }
    }
}

/// The connectors as this version has them.
pub(super) fn views(connectors: &[&Connector], settings: &Tree, version: Wso2Version) -> Vec<ConnectorView> {
    connectors.iter().map(|connector| ConnectorView::of(connector, settings, version)).collect()
}

impl ConnectorView {
    pub(super) fn of(connector: &Connector, settings: &Tree, version: Wso2Version) -> Self {
        let properties = connector.properties(version).map(|property| PropertyView {
            name: property.name,
            value: property.shown(settings),
            display_name: property.display_name,
            description: property.description,
            meta: Meta { data_type: property.data_type, group_id: 0 },
        });
        Self {
            id: connector.id(),
            name: connector.name,
            category: connector.category,
            friendly_name: connector.friendly_name,
            order: 0,
            sub_category: "DEFAULT",
            properties: properties.collect(),
        }
    }
}

/// The smaller one, of a tenant that overrides nothing.
fn example() -> ConnectorView {
    let [_, connector] = CONNECTORS;
    ConnectorView::of(connector, &Tree::of(&Settings::default()), Wso2Version::LATEST)
}
