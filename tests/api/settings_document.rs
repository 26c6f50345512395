//! The settings as they are described, in the OpenAPI document and in `docs/settings.md`, against what the service does.

use std::collections::BTreeMap;

use invited::domain::settings::{Defaults, Settings};
use serde_json::{Value, json};

use crate::examples::shape;
use crate::support::TestApp;

fn schemas() -> Value {
    serde_json::from_str::<Value>(&invited::http::openapi::json()).unwrap()["components"]["schemas"].take()
}

/// Every setting by its dotted key, with its default and its schema.
fn settings() -> BTreeMap<String, (Value, Value)> {
    fn walk(key: &str, value: &Value, schema: &Value, found: &mut BTreeMap<String, (Value, Value)>) {
        let Some(members) = value.as_object() else {
            found.insert(key.to_owned(), (value.clone(), schema.clone()));
            return;
        };
        assert_eq!(members.len(), schema["properties"].as_object().unwrap().len(), "{key}");
        for (name, member) in members {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            walk(&key, member, &schema["properties"][name], found);
        }
    }
    let mut found = BTreeMap::new();
    walk("", &serde_json::to_value(Settings::default()).unwrap(), &schemas()["Settings"], &mut found);
    found
}

/// An override of one key.
fn only(key: &str, value: Value) -> Value {
    key.rsplit('.').fold(value, |inner, name| json!({name: inner}))
}

#[test]
fn the_ranges_of_the_document_are_those_that_hold() {
    let is_taken = |key: &str, value: i64| Defaults::built_in().merged(&only(key, json!(value))).is_ok();
    let mut ranges = 0;
    for (key, (_, schema)) in settings() {
        let (Some(min), Some(max)) = (schema["minimum"].as_i64(), schema["maximum"].as_i64()) else {
            assert_ne!(schema["type"], "integer", "{key} has no range");
            continue;
        };
        let taken = [min - 1, min, max, max + 1].map(|value| is_taken(&key, value));
        assert_eq!(taken, [false, true, true, false], "{key}");
        ranges += 1;
    }
    assert_eq!(ranges, 9);
}

#[test]
fn the_page_about_settings_tells_every_key_its_values_and_its_default() {
    let page = include_str!("../../docs/settings.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let rows: BTreeMap<_, _> = rows
        .map(|row| {
            let columns: Vec<_> = row.split('|').map(str::trim).collect();
            assert_eq!(columns.len(), 7, "{row}");
            (columns[1].trim_matches('`').to_owned(), (columns[2].to_owned(), columns[3].to_owned()))
        })
        .collect();
    let settings = settings();
    assert!(rows.keys().eq(settings.keys()), "{:?} and {:?}", rows.keys(), settings.keys());
    for (key, (values, default)) in rows {
        let (built_in, schema) = &settings[&key];
        assert_eq!(default, format!("`{built_in}`"), "{key}");
        let listed = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        if let Some(words) = schema["enum"].as_array() {
            let words: Vec<_> = words.iter().map(|word| word.as_str().unwrap()).collect();
            assert_eq!(values, listed(&words), "{key}");
        } else if let Some(min) = schema["minimum"].as_i64() {
            assert_eq!(values, format!("{min} – {}", schema["maximum"]), "{key}");
        } else if let Some(max) = schema["maxLength"].as_i64().or(schema["maxItems"].as_i64()) {
            assert!(values.contains(&format!("up to {max} ")), "{key}: {values}");
        } else {
            assert_eq!((schema["type"].as_str(), values), (Some("boolean"), listed(&["true", "false"])), "{key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_settings_work() {
    let app = TestApp::spawn().await;
    let schemas = schemas();
    let (example, patch) = (&schemas["SettingsView"]["example"], &schemas["SettingsPatch"]["example"]);
    assert_eq!(shape(&app.get("/v1/settings").await.ok(200)), shape(example));
    let token = app.token();
    for content_type in ["application/merge-patch+json", "application/json"] {
        let request = app.request("PATCH", "/v1/settings").bearer_auth(&token).header("Content-Type", content_type);
        let changed = app.send(request.body(patch.to_string())).await.ok(200);
        assert_eq!(shape(&changed), shape(example), "{content_type}");
        assert_eq!(
            (&changed["settings"]["method"], &changed["sources"]["locale"]),
            (&patch["method"], &json!("default"))
        );
    }
    let reset = app.send(app.request("DELETE", "/v1/settings").bearer_auth(&token)).await.ok(200);
    assert_eq!(shape(&reset), shape(example));
    app.finish().await;
}
