//! Reading, changing and resetting a tenant's settings.
//!
//! What holds is made of three layers by `domain::settings`. A change is one transaction that holds the tenant's row: the
//! condition is judged, the patch applied, the result checked as a whole, and the audit row written, or nothing is done.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Caller, Channels, Failure, Refusal, Service, ServiceResult};
use crate::domain::ids::TenantId;
use crate::domain::settings::{
    Defaults, Effective, Notifications, Settings, SettingsProblem, Source, apply, differences,
};
use crate::domain::warning::settings_warnings;
use crate::storage::audit::{Event, record};
use crate::storage::settings::{self as stored, Overrides};

/// A tenant's settings at one moment.
pub struct SettingsSnapshot {
    pub settings: Settings,
    /// The layer of every value, by its dotted key.
    pub sources: BTreeMap<String, Source>,
    /// `code: /pointer: words`.
    pub warnings: Vec<String>,
    /// Opaque; another one whenever the settings are, or were in between.
    pub tag: String,
}

/// What must be so for a change to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    None,
    /// The settings have one of these tags.
    Tagged(Vec<String>),
}

/// What a change can be made from: what holds at that moment, and what would hold without the tenant's overrides.
pub struct Standing<'a> {
    pub settings: &'a Settings,
    pub defaults: &'a Settings,
}

/// How the overrides are to change.
enum Change {
    Patch(Value),
    Draft(Box<Draft>),
    Reset,
}

