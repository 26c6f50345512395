//! Reading a SCIM user (RFC 7643 §4.1): only what can be used; an address that is not safe to write to is left out.

use serde_json::Value;

use super::dialect::Standing;
use crate::directory::DirectoryUser;
use crate::directory::address::is_primary;
use crate::directory::reading::{is_usable_id, language_tag, phone_from};
use crate::domain::contact::Email;
use crate::domain::dialect::{Dialect, RealmIn};
use crate::domain::ids::{Realm, Username};

/// What stands between a user store's name and the user's.
pub(super) const STORE_SEPARATOR: char = '/';

/// The user, or `None` when it has no usable id or name, or belongs to another user store.
pub(super) fn user_from(
    resource: &Value,
    version: Option<String>,
    (dialect, realm): (&Dialect, &Realm),
) -> Option<DirectoryUser> {
    let text = |name: &str| resource.get(name).and_then(Value::as_str);
    let Standing { access, locked_reason, account_state } = dialect.standing_of(resource);
    Some(DirectoryUser {
        id: text("id").filter(|id| is_usable_id(id))?.to_owned(),
        username: Username::parse(name_in(text("userName")?, dialect.realm_in, realm)?).ok()?,
        email: preferred(resource, "emails", "work").and_then(|email| Email::parse(email).ok()),
        phone: preferred(resource, "phoneNumbers", "mobile").and_then(phone_from),
        display_name: display_name(resource),
        locale: text("preferredLanguage").or_else(|| text("locale")).and_then(language_tag),
        access,
        locked_reason,
        account_state,
        version: version.or_else(|| resource.pointer("/meta/version").and_then(Value::as_str).map(str::to_owned)),
        marker: dialect.marker_of(resource),
    })
}

/// The name within the realm; `None` when it is one of another realm. Where names carry their realm, `PRIMARY` may be left out.
pub(super) fn name_in<'a>(username: &'a str, realm_in: RealmIn, realm: &Realm) -> Option<&'a str> {
    if realm_in == RealmIn::Path {
        return Some(username);
    }
    match username.split_once(STORE_SEPARATOR) {
        Some((store, name)) => store.eq_ignore_ascii_case(realm.as_str()).then_some(name),
        None => is_primary(realm).then_some(username),
    }
}

/// The primary value, else the first of the type, else the first.
fn preferred<'a>(resource: &'a Value, attribute: &str, kind: &str) -> Option<&'a str> {
    let values = resource.get(attribute)?.as_array()?;
    let is_primary = |value: &&Value| value.get("primary").and_then(Value::as_bool) == Some(true);
    let is_kind = |value: &&Value| {
        value.get("type").and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(kind))
    };
    let chosen = match kind {
        "mobile" => values.iter().find(is_kind).or_else(|| values.iter().find(is_primary)),
        _ => values.iter().find(is_primary).or_else(|| values.iter().find(is_kind)),
    };
    chosen.or_else(|| values.first())?.get("value")?.as_str()
}

fn display_name(resource: &Value) -> Option<String> {
    ["/displayName", "/name/formatted", "/name/givenName"]
        .iter()
        .filter_map(|pointer| resource.pointer(pointer).and_then(Value::as_str))
        .find_map(|name| crate::outbound::safe_line(name, 128))
}
