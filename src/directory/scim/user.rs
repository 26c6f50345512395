//! Reading a SCIM user (RFC 7643 §4.1): only what can be used; an address that is not safe to write to is left out.

use serde_json::Value;

use crate::directory::DirectoryUser;
use crate::domain::contact::{Email, Phone};
use crate::domain::ids::Username;
use crate::domain::text::is_unsafe_char;

/// Longest id that is accepted from a directory.
const ID_MAX: usize = 255;

/// The user, or `None` when it has no usable id or name.
pub(super) fn user_from(resource: &Value, version: Option<String>, marker: Option<&str>) -> Option<DirectoryUser> {
    let text = |name: &str| resource.get(name).and_then(Value::as_str);
    Some(DirectoryUser {
        id: text("id").filter(|id| is_usable_id(id))?.to_owned(),
        username: Username::parse(text("userName")?).ok()?,
        email: preferred(resource, "emails", "work").and_then(|email| Email::parse(email).ok()),
        phone: preferred(resource, "phoneNumbers", "mobile").and_then(phone_from),
        display_name: display_name(resource),
        locale: text("preferredLanguage").or_else(|| text("locale")).and_then(language_tag),
        active: resource.get("active").and_then(Value::as_bool).unwrap_or(true),
        version: version.or_else(|| resource.pointer("/meta/version").and_then(Value::as_str).map(str::to_owned)),
        marker: marker.and_then(|attribute| marker_of(resource, attribute)),
    })
}

fn is_usable_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= ID_MAX
        && id != "."
        && id != ".."
        && !id.contains('/')
        && !id.chars().any(is_unsafe_char)
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

fn phone_from(text: &str) -> Option<Phone> {
    let digits: String =
        text.trim_start_matches("tel:").chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
    Phone::parse(&digits).ok()
}

fn display_name(resource: &Value) -> Option<String> {
    ["/displayName", "/name/formatted", "/name/givenName"]
        .iter()
        .filter_map(|pointer| resource.pointer(pointer).and_then(Value::as_str))
        .find_map(|name| crate::outbound::safe_line(name, 128))
}

fn language_tag(text: &str) -> Option<String> {
    let tag = text.split([',', ';']).next()?.trim().replace('_', "-");
    let is_tag = !tag.is_empty() && tag.len() <= 35 && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    is_tag.then_some(tag)
}

/// The marker: of an extension `urn:…:attribute`, or a top-level attribute.
fn marker_of(resource: &Value, attribute: &str) -> Option<String> {
    let value = match attribute.rsplit_once(':') {
        Some((schema, name)) => resource.get(schema)?.get(name)?,
        None => resource.get(attribute)?,
    };
    value.as_str().map(str::to_owned)
}
