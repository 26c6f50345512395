//! The user of a report: a SCIM user resource, read without any password that is in it.

use std::fmt;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::domain::ids::Realm;
use crate::http::extract::{bad_text, optional_line, realm, username};
use crate::http::idempotency::note_body;
use crate::http::problem::Problem;
use crate::service::directory_events::{Happening, ReportedUser};

/// Where WSO2 keeps its wishes: its own extension, and the one of older versions.
const EXTENSIONS: [&str; 2] = ["urn:scim:wso2:schema", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"];
/// Longest id that a directory gives.
const ID_MAX: usize = 255;

/// The attributes, by the names that they came with. SCIM's names have no case.
pub(crate) struct UserResource(Map<String, Value>);

impl<'de> Deserialize<'de> for UserResource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsMap;

        impl<'de> Visitor<'de> for AsMap {
            type Value = UserResource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UserResource, A::Error> {
                let mut attributes = Map::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name.eq_ignore_ascii_case("password") {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        attributes.insert(name, map.next_value()?);
                    }
                }
                Ok(UserResource(attributes))
            }
        }

        deserializer.deserialize_map(AsMap)
    }
}

impl UserResource {
    /// Has a repeat of the call recognised by everything but the password, of which nothing is to be kept.
    pub(super) fn note_without_password(&self, request: &HttpRequest, happening: Happening, realm: Option<&str>) {
        let rest = serde_json::to_vec(&(happening.as_str(), realm, &self.0)).unwrap_or_default();
        note_body(request, &rest);
    }

    /// A wish in WSO2's extension: true, false, or those words; false when there is none.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        let mut found: Option<bool> = None;
        for urn in EXTENSIONS {
            let Some(extension) = member(&self.0, urn).filter(|extension| !extension.is_null()) else { continue };
            let Some(extension) = extension.as_object() else {
                return Err(invalid(&format!("/user/{urn}"), "must be an object"));
            };
            let Some(value) = member(extension, name).filter(|value| !value.is_null()) else { continue };
            let pointer = format!("/user/{urn}/{name}");
            let flag = strict(value).ok_or_else(|| invalid(&pointer, "must be true or false"))?;
            if found.is_some_and(|other| other != flag) {
                return Err(invalid(&pointer, "contradicts the other extension"));
            }
            found = Some(flag);
        }
        Ok(found.unwrap_or(false))
    }

    /// Whom it is about. The realm named, else the one before the `/` in the user name, else the primary one.
    pub(super) fn named(self, given: Option<&str>) -> Result<ReportedUser, Problem> {
        let given = given.map(|name| realm("/realm", Some(name))).transpose()?;
        let name = self.text("userName")?;
        let prefixed = name.split_once('/').and_then(|(store, name)| Some((Realm::parse(store).ok()?, name)));
        let (realm, name) = match (given, prefixed) {
            (None, Some((realm, name))) => (realm, name),
            (Some(given), Some((realm, name))) if realm.as_str().eq_ignore_ascii_case(given.as_str()) => (given, name),
            (given, _) => (given.unwrap_or_else(Realm::primary), name),
        };
        let id = self.text("id")?.to_owned();
        optional_line("/user/id", Some(id.clone()), ID_MAX)?;
        let username = username("/user/userName", name)?;
        Ok(ReportedUser { realm, username, id, resource: Value::Object(self.0) })
    }

    fn text(&self, name: &str) -> Result<&str, Problem> {
        let pointer = format!("/user/{name}");
        match member(&self.0, name) {
            Some(Value::String(text)) if text.is_empty() => {
                Err(bad_text(&pointer, crate::domain::text::TextError::Empty))
            }
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(invalid(&pointer, "must be a string")),
            None => Err(Problem::field(StatusCode::BAD_REQUEST, pointer, "missing", "is required")),
        }
    }
}

/// The first member of that name, whatever its case.
fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Older versions write truth values as text.
fn strict(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn invalid(pointer: &str, detail: &str) -> Problem {
    Problem::field(StatusCode::BAD_REQUEST, pointer, "invalid_value", detail)
}
