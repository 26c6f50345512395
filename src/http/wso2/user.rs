//! How WSO2's bodies name a user, and carry what else they have to say as properties.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::ids::{Realm, Username};
use crate::domain::invitation::Invitation;
use crate::http::extract;
use crate::http::problem::Problem;

/// A user as WSO2 names one. The tenant is always the one of the path.
#[derive(Deserialize, Serialize, ToSchema)]
#[schema(example = json!({"username": "alex", "realm": "PRIMARY", "tenant-domain": "carbon.super", "userId": "2819c223"}))]
pub(super) struct User {
    /// Without the user store; a prefix `STORE/` names it when `realm` does not.
    #[schema(max_length = 255)]
    pub(super) username: String,
    /// The user store; `PRIMARY` when absent or empty.
    pub(super) realm: Option<String>,
    /// Not looked at: the path decides.
    #[serde(rename = "tenant-domain")]
    pub(super) tenant_domain: Option<String>,
    /// The directory's own id.
    #[serde(rename = "userId")]
    pub(super) id: Option<String>,
}

impl User {
    /// The invited person, as answers name them.
    pub(super) fn invited(invitation: &Invitation) -> Self {
        Self {
            username: invitation.username.as_str().to_owned(),
            realm: Some(invitation.realm.as_str().to_owned()),
            tenant_domain: Some(invitation.tenant.domain().to_owned()),
            id: invitation.person.id.clone(),
        }
    }

    /// Whom it means.
    ///
    /// # Errors
    /// A problem with the field below `pointer` that can't be used.
    pub(super) fn named(&self, pointer: &str) -> Result<(Realm, Username), Problem> {
        named(pointer, &self.username, self.realm.as_deref())
    }
}

/// Whom a user name and the name of a user store mean: an empty store is none, and a prefix of the name stands in for it.
pub(super) fn named(pointer: &str, username: &str, realm: Option<&str>) -> Result<(Realm, Username), Problem> {
    let realm = realm.map(str::trim).filter(|realm| !realm.is_empty());
    let (prefix, name) = match username.split_once('/') {
        Some((prefix, name)) if realm.is_none_or(|realm| realm.eq_ignore_ascii_case(prefix)) => (Some(prefix), name),
        _ => (None, username),
    };
    // Names of stores are compared without case, and that of the first one is known.
    let other = realm.or(prefix).filter(|realm| !realm.eq_ignore_ascii_case(Realm::primary().as_str()));
    let realm = extract::realm(&format!("{pointer}/realm"), other)?;
    Ok((realm, extract::username(&format!("{pointer}/username"), name)?))
}

/// One of the things that a body says besides.
#[derive(Deserialize, ToSchema)]
pub(super) struct Property {
    pub(super) key: String,
    pub(super) value: Option<String>,
}
