//! The layers of the configuration as one tree, and which layer a key came from.

use serde_json::Value as Json;
use toml::{Table, Value};

use super::ConfigErrors;
use crate::domain::settings::Settings;

const PREFIX: &str = "INVITED__";

/// The merged tree.
pub(super) struct Layers {
    pub(super) tree: Value,
    file: Option<(String, Table)>,
}

/// Lays the file over the defaults and the variables over both.
pub(super) fn merge(
    defaults: &str,
    file: Option<(&str, &str)>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Layers, ConfigErrors> {
    let mut problems = Vec::new();
    let defaults: Table =
        defaults.parse().map_err(|error| ConfigErrors(vec![format!("built-in defaults: {error}")]))?;
    let mut tree = defaults.clone();
    let mut parsed = None;
    if let Some((name, text)) = file {
        match text.parse::<Table>() {
            Ok(table) => {
                overlay(&mut tree, &table);
                parsed = Some((name.to_owned(), table));
            }
            // The parser's own words repeat the line, which may hold a secret.
            Err(error) => problems.push(format!("{name}: {}", at_line(text, &error))),
        }
    }
    for (name, value) in environment {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        let path: Vec<String> = path.split("__").map(str::to_ascii_lowercase).collect();
        match typed(&defaults, &path, &value) {
            Ok(value) => insert(&mut tree, &path, value),
            Err(expected) => problems.push(format!("{name}: expected {expected}")),
        }
    }
    if problems.is_empty() {
        Ok(Layers { tree: Value::Table(tree), file: parsed })
    } else {
        Err(ConfigErrors(problems))
    }
}

fn at_line(text: &str, error: &toml::de::Error) -> String {
    let line =
        error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.matches('\n').count() + 1);
    format!("not valid TOML at line {line}")
}

fn overlay(target: &mut Table, over: &Table) {
    for (key, value) in over {
        match (target.get_mut(key), value) {
            (Some(Value::Table(target)), Value::Table(over)) => overlay(target, over),
            _ => {
                target.insert(key.clone(), value.clone());
            }
        }
    }
}

fn insert(tree: &mut Table, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            tree.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            if let Value::Table(table) = tree.entry(key.clone()).or_insert_with(|| Value::Table(Table::new())) {
                insert(table, rest, value);
            }
        }
    }
}

/// A variable's text as what stands at its place by default.
fn typed(defaults: &Table, path: &[String], text: &str) -> Result<Value, &'static str> {
    let kind = match path {
        [section, rest @ ..] if section == "defaults" => setting_kind(rest),
        _ => default_kind(defaults, path),
    };
    let is_list = text.trim_start().starts_with('[');
    match kind {
        Kind::Number => text.trim().parse().map(Value::Integer).map_err(|_| "a whole number"),
        Kind::Switch => text.trim().parse().map(Value::Boolean).map_err(|_| "true or false"),
        Kind::List => list(text).ok_or("a list such as [\"a\",\"b\"]"),
        Kind::Text => Ok(Value::String(text.to_owned())),
        Kind::Unknown if is_list => Ok(list(text).unwrap_or_else(|| Value::String(text.to_owned()))),
        Kind::Unknown => Ok(Value::String(text.to_owned())),
    }
}

enum Kind {
    Number,
    Switch,
    List,
    Text,
    Unknown,
}

fn default_kind(defaults: &Table, path: &[String]) -> Kind {
    // The only keys without a default that are no texts.
    match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["server", "workers"] => return Kind::Number,
        ["secrets", "master_keys"] => return Kind::List,
        _ => {}
    }
    let mut table = defaults;
    let Some((last, sections)) = path.split_last() else { return Kind::Unknown };
    for section in sections {
        match table.get(section) {
            Some(Value::Table(inner)) => table = inner,
            _ => return Kind::Unknown,
        }
    }
    match table.get(last) {
        Some(Value::Integer(_)) => Kind::Number,
        Some(Value::Boolean(_)) => Kind::Switch,
        Some(Value::Array(_)) => Kind::List,
        Some(Value::String(_)) => Kind::Text,
        _ => Kind::Unknown,
    }
}

fn setting_kind(path: &[String]) -> Kind {
    let settings = serde_json::to_value(Settings::default()).unwrap_or_default();
    let found = path.iter().try_fold(&settings, |json, key| json.get(camel_case(key)));
    match found {
        Some(Json::Number(_)) => Kind::Number,
        Some(Json::Bool(_)) => Kind::Switch,
        Some(Json::Array(_)) => Kind::List,
        Some(Json::String(_)) => Kind::Text,
        _ => Kind::Unknown,
    }
}

fn list(text: &str) -> Option<Value> {
    let table: Table = format!("list = {text}").parse().ok()?;
    table.get("list").filter(|value| value.is_array()).cloned()
}

/// `expiry_minutes` → `expiryMinutes`.
pub(super) fn camel_case(key: &str) -> String {
    let mut words = key.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
        name
    })
}

/// `/links/setupUrl` → `defaults.links.setup_url`.
pub(super) fn setting_key(pointer: &str) -> String {
    let mut key = "defaults".to_owned();
    for letter in pointer.chars() {
        match letter {
            '/' => key.push('.'),
            letter if letter.is_ascii_uppercase() => key.extend(['_', letter.to_ascii_lowercase()]),
            letter => key.push(letter),
        }
    }
    key
}

impl Layers {
    /// Names the key that can't be read and its layer, without its value.
    pub(super) fn explain(&self, error: &serde_path_to_error::Error<toml::de::Error>) -> String {
        let words = error.inner().message();
        let quoted = words.split('`').nth(1).unwrap_or_default();
        let place = error.path().to_string();
        if words.starts_with("unknown field") {
            let key = if place.ends_with(quoted) {
                place
            } else {
                format!("{place}.{quoted}").trim_start_matches(['.']).to_owned()
            };
            return format!("{key}: unknown key{}", self.source(&key));
        }
        if words.starts_with("missing field") {
            return format!("{place}.{quoted}: is required").trim_start_matches('.').to_owned();
        }
        let expected = words.split_once("expected ").map_or("another value", |(_, rest)| rest);
        format!("{place}: expected {expected}{}", self.source(&place))
    }

    fn source(&self, key: &str) -> String {
        let in_file = self.file.as_ref().filter(|(_, table)| {
            let mut keys = key.split('.');
            let first = keys.next().and_then(|key| table.get(key));
            keys.try_fold(first, |value, key| value.map(|value| value.get(key))).flatten().is_some()
        });
        match in_file {
            Some((name, _)) => format!(" (in {name})"),
            None => format!(" (in {PREFIX}{})", key.replace('.', "__").to_ascii_uppercase()),
        }
    }
}
