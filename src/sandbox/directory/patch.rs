//! What a request wants to change about a user: read whole before anything is applied, so that it is all or nothing.
//!
//! PATCH knows `add` and `replace` of whole attributes, of the core schema and of any extension.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::ScimError;
use crate::domain::secret::Password;

pub(super) const CORE_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const TEXTS: [&str; 4] = ["displayName", "externalId", "preferredLanguage", "locale"];
const LISTS: [&str; 2] = ["emails", "phoneNumbers"];
const NAME: &str = "name";

/// Changes to apply together.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) password: Option<Password>,
    pub(super) active: Option<bool>,
    pub(super) attributes: Vec<Attribute>,
}

/// One attribute and its new value.
#[derive(Debug, PartialEq)]
pub(super) struct Attribute {
    /// `None` in the core schema.
    pub(super) extension: Option<String>,
    pub(super) name: String,
    pub(super) value: Value,
}

/// A PATCH request (RFC 7644 §3.5.2).
#[derive(Deserialize)]
struct PatchOp {
    schemas: Vec<String>,
    #[serde(rename = "Operations")]
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    op: String,
    path: Option<String>,
    #[serde(default)]
    value: Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
}

/// Reads a new user: the name, and all the rest as changes.
pub(super) fn parse_new(body: &[u8]) -> Result<(String, Changes), ScimError> {
    let mut user: Map<String, Value> = parse_json(body)?;
    let Some(Value::String(user_name)) = user.remove("userName") else {
        return Err(ScimError::InvalidValue("userName must be a text"));
    };
    if user_name.trim().is_empty() {
        return Err(ScimError::InvalidValue("userName must not be empty"));
    }
    // Read-only, so ignored when given (RFC 7643 §2.2).
    for read_only in ["schemas", "id", "meta"] {
        user.remove(read_only);
    }
    let mut changes = Changes::default();
    changes.set_all(Op::Replace, user)?;
    Ok((user_name, changes))
}

/// Reads a `PatchOp` message.
pub(super) fn parse(body: &[u8]) -> Result<Changes, ScimError> {
    let message: PatchOp = parse_json(body)?;
    if !message.schemas.iter().any(|schema| schema == PATCH_SCHEMA) {
        return Err(ScimError::InvalidSyntax(format!("schemas must name {PATCH_SCHEMA}")));
    }
    let mut changes = Changes::default();
    for operation in message.operations {
        changes.operate(operation)?;
    }
    Ok(changes)
}

fn parse_json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ScimError> {
    // The words of the parser could repeat a password.
    serde_json::from_slice(body).or(Err(ScimError::InvalidSyntax("the body has the wrong form".to_owned())))
}

impl Changes {
    fn operate(&mut self, operation: Operation) -> Result<(), ScimError> {
        let op = match operation.op.to_ascii_lowercase().as_str() {
            "add" => Op::Add,
            "replace" => Op::Replace,
            _ => return Err(ScimError::InvalidSyntax("op must be add or replace".to_owned())),
        };
        match (operation.path, operation.value) {
            (_, Value::Null) => Err(ScimError::InvalidValue("value is missing")),
            (Some(path), value) => self.set(op, &path, value),
            (None, Value::Object(attributes)) => self.set_all(op, attributes),
            (None, _) => Err(ScimError::InvalidSyntax("without a path, value must be an object".to_owned())),
        }
    }

    fn set_all(&mut self, op: Op, attributes: Map<String, Value>) -> Result<(), ScimError> {
        for (path, value) in attributes {
            match value {
                Value::Object(inner) if path.starts_with("urn:") => {
                    for (name, value) in inner {
                        self.set(op, &format!("{path}:{name}"), value)?;
                    }
                }
                value => self.set(op, &path, value)?,
            }
        }
        Ok(())
    }

    fn set(&mut self, op: Op, path: &str, value: Value) -> Result<(), ScimError> {
        match path.rsplit_once(':') {
            Some((schema, name)) if !schema.eq_ignore_ascii_case(CORE_SCHEMA) => {
                self.set_extension(schema, name, value)
            }
            Some((_, name)) => self.set_core(op, name, value),
            None => self.set_core(op, path, value),
        }
    }