/// Makes the merge patch, or says why there can be none.
type Draft = dyn Fn(&Standing<'_>) -> Result<Value, Vec<SettingsProblem>> + Send;

/// What judging settings takes besides the settings.
#[derive(Clone)]
struct Rules {
    defaults: Arc<Defaults>,
    channels: Channels,
}

impl Service {
    /// The settings that hold for the tenant.
    ///
    /// # Errors
    /// That the database failed.
    pub async fn settings(&self, tenant: &TenantId) -> ServiceResult<Arc<Settings>> {
        let wanted = tenant.clone();
        let found = self.store.read(move |conn| stored::find(conn, &wanted)).await?;
        let effective = self.defaults.effective(&parsed(&found.unwrap_or_default())?);
        if !effective.set_aside.is_empty() {
            let keys = effective.set_aside.join(", ");
            tracing::warn!(
                tenant = tenant.as_str(),
                keys,
                "overrides of a tenant no longer fit the operator's settings"
            );
        }
        Ok(Arc::new(effective.settings))
    }

    /// The settings that hold for the tenant, with where they come from.
    ///
    /// # Errors
    /// That the database failed.
    pub async fn get_settings(&self, caller: &Caller) -> ServiceResult<SettingsSnapshot> {
        let tenant = caller.tenant.clone();
        let found = self.store.read(move |conn| stored::find(conn, &tenant)).await?;
        self.rules().snapshot(&found.unwrap_or_default())
    }

    /// Applies a JSON merge patch (RFC 7396) to what the tenant overrides. One that changes nothing leaves no trace.
    ///
    /// # Errors
    /// [`Refusal::PreconditionFailed`], [`Refusal::SettingsRejected`], or a failure.
    pub async fn change_settings(
        &self,
        caller: &Caller,
        patch: Value,
        condition: Condition,
    ) -> ServiceResult<SettingsSnapshot> {
        self.write_settings(caller, Change::Patch(patch), condition).await
    }

    /// Applies the merge patch that `draft` makes of what holds when the change is made; nobody changes anything in between. It can
    /// be asked more than once, when another transaction gets in the way.
    ///
    /// # Errors
    /// [`Refusal::SettingsRejected`], with what `draft` has found or with what is wrong with the result; or a failure.
    pub async fn change_settings_by(
        &self,
        caller: &Caller,
        draft: impl Fn(&Standing<'_>) -> Result<Value, Vec<SettingsProblem>> + Send + 'static,
    ) -> ServiceResult<SettingsSnapshot> {
        self.write_settings(caller, Change::Draft(Box::new(draft)), Condition::None).await
    }

    /// Takes all overrides of the tenant away.
    ///
    /// # Errors
    /// [`Refusal::PreconditionFailed`], or a failure.
    pub async fn reset_settings(&self, caller: &Caller, condition: Condition) -> ServiceResult<SettingsSnapshot> {
        self.write_settings(caller, Change::Reset, condition).await
    }

    async fn write_settings(
        &self,
        caller: &Caller,
        change: Change,
        condition: Condition,
    ) -> ServiceResult<SettingsSnapshot> {
        let (rules, caller) = (self.rules(), caller.clone());
        self.store
            .write(move |conn| {
                let begun = conn.now()?;
                let seen = stored::hold(conn, &caller.tenant, begun)?;
                if !condition.holds(&rules, &seen)? {
                    return Err(Refusal::PreconditionFailed.into());
                }
                let overrides = parsed(&seen)?;
                let changed = rules.changed(&overrides, &change)?;
                let keys = differences(&overrides, &changed);
                if keys.is_empty() {
                    return rules.snapshot(&seen);
                }
                let (json, now) = (changed.to_string(), conn.now()?);
                stored::replace(conn, &caller.tenant, &seen, &json, now)?;
                // Which keys, not which values.
                let (tenant, detail) = (&caller.tenant, keys.join(", "));
                let event = Event { event: change.event(), tenant, invitation: None, account: None, detail: &detail };
                record(conn, &caller.actor, now, &event)?;
                rules.snapshot(&Overrides { json, version: seen.version + 1 })
            })
            .await
    }

    fn rules(&self) -> Rules {
        Rules { defaults: Arc::clone(&self.defaults), channels: self.channels }
    }
}

impl Change {
    const fn event(&self) -> &'static str {
        match self {
            Self::Patch(_) | Self::Draft(_) => "settings.changed",
            Self::Reset => "settings.reset",
        }
    }
}

impl Condition {
    fn holds(&self, rules: &Rules, seen: &Overrides) -> ServiceResult<bool> {
        match self {
            Self::None => Ok(true),
            Self::Tagged(tags) => Ok(tags.contains(&rules.snapshot(seen)?.tag)),
        }
    }
}

impl Rules {
    /// The overrides after the change, all of them checked.
    fn changed(&self, overrides: &Value, change: &Change) -> Result<Value, Refusal> {
        let patch = match change {
            Change::Reset => return Ok(json!({})),
            Change::Patch(patch) => patch.clone(),
            Change::Draft(draft) => {
                let settings = &self.defaults.effective(overrides).settings;
                draft(&Standing { settings, defaults: &self.defaults.settings }).map_err(Refusal::SettingsRejected)?
            }
        };
        let changed = apply(overrides, &patch);
        let mut problems = self.defaults.faults_of_patch(overrides, &patch);
        match self.defaults.merged(&changed) {
            Ok(settings) => problems.extend(self.unreachable(&settings, |key| changed.pointer(key).is_some())),
            Err(found) => problems.extend(found),
        }
        problems.sort_by(|one, other| (&one.pointer, one.code).cmp(&(&other.pointer, other.code)));
        problems.dedup();
        if problems.is_empty() { Ok(changed) } else { Err(Refusal::SettingsRejected(problems)) }
    }

    /// Methods that would have us send by a channel that has no gateway, where the tenant itself had a say in that. What the
    /// operator's own settings leave impossible is no reason to refuse a tenant another change.
    fn unreachable(&self, settings: &Settings, is_own: impl Fn(&str) -> bool) -> Vec<SettingsProblem> {
        if settings.notifications == Notifications::External {
            return Vec::new();
        }
        let methods = [
            ("/method", Some(settings.method)),
            ("/passwordReset/method", Some(settings.password_reset.method)),
            ("/fallback/emailTo", settings.fallback.email_to.method()),
            ("/fallback/smsTo", settings.fallback.sms_to.method()),
        ];
        let methods = methods.into_iter().filter_map(|(pointer, method)| Some((pointer, method?)));
        let missing = methods.filter(|(pointer, method)| {
            !self.channels.has(method.channel()) && (is_own(pointer) || is_own("/notifications"))
        });
        let detail = "no gateway is configured for this method";
        missing
            .map(|(pointer, _)| SettingsProblem {
                pointer: pointer.to_owned(),
                code: "channel_not_configured",
                detail: detail.to_owned(),
            })
            .collect()
    }

    fn snapshot(&self, overrides: &Overrides) -> ServiceResult<SettingsSnapshot> {
        let Effective { settings, sources, set_aside } = self.defaults.effective(&parsed(overrides)?);
        let mut warnings = settings_warnings(&settings);
        let problems = self.unreachable(&settings, |_| true).into_iter().chain(settings.problems());
        warnings.extend(problems.map(|problem| format!("{}: {}: {}", problem.code, problem.pointer, problem.detail)));
        warnings.extend(set_aside.iter().map(|key| {
            let pointer = key.replace('.', "/");
            format!("override_set_aside: /{pointer}: no longer fits the operator's settings, which hold in its place")
        }));
        let tag = tag_of(&json!([overrides.version, settings, sources, warnings]));
        Ok(SettingsSnapshot { settings, sources, warnings, tag })
    }
}

fn parsed(overrides: &Overrides) -> ServiceResult<Value> {
    serde_json::from_str(&overrides.json).map_err(|_| Failure::Corrupt("tenant's settings").into())
}

/// 128 bits of a digest of everything that the answer shows, and of the version.
fn tag_of(content: &Value) -> String {
    let digest = digest(&SHA256, content.to_string().as_bytes());
    URL_SAFE_NO_PAD.encode(digest.as_ref().get(..16).unwrap_or_default())
}
