//! Defaults, file and environment as one flat list of keys, each with the name under which it was written.
//!
//! `default.toml` is the schema: a key that is not in it is unknown, and a value must be of the type it has there. That is
//! also how a variable, which is only text, is read. Knows no key by name and what none of them means.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::{Table, Value};

const DEFAULTS: &str = include_str!("default.toml");
const ENV_PREFIX: &str = "INVITED__";

/// Lists of whole numbers; an empty list in `default.toml` does not say what it is a list of, and all others are of texts.
const NUMBER_LISTS: [&str; 5] = [
    "defaults.reminders.minutes_before_expiry",
    "email.http.accepted_statuses",
    "email.http.retried_statuses",
    "sms.http.accepted_statuses",
    "sms.http.retried_statuses",
];

/// One key's value. No `Debug`: it may be a secret.
struct Entry {
    value: Value,
    /// Where it was given; `None` for a default.
    given: Option<Place>,
}

/// The name under which a key was written, for messages.
#[derive(Clone)]
struct Place {
    name: String,
    file: Option<String>,
}

/// All keys by their dotted path, and what was found wrong so far.
pub(super) struct Layers {
    entries: BTreeMap<String, Entry>,
    problems: Vec<String>,
}

impl Layers {
    pub(super) fn of_defaults() -> Self {
        let mut layers = Self { entries: BTreeMap::new(), problems: Vec::new() };
        match DEFAULTS.parse::<Table>() {
            Ok(table) => {
                let keys = flatten("", table).into_iter();
                layers.entries = keys.map(|(key, value)| (key, Entry { value, given: None })).collect();
            }
            Err(error) => layers.problems.push(format!("default.toml: {}", error.message())),
        }
        layers
    }

    pub(super) fn add_file(&mut self, file: &str, text: &str) {
        match text.parse::<Table>() {
            Ok(table) => {
                for (key, value) in flatten("", table) {
                    let place = Place { name: key.clone(), file: Some(file.to_owned()) };
                    self.add(&key, place, |_| Some(value));
                }
            }
            Err(error) => {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                self.problems.push(format!("{file}: line {line}: {}", error.message()));
            }
        }
    }

    pub(super) fn add_env(&mut self, env: &BTreeMap<String, String>) {
        for (name, text) in env {
            if let Some(path) = name.strip_prefix(ENV_PREFIX) {
                let key = path.to_lowercase().replace("__", ".");
                self.add(&key, Place { name: name.clone(), file: None }, |default| read_as(default, text));
            }
        }
    }

    /// Puts what `…_file` keys name in the place of the key they stand for, if they stand for one.
    pub(super) fn read_secret_files(&mut self) {
        let named = self.entries.keys().filter_map(|key| key.strip_suffix("_file"));
        let named: Vec<_> = named.filter(|key| self.entries.contains_key(*key)).map(str::to_owned).collect();
        for key in named {
            let file_key = format!("{key}_file");
            let path = self.text(&file_key);
            if path.is_empty() {
                continue;
            }
            if self.is_given(&key) {
                self.fail(&file_key, format_args!("is given beside {key}; only one of them can be"));
                continue;
            }
            match std::fs::read_to_string(path) {
                Ok(text) => self.replace(&key, &file_key, &text),
                Err(error) => self.fail(&file_key, format_args!("can't be read: {}", error.kind())),
            }
        }
    }

    /// Notes that the value of `key` is wrong. `what` must not repeat the value of a secret.
    pub(super) fn fail(&mut self, key: &str, what: impl fmt::Display) {
        let place = self.entries.get(key).and_then(|entry| entry.given.as_ref());
        self.problems.push(match place {
            Some(place) => place.complain(what),
            None => format!("{key}: {what}"),
        });
    }

    /// Notes that `key` must be given.
    pub(super) fn fail_missing(&mut self, key: &str) {
        let variable = format!("{ENV_PREFIX}{}", key.to_uppercase().replace('.', "__"));
        self.fail(key, format_args!("is required; it can also be given as {variable}"));
    }

    pub(super) fn into_problems(self) -> Vec<String> {
        self.problems
    }