    fn set_extension(&mut self, schema: &str, name: &str, value: Value) -> Result<(), ScimError> {
        let is_name =
            |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.contains(['[', '.', ' ']);
        if !schema.starts_with("urn:") || !is_name(name) {
            return Err(ScimError::InvalidPath(format!("{schema}:{name}")));
        }
        self.attributes.push(Attribute { extension: Some(schema.to_owned()), name: name.to_owned(), value });
        Ok(())
    }

    fn set_core(&mut self, op: Op, path: &str, value: Value) -> Result<(), ScimError> {
        let one_of = |names: &[&'static str]| names.iter().find(|name| name.eq_ignore_ascii_case(path)).copied();
        match value {
            Value::Bool(active) if one_of(&["active"]).is_some() => self.active = Some(active),
            Value::String(text) if one_of(&["password"]).is_some() => self.password = Some(Password::new(text)),
            value => {
                let (known, fits) = one_of(&TEXTS)
                    .map(|name| (name, value.is_string()))
                    .or_else(|| one_of(&[NAME]).map(|name| (name, value.is_object())))
                    .or_else(|| one_of(&LISTS).filter(|_| op == Op::Replace).map(|name| (name, value.is_array())))
                    .or_else(|| one_of(&["active", "password"]).map(|name| (name, false)))
                    .ok_or_else(|| ScimError::InvalidPath(path.to_owned()))?;
                if !fits {
                    return Err(ScimError::InvalidValue("the value has the wrong type"));
                }
                self.attributes.push(Attribute { extension: None, name: known.to_owned(), value });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patch(operations: &Value) -> Result<Changes, ScimError> {
        parse(json!({"schemas": [PATCH_SCHEMA], "Operations": operations}).to_string().as_bytes())
    }

    #[test]
    fn operations_are_read_with_and_without_a_path() {
        let changes = patch(&json!([
            {"op": "Replace", "path": "password", "value": "s3cret"},
            {"op": "add", "value": {"active": true, "urn:example:ext:User": {"marker": "m:1"}}},
            {"op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User:displayname", "value": "Alex"},
            {"op": "replace", "path": "urn:example:ext:2.0:User:marker", "value": {"a": 1}},
        ]))
        .unwrap();
        assert_eq!((changes.password.unwrap().expose(), changes.active), ("s3cret", Some(true)));
        let attribute = |extension: Option<&str>, name: &str, value| Attribute {
            extension: extension.map(str::to_owned),
            name: name.to_owned(),
            value,
        };
        let expected = [
            attribute(Some("urn:example:ext:User"), "marker", json!("m:1")),
            attribute(None, "displayName", json!("Alex")),
            attribute(Some("urn:example:ext:2.0:User"), "marker", json!({"a": 1})),
        ];
        assert_eq!(changes.attributes, expected);
    }

    #[test]
    fn what_can_not_be_changed_is_refused_by_its_kind() {
        let refusal = |operation: Value| patch(&json!([operation])).err().map(|error| error.to_string());
        let wrong_type = Some("the value has the wrong type".to_owned());
        assert_eq!(refusal(json!({"op": "replace", "path": "active", "value": "yes"})), wrong_type);
        assert_eq!(refusal(json!({"op": "replace", "path": "password", "value": 1})), wrong_type);
        assert_eq!(refusal(json!({"op": "replace", "path": "displayName", "value": []})), wrong_type);
        for path in ["userName", "id", "emails[type eq \"work\"]", "nonsense", "urn:x:[y]", "name.givenName"] {
            let error = patch(&json!([{"op": "replace", "path": path, "value": "x"}])).err();
            assert!(matches!(error, Some(ScimError::InvalidPath(_))), "{path}");
        }
        for operation in
            [json!({"op": "remove", "path": "active", "value": true}), json!({"op": "add", "value": "x"}), json!(1)]
        {
            assert!(matches!(patch(&json!([operation])).err(), Some(ScimError::InvalidSyntax(_))), "{operation}");
        }
        assert!(matches!(parse(b"{}").err(), Some(ScimError::InvalidSyntax(_))));
    }
}
