//! The merge patch: reading it, and its schema, which is that of the settings with nothing required and `null` everywhere.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::settings::Settings;
use crate::http::extract::{BODY_MAX, read};
use crate::http::problem::Problem;

/// A JSON merge patch (RFC 7396), as `application/merge-patch+json` or `application/json`.
pub(super) struct SettingsPatch(pub(super) Value);

impl FromRequest for SettingsPatch {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let patch =
            read::<Unambiguous, BODY_MAX>(request, payload, &["application/merge-patch+json", "application/json"]);
        Box::pin(async move { patch.await.map(|Unambiguous(patch)| Self(patch)) })
    }
}

/// Any JSON in which no object has a name twice; of two, most readers would take the last without a word.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unambiguous(item)) = seq.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let Unambiguous(value) = map.next_value()?;
            if members.contains_key(&name) {
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

impl ToSchema for SettingsPatch {
    fn name() -> Cow<'static, str> {
        "SettingsPatch".into()
    }
}

impl PartialSchema for SettingsPatch {
    fn schema() -> RefOr<Schema> {
        let mut schema = Settings::schema();
        loosen(&mut schema);
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.description = Some("What to override; null goes back to the layer below.".to_owned());
            object.example = Some(json!({
                "method": "email_otp", "expiryMinutes": 60, "otp": {"length": 8, "lowercase": false}, "locale": null
            }));
        }
        schema
    }
}

fn loosen(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    object.required.clear();
    for property in object.properties.values_mut() {
        loosen(property);
        allow_null(property);
    }
}

fn allow_null(schema: &mut RefOr<Schema>) {
    let schema_type = match schema {
        RefOr::T(Schema::Object(object)) => {
            object.enum_values.iter_mut().for_each(|values| values.push(Value::Null));
            &mut object.schema_type
        }
        RefOr::T(Schema::Array(array)) => &mut array.schema_type,
        RefOr::T(_) | RefOr::Ref(_) => return,
    };
    if let SchemaType::Type(only) = schema_type {
        *schema_type = SchemaType::Array(vec![only.clone(), Type::Null]);
    }
}
