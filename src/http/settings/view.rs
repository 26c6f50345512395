//! Settings as callers see them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::settings::{Defaults, Effective, Settings, Source};
use crate::service::settings::SettingsSnapshot;

/// The settings that hold for a tenant, complete.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(example()))]
pub(super) struct SettingsView {
    settings: Settings,
    /// Where each value comes from, by its dotted key (`otp.length`): `default` is built in, `operator` is the configuration
    /// of the service, `tenant` was set here.
    sources: BTreeMap<String, Source>,
    /// What a standard advises against, what no longer fits and what can't work: `code: /pointer: words`.
    warnings: Vec<String>,
}

impl From<SettingsSnapshot> for SettingsView {
    fn from(snapshot: SettingsSnapshot) -> Self {
        let SettingsSnapshot { settings, sources, warnings, tag: _ } = snapshot;
        Self { settings, sources, warnings }
    }
}

/// A tenant that overrides two values of an operator's that gave two.
fn example() -> Value {
    let links = json!({"setupUrl": "https://app.example.com/set-password#token={token}", "otpUrl": "https://app.example.com/enter-code"});
    let defaults = Defaults::new(json!({"links": links})).unwrap_or_else(|_| Defaults::built_in());
    let Effective { settings, sources, .. } = defaults.effective(&json!({"expiryMinutes": -1, "otp": {"length": 8}}));
    let warnings = crate::domain::warning::settings_warnings(&settings);
    json!({"settings": settings, "sources": sources, "warnings": warnings})
}
