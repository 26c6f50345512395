//! Reading a representation of a user, and writing an attribute into it.

use serde_json::{Value, json};

use crate::directory::DirectoryUser;
use crate::directory::reading::{is_usable_id, language_tag, phone_from};
use crate::domain::account::Access;
use crate::domain::contact::Email;
use crate::domain::dialect::KeycloakAttributes;
use crate::domain::ids::Username;
use crate::outbound::safe_line;

/// The user, or `None` when it has no usable id or name.
pub(super) fn user_from(representation: &Value, attributes: &KeycloakAttributes) -> Option<DirectoryUser> {
    let text = |name: &str| representation.get(name).and_then(Value::as_str);
    let attribute = |name: &str| attribute_of(representation, name);
    let is_enabled = representation.get("enabled").and_then(Value::as_bool).unwrap_or(true);
    let names = [text("firstName"), text("lastName")].map(Option::unwrap_or_default).join(" ");
    Some(DirectoryUser {
        id: text("id").filter(|id| is_usable_id(id))?.to_owned(),
        username: Username::parse(text("username")?).ok()?,
        email: text("email").and_then(|email| Email::parse(email).ok()),
        phone: attribute(&attributes.phone).and_then(phone_from),
        display_name: safe_line(&names, 128),
        locale: attribute("locale").and_then(language_tag),
        access: if is_enabled { Access::Usable } else { Access::Locked },
        locked_reason: None,
        account_state: None,
        version: None,
        marker: attributes.marker.as_deref().and_then(attribute).map(str::to_owned),
    })
}

/// The first value of an attribute; all of them are lists.
fn attribute_of<'a>(representation: &'a Value, name: &str) -> Option<&'a str> {
    representation.get("attributes")?.get(name)?.get(0)?.as_str()
}

pub(super) fn set_attribute(representation: &mut Value, name: &str, value: &str) {
    let Some(user) = representation.as_object_mut() else { return };
    let attributes = user.entry("attributes").or_insert_with(|| json!({}));
    if let Some(attributes) = attributes.as_object_mut() {
        attributes.insert(name.to_owned(), json!([value]));
    }
}
