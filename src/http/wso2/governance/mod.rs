//! `/api/server/v1/identity-governance`: the tenant's settings as connectors with properties, as WSO2's console reads and writes them.
//!
//! Views on what `/v1/settings` has, with nothing stored of their own: what one writes, the other shows. The words are data
//! (`connector`), the translation is pure (`property`), and the handlers in `read`, `preferences`, `update` and `revert` join both
//! to the use cases.

mod connector;
mod fault;
mod preferences;
mod property;
mod read;
mod revert;
#[cfg(test)]
mod tests;
mod update;
mod view;

use utoipa_actix_web::service_config::ServiceConfig;

use self::connector::Connector;
use super::Fault;

/// The routes of the document. What is fixed in a path comes before what can be anything.
pub(super) fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(read::list_governance_categories)
        .service(preferences::find_governance_preferences)
        .service(read::get_governance_category)
        .service(read::list_governance_connectors)
        .service(update::update_governance_connectors)
        .service(revert::revert_governance_properties)
        .service(read::get_governance_connector)
        .service(update::update_governance_connector);
}

/// The connectors of a category.
///
/// # Errors
/// That there is no such category.
fn connectors_of(category_id: &str) -> Result<Vec<&'static Connector>, Fault> {
    let found = connector::of_category(category_id);
    if found.is_empty() { Err(fault::no_category(category_id)) } else { Ok(found) }
}

/// A connector of a category.
///
/// # Errors
/// That there is no such connector in it, or no such category.
fn connector_of(category_id: &str, connector_id: &str) -> Result<&'static Connector, Fault> {
    let found = connector::of_category(category_id).into_iter().find(|connector| connector.id() == connector_id);
    found.ok_or_else(|| fault::no_connector(connector_id))
}
