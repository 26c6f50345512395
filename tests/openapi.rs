//! The OpenAPI document is what is checked in, and what a front-end team can work with.

#![expect(clippy::unwrap_used, reason = "a test ends where it can't go on")]

use std::collections::HashSet;

use serde_json::Value;

fn document() -> Value {
    serde_json::from_str(&invited::http::openapi::json()).unwrap()
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let named = |(path, item): (&String, &'static str)| format!("{item} {path}");
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = ["get", "put", "post", "patch", "delete"];
            methods.into_iter().filter_map(move |method| Some((named((path, method)), item.get(method)?)))
        })
        .collect()
}

/// Whether it is one of WSO2's routes, which have their own form of errors and take fields that they don't know.
fn is_compatible(name: &str) -> bool {
    name.contains(" /api/")
}

#[test]
fn the_document_checked_in_is_the_one_served() {
    let checked_in = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json")).unwrap();
    assert!(
        checked_in == invited::http::openapi::json(),
        "the API has changed: run `make openapi` and look at the difference"
    );
}

#[test]
fn every_operation_can_be_found_and_understood() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = HashSet::new();
    let tags: Vec<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let operations = operations(&document);
    assert!(operations.len() >= 12, "{}", operations.len());
    for (name, operation) in operations {
        let id = operation["operationId"].as_str().unwrap();
        assert!(id.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}: {id}");
        assert!(ids.insert(id.to_owned()), "{name}: {id} is there twice");
        assert!(operation["summary"].is_string() && tags.contains(&operation["tags"][0].as_str().unwrap()), "{name}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(!response["description"].as_str().unwrap().is_empty(), "{name} {status}");
            let (schema, media_type) =
                if is_compatible(&name) { ("schemas/Fault", "json") } else { ("schemas/Problem", "problem+json") };
            let is_error = response.to_string().contains(schema);
            assert_eq!(is_error, !status.starts_with('2') && status != "304", "{name} {status}");
            if is_error {
                assert!(response["content"][format!("application/{media_type}")].is_object(), "{name} {status}");
            }
        }
    }
}

#[test]
fn admin_operations_name_their_scope_and_the_persons_need_none() {
    let document = document();
    for (name, operation) in operations(&document) {
        let security = operation.get("security").map(Value::to_string).unwrap_or_default();
        if name.contains("/v1/callbacks/") {
            // The vendors' own credentials, of which two are in the body.
            assert!(security.contains("Signature") && security.ends_with(",{}]"), "{security}");
            assert!(operation["responses"]["401"].is_object(), "{name}");
            continue;
        }
        for status in ["401", "403"] {
            assert_eq!(operation["responses"][status].is_object(), !security.is_empty(), "{name} {status}");
        }
        let expected = match name.as_str() {
            name if name.contains("/health/")
                || ["/v1/redemptions", "/decline", "/request-new"].iter().any(|end| name.ends_with(end)) =>
            {
                ""
            }
            name if name.ends_with("/password") => r#"[{"grant":[]}]"#,
            _ => {
                assert!(security.starts_with(r#"[{"accessToken":[""#) && security.contains(':'), "{name}: {security}");
                continue;
            }
        };
        assert_eq!(security, expected, "{name}");
    }
}

/// POSTs that need no key: they neither create nor send anything, a repeat does no more than the first (the cool-down sees to it where a
/// message is asked for), or is meant to be one more try of an endpoint. What sets a password with a secret has its key in that;
/// gateways' reports are told from repeats by what became of the message.
const WITHOUT_KEY: [&str; 12] = [
    "/{provider}",
    "/preview",
    "/cancel",
    "/decline",
    "/request-new",
    "/test",
    "/recover-password",
    "/validate-code",
    "/introspect-code",
    "/set-password",
    "/preferences",
    "/revert",
];

#[test]
fn what_creates_or_sends_can_be_repeated_by_its_key() {
    let document = document();
    for (name, operation) in operations(&document).into_iter().filter(|(name, _)| name.starts_with("post ")) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let key = parameters.filter(|parameter| parameter["name"] == "Idempotency-Key").count();
        let expected = usize::from(!WITHOUT_KEY.iter().any(|end| name.ends_with(end)));
        assert_eq!(key, expected, "{name}: see CONTRIBUTING.md, \"Adding an endpoint\"");
    }
    let issue = &document["paths"]["/v1/invitations"]["post"]["responses"];
    assert!(issue["201"]["headers"]["Idempotent-Replayed"].is_object());
    for (status, code) in [("409", "idempotency_in_progress"), ("422", "idempotency_key_reused")] {
        assert!(issue[status]["description"].as_str().unwrap().contains(code), "{status}");
    }
}

#[test]
fn requests_have_examples_and_take_no_unknown_fields() {
    let document = document();
    let mut bodies = 0;
    for (name, operation) in operations(&document) {
        let Some(body) = operation.pointer("/requestBody/content/application~1json/schema/$ref") else { continue };
        let schema = document.pointer(body.as_str().unwrap().trim_start_matches('#')).unwrap();
        if !is_compatible(&name) {
            assert_closed(&document, schema, &name);
        }
        assert!(schema["example"].is_object(), "{name}");
        bodies += 1;
    }
    assert!(bodies >= 6, "{bodies}");
}

/// The object and those in it take no fields but the ones named; `metadata` is the caller's own.
fn assert_closed(document: &Value, schema: &Value, place: &str) {
    let Some(properties) = schema["properties"].as_object() else { return };
    assert_eq!(schema["additionalProperties"], false, "{place}");
    for (name, property) in properties.iter().filter(|(name, _)| *name != "metadata") {
        let named = property["$ref"].as_str().map(|place| document.pointer(place.trim_start_matches('#')).unwrap());
        assert_closed(document, named.unwrap_or(property), &format!("{place} {name}"));
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = document();
    let text = document.to_string();
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("\"#/components/schemas/{name}\"")), "{name} is not used");
    }
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
    }
}
