//! Reading a request: JSON bodies with the place of what is wrong, and names in paths.

use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, web};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::idempotency;
use super::problem::Problem;
use crate::domain::ids::{EndpointId, InvitationId, Realm, Username};
use crate::domain::text::TextError;
use crate::domain::time::Timestamp;
use crate::service::{Refusal, ServiceError};

/// Largest body that is read.
pub(super) const BODY_MAX: usize = 16 * 1024;
/// How long a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// A JSON body of at most `MAX` bytes. Unknown and repeated fields are refused by the types themselves.
pub(super) struct Body<T, const MAX: usize = BODY_MAX>(pub(super) T);

impl<T: DeserializeOwned + 'static, const MAX: usize> FromRequest for Body<T, MAX> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = read::<T, MAX>(request, payload, &["application/json"]);
        Box::pin(async move { read.await.map(Self) })
    }
}

/// A JSON body that is a list of objects.
pub(super) struct ListBody<T>(pub(super) Vec<T>);

impl<T: DeserializeOwned + 'static> FromRequest for ListBody<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = read_value::<Vec<Object<T>>, BODY_MAX>(request, payload, &["application/json"]);
        Box::pin(async move { read.await.map(|list| Self(list.into_iter().map(|Object(item)| item).collect())) })
    }
}

/// Reads a JSON object of at most `MAX` bytes, of one of these media types.
pub(super) fn read<T: DeserializeOwned, const MAX: usize>(
    request: &HttpRequest,
    payload: &mut Payload,
    types: &'static [&'static str],
) -> impl Future<Output = Result<T, Problem>> + use<T, MAX> {
    let read = read_value::<Object<T>, MAX>(request, payload, types);
    async move { read.await.map(|Object(value)| value) }
}

fn read_value<T: DeserializeOwned, const MAX: usize>(
    request: &HttpRequest,
    payload: &mut Payload,
    types: &'static [&'static str],
) -> impl Future<Output = Result<T, Problem>> + use<T, MAX> {
    let is_known = types.iter().any(|known| request.content_type().eq_ignore_ascii_case(known));
    let has_type = request.headers().contains_key(CONTENT_TYPE);
    let payload = web::Payload::from_request(request, payload);
    let request = request.clone();
    async move {
        if has_type && !is_known {
            return Err(unsupported_media_type(&types.join(" or ")));
        }
        let bytes = all_of(payload.await.map_err(|_| unreadable_body())?, MAX).await?;
        idempotency::note_body(&request, &bytes);
        match (bytes.is_empty(), has_type) {
            // No body at all says as much as an empty object.
            (true, false) => parse_value(b"{}"),
            (false, false) => Err(unsupported_media_type(&types.join(" or "))),
            (_, true) => parse_value(&bytes),
        }
    }
}

/// A body of at most `max` bytes, as it comes.
pub(super) async fn all_of(payload: web::Payload, max: usize) -> Result<web::Bytes, Problem> {
    let bytes = tokio::time::timeout(BODY_DEADLINE, payload.to_bytes_limited(max)).await.map_err(|_| timed_out())?;
    bytes.map_err(|_| too_large(max))?.map_err(|_| unreadable_body())
}

pub(super) fn unsupported_media_type(expected: &str) -> Problem {
    let detail = format!("The body must be {expected}.");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
}

pub(super) fn timed_out() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The body did not arrive in time.")
}

pub(super) fn too_large(max: usize) -> Problem {
    let detail = format!("The body is larger than {max} bytes.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
}

pub(super) fn unreadable_body() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_body", "The body could not be read.")
}

/// The value that is written as one JSON object.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    parse_value(bytes).map(|Object(value)| value)
}

fn parse_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| explain(&error))?;
    deserializer.end().map_err(|_| malformed())?;
    Ok(value)
}

/// Reads only what is written as a JSON object; a derived reader takes an array of the fields' values as well.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Self)
    }
}

/// As an optional field's `deserialize_with`: the object, not an array in its place.
pub(super) fn optional_object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|Object(value)| value))
}

/// As an optional field's `deserialize_with`: a list of objects.
pub(super) fn optional_objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    let objects = Option::<Vec<Object<T>>>::deserialize(deserializer)?;
    Ok(objects.map(|objects| objects.into_iter().map(|Object(value)| value).collect()))
}

/// As the `deserialize_with` of a field that is a list: objects, not arrays in their place.
pub(super) fn objects<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Vec::<Object<T>>::deserialize(deserializer)?.into_iter().map(|Object(value)| value).collect())
}

/// As a field's `deserialize_with`: the object, not an array in its place.
pub(super) fn object<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct AsMap<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for AsMap<T> {
        type Value = T;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(AsMap(PhantomData))
}

fn malformed() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", "The body is not one JSON value.")
}

