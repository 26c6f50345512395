//! One person as the directory keeps them.

use serde_json::{Map, Value, json};

use super::patch::{Attribute, CORE_SCHEMA, Changes};
use crate::domain::time::Timestamp;

/// Changes with the new password hashed, ready to be applied at once.
pub(super) struct Update {
    pub(super) changes: Changes,
    pub(super) password_hash: Option<String>,
}

/// A person. The password's hash never leaves the directory.
#[derive(Clone)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) active: bool,
    /// argon2id in PHC form; `None` until one is set.
    pub(super) password_hash: Option<String>,
    version: u64,
    created: Timestamp,
    modified: Timestamp,
    /// Attributes of the core schema, and one object for each extension.
    attributes: Map<String, Value>,
}

impl User {
    /// A person of this name and nothing else; [`User::apply`] makes it version 1.
    pub(super) fn new(id: String, username: &str, now: Timestamp) -> Self {
        Self {
            id,
            username: username.to_owned(),
            active: true,
            password_hash: None,
            version: 0,
            created: now,
            modified: now,
            attributes: Map::new(),
        }
    }

    /// The next version, with all of the update.
    pub(super) fn apply(&mut self, Update { changes, password_hash }: &Update, now: Timestamp) {
        self.active = changes.active.unwrap_or(self.active);
        self.password_hash = password_hash.clone().or(self.password_hash.take());
        for Attribute { extension, name, value } in &changes.attributes {
            let holder = match extension {
                None => Some(&mut self.attributes),
                Some(schema) => self.attributes.entry(schema.as_str()).or_insert_with(|| json!({})).as_object_mut(),
            };
            if let Some(holder) = holder {
                holder.insert(name.clone(), value.clone());
            }
        }
        self.version += 1;
        self.modified = now;
    }

    pub(super) fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    /// The person as SCIM shows them.
    pub(super) fn resource(&self, location: &str) -> Value {
        let extensions = self.attributes.keys().filter(|key| key.starts_with("urn:")).map(String::as_str);
        let schemas: Vec<&str> = std::iter::once(CORE_SCHEMA).chain(extensions).collect();
        let mut resource = self.attributes.clone();
        resource.insert("schemas".to_owned(), json!(schemas));
        resource.insert("id".to_owned(), json!(self.id));
        resource.insert("userName".to_owned(), json!(self.username));
        resource.insert("active".to_owned(), json!(self.active));
        let meta = json!({
            "resourceType": "User",
            "created": self.created.to_rfc3339(),
            "lastModified": self.modified.to_rfc3339(),
            "location": location,
            "version": self.etag(),
        });
        resource.insert("meta".to_owned(), meta);
        Value::Object(resource)
    }
}