    /// Whether the file or the environment sets `key`; an empty text does not.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.given.is_some() && entry.value.as_str() != Some(""))
    }

    /// The text of `key`; empty when it is not set.
    pub(super) fn text(&self, key: &str) -> String {
        self.value(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The text of `key`, unless it is not set.
    pub(super) fn optional_text(&self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    /// The text of `key`, which must be set.
    pub(super) fn required_text(&mut self, key: &str) -> String {
        let text = self.text(key);
        if text.is_empty() {
            self.fail_missing(key);
        }
        text
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.value(key).and_then(Value::as_bool).unwrap_or_default()
    }

    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        let list = self.value(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub(super) fn numbers<T: TryFrom<i64>>(&mut self, key: &str, range: RangeInclusive<i64>) -> Vec<T> {
        let list = self.value(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let numbers: Vec<i64> = list.iter().filter_map(Value::as_integer).collect();
        if !numbers.iter().all(|number| range.contains(number)) {
            self.fail(key, format_args!("can only have {} to {}", range.start(), range.end()));
        }
        numbers.into_iter().filter_map(|number| T::try_from(number).ok()).collect()
    }

    pub(super) fn number<T: TryFrom<i64> + Default>(&mut self, key: &str, range: RangeInclusive<i64>) -> T {
        let number = self.value(key).and_then(Value::as_integer).unwrap_or_default();
        if !range.contains(&number) {
            self.fail(key, format_args!("must be {} to {}", range.start(), range.end()));
        }
        T::try_from(number).unwrap_or_default()
    }

    pub(super) fn millis(&mut self, key: &str, range: RangeInclusive<i64>) -> Duration {
        Duration::from_millis(self.number(key, range))
    }

    pub(super) fn days(&mut self, key: &str, range: RangeInclusive<i64>) -> Duration {
        Duration::from_hours(24).saturating_mul(self.number(key, range))
    }

    /// The keys below `section` that were given, by the path within it; an empty text is "not set" here as well.
    pub(super) fn given_below(&self, section: &str) -> impl Iterator<Item = (&str, &Value)> {
        let prefix = format!("{section}.");
        let given = self.entries.iter().filter(|(key, _)| self.is_given(key));
        given.filter_map(move |(key, entry)| Some((key.strip_prefix(&prefix)?, &entry.value)))
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Lays a value over what is there, when the key is known and `read` makes it one of the right type.
    fn add(&mut self, key: &str, place: Place, read: impl FnOnce(&Value) -> Option<Value>) {
        let Some(entry) = self.entries.get_mut(key) else {
            let section = format!("{key}.");
            let is_section = self.entries.keys().any(|known| known.starts_with(&section));
            self.problems.push(place.complain(if is_section { "is a section, not a key" } else { "unknown key" }));
            return;
        };
        match read(&entry.value).filter(|value| is_like(key, value, &entry.value)) {
            Some(value) => *entry = Entry { value, given: Some(place) },
            None => self.problems.push(place.complain(expectation(key, &entry.value))),
        }
    }

    fn replace(&mut self, key: &str, file_key: &str, text: &str) {
        let given = self.entries.get(file_key).and_then(|entry| entry.given.clone());
        if let Some(entry) = self.entries.get_mut(key) {
            let value = match entry.value {
                Value::Array(_) => {
                    Value::Array(text.lines().filter(|line| !line.is_empty()).map(Value::from).collect())
                }
                _ => Value::from(without_line_end(text)),
            };
            *entry = Entry { value, given };
        }
    }
}

impl Place {
    fn complain(&self, what: impl fmt::Display) -> String {
        match &self.file {
            Some(file) => format!("{}: {what} (in {file})", self.name),
            None => format!("{}: {what}", self.name),
        }
    }
}

/// Every leaf below a table by its dotted path; an empty table is a leaf, so that it doesn't go unnoticed.
fn flatten(prefix: &str, table: Table) -> Vec<(String, Value)> {
    let below = |(key, value)| {
        let path = if prefix.is_empty() { key } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(table) if !table.is_empty() => flatten(&path, table),
            leaf => vec![(path, leaf)],
        }
    };
    table.into_iter().flat_map(below).collect()
}

/// A variable's text as a value of the default's type.
fn read_as(default: &Value, text: &str) -> Option<Value> {
    match default {
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::Array(_) => text.parse().ok(),
        _ => Some(Value::from(text)),
    }
}

/// Whether the value is of the default's type.
fn is_like(key: &str, value: &Value, default: &Value) -> bool {
    let is_element = if NUMBER_LISTS.contains(&key) { Value::is_integer } else { Value::is_str };
    value.same_type(default) && value.as_array().is_none_or(|list| list.iter().all(is_element))
}

fn expectation(key: &str, default: &Value) -> &'static str {
    match default {
        Value::Integer(_) => "expected a whole number",
        Value::Boolean(_) => "expected true or false",
        Value::Array(_) if NUMBER_LISTS.contains(&key) => "expected a list of whole numbers such as [1440, 60]",
        Value::Array(_) => r#"expected a list of texts such as ["a", "b"]"#,
        _ => "expected a text",
    }
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}