/// Says what is wrong where, in words of our own: serde's repeat the value, which may be a secret.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    if error.inner().is_syntax() || error.inner().is_eof() {
        return malformed();
    }
    let words = error.inner().to_string();
    let quoted = words.split('`').nth(1).unwrap_or_default();
    let place = pointer(error.path());
    let (pointer, code, detail) = if words.starts_with("missing field") {
        (format!("{place}/{quoted}"), "missing", "is required".to_owned())
    } else if words.starts_with("unknown field") {
        (child(&place, quoted), "unknown_field", "is not known here".to_owned())
    } else if words.starts_with("duplicate field") {
        (child(&place, quoted), "duplicate_field", "is there twice".to_owned())
    } else {
        // The last one: what stands before it can repeat the value, whatever that says.
        let expected = words.rsplit_once(", expected ").map_or("another value", |(_, rest)| rest);
        let expected = expected.split(" at line ").next().unwrap_or(expected);
        (place, "invalid_value", format!("must be {expected}"))
    };
    Problem::field(StatusCode::BAD_REQUEST, pointer, code, detail)
}

/// serde names an unknown field's own place or its parent's, by format; either way the pointer ends with it once.
fn child(place: &str, name: &str) -> String {
    let name = crate::outbound::safe_line(name, 64).unwrap_or_default();
    if place.ends_with(&format!("/{name}")) { place.to_owned() } else { format!("{place}/{name}") }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", crate::outbound::safe_line(key, 64).unwrap_or_default())),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// A text field's rule that is broken.
pub(super) fn bad_text(pointer: &str, error: TextError) -> Problem {
    let code = match error {
        TextError::Empty => "empty",
        TextError::TooLong(_) => "too_long",
        TextError::Control => "control_character",
        TextError::Charset => "invalid_characters",
        TextError::Email => "invalid_email",
        TextError::Phone => "invalid_phone",
    };
    Problem::field(StatusCode::BAD_REQUEST, pointer, code, error.to_string())
}

/// An optional one-line text field.
pub(super) fn optional_line(pointer: &str, text: Option<String>, max: usize) -> Result<Option<String>, Problem> {
    match text {
        Some(text) => match crate::domain::text::one_line(&text, max) {
            Ok(()) => Ok(Some(text)),
            Err(error) => Err(bad_text(pointer, error)),
        },
        None => Ok(None),
    }
}

/// An optional time, as RFC 3339 writes it.
pub(super) fn optional_time(pointer: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let malformed = || {
        let detail = "must be a time such as 2026-11-24T10:00:00Z (RFC 3339)";
        Problem::field(StatusCode::BAD_REQUEST, pointer, "invalid_time", detail)
    };
    text.map(|text| Timestamp::parse(text).ok_or_else(malformed)).transpose()
}

pub(super) fn username(pointer: &str, text: &str) -> Result<Username, Problem> {
    Username::parse(text).map_err(|error| bad_text(pointer, error))
}

/// The realm named, or the primary one.
pub(super) fn realm(pointer: &str, text: Option<&str>) -> Result<Realm, Problem> {
    text.map_or_else(|| Ok(Realm::primary()), |text| Realm::parse(text).map_err(|error| bad_text(pointer, error)))
}

/// The invitation's id in a path; one that can't be an id names nothing.
pub(super) fn invitation_id(text: &str) -> Result<InvitationId, Problem> {
    InvitationId::parse(text).ok_or_else(|| ServiceError::Refused(Refusal::InvitationNotFound).into())
}

/// The webhook's id in a path.
pub(super) fn endpoint_id(text: &str) -> Result<EndpointId, Problem> {
    EndpointId::parse(text).ok_or_else(|| ServiceError::Refused(Refusal::WebhookNotFound).into())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only read by serde")]
        inner: Inner,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only read by serde")]
        max_length: u8,
    }

    fn problem(json: &str) -> (String, &'static str) {
        let problem = parse::<Outer>(json.as_bytes()).unwrap_err();
        assert!(!serde_json::to_string(&problem).unwrap().contains("hunter2"), "{problem:?}");
        problem.errors.first().map_or((String::new(), problem.code), |field| (field.pointer.clone(), field.code))
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_without_its_value() {
        let expect = |json, pointer: &str, code| assert_eq!(problem(json), (pointer.to_owned(), code), "{json}");
        expect("{", "", "malformed_json");
        expect(r#"{"inner":{"maxLength":1}} x"#, "", "malformed_json");
        expect(r#"{"inner":{"maxLength":"hunter2"}}"#, "/inner/maxLength", "invalid_value");
        expect(r#"{"inner":{"maxLength":300}}"#, "/inner/maxLength", "invalid_value");
        expect(r#"{"inner":{"maxLength":"expected hunter2, expected u8"}}"#, "/inner/maxLength", "invalid_value");
        expect(r#"{"inner":{}}"#, "/inner/maxLength", "missing");
        expect(r#"{"inner":{"maxLength":1,"extra":1}}"#, "/inner/extra", "unknown_field");
        expect(r#"{"inner":{"maxLength":1,"maxLength":2}}"#, "/inner/maxLength", "duplicate_field");
        expect("[]", "", "invalid_value");
    }
}
