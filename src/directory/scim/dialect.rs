//! What a dialect makes of a user that is read and of changes that are written.

use serde_json::{Map, Value, json};

use crate::directory::PasswordChange;
use crate::domain::account::{Access, AccountState, LockReason};
use crate::domain::dialect::{Dialect, LockDetail, PatchStyle};
use crate::domain::invitation::Channel;

/// An attribute of a user: a name, or `urn:…:name` of an extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    schema: Option<String>,
    name: String,
}

impl Attribute {
    pub(super) fn parse(text: &str) -> Self {
        match text.rsplit_once(':') {
            Some((schema, name)) => Self { schema: Some(schema.to_owned()), name: name.to_owned() },
            None => Self { schema: None, name: text.to_owned() },
        }
    }

    /// Another one of the same schema.
    fn sibling(&self, name: &str) -> Self {
        Self { schema: self.schema.clone(), name: name.to_owned() }
    }

    pub(super) fn of<'a>(&self, resource: &'a Value) -> Option<&'a Value> {
        let holder = match &self.schema {
            Some(schema) => resource.get(schema)?,
            None => resource,
        };
        holder.get(&self.name)
    }

    fn path(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}:{}", self.name),
            None => self.name.clone(),
        }
    }
}

impl Dialect {
    fn lock(&self) -> Attribute {
        Attribute::parse(&self.lock_attribute)
    }

    pub(super) fn marker_of(&self, resource: &Value) -> Option<String> {
        let attribute = Attribute::parse(self.marker_attribute.as_deref()?);
        attribute.of(resource)?.as_str().map(str::to_owned)
    }

    pub(super) fn standing_of(&self, resource: &Value) -> Standing {
        let is_active = resource.get("active").and_then(flag).unwrap_or(true);
        let lock = self.lock();
        if is_active_attribute(&lock) {
            let access = if is_active { Access::Usable } else { Access::Locked };
            return Standing { access, locked_reason: None, account_state: None };
        }
        let text = |name: &str| lock.sibling(name).of(resource).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (locked_reason, account_state) = (text("lockedReason"), text("accountState"));
        let is_set = |attribute: &Attribute| attribute.of(resource).and_then(flag) == Some(true);
        let is_disabled = !is_active || is_set(&lock.sibling("accountDisabled")) || account_state == Some("DISABLED");
        let access = match (is_disabled, is_set(&lock)) {
            (true, _) => Access::Barred,
            (false, true) => locked_reason.map_or(Access::Locked, |reason| self.access_locked_for(reason)),
            (false, false) => Access::Usable,
        };
        Standing {
            access,
            locked_reason: locked_reason.map(str::to_owned),
            account_state: account_state.map(str::to_owned),
        }
    }

    /// Whose lock it is, by its reason. WSO2 writes `ADMIN_INITIATED` on every lock that comes without a reason, ours included:
    /// where we can't write ours, it says nothing.
    fn access_locked_for(&self, reason: &str) -> Access {
        match LockReason::parse(reason) {
            Some(LockReason::AdminInitiated) if self.lock_details.contains(&LockDetail::LockedReason) => {
                Access::LockedByAdministrator
            }
            Some(reason) if reason.ends_with_acceptance() => Access::LockedForPassword,
            Some(_) => Access::Locked,
            None => Access::Barred,
        }
    }

    /// The lock, or its end, with what may be written about it.
    pub(super) fn lock_changes(&self, wanted: Option<LockReason>) -> Vec<(Attribute, Value)> {
        let lock = self.lock();
        let value = wanted.is_some() != is_active_attribute(&lock);
        let details = self.lock_details.iter().map(|detail| match detail {
            LockDetail::LockedReason => (lock.sibling("lockedReason"), json!(wanted.map_or("", LockReason::as_str))),
            LockDetail::AccountState => (lock.sibling("accountState"), json!(account_state(wanted).as_str())),
        });
        let details: Vec<_> = details.collect();
        std::iter::once((lock, json!(value))).chain(details).collect()
    }

    pub(super) fn password_changes(&self, change: &PasswordChange<'_>) -> Vec<(Attribute, Value)> {
        let mut changes = vec![(Attribute::parse("password"), json!(change.password.expose()))];
        if change.unlock {
            changes.extend(self.lock_changes(None));
        }
        if let Some(name) = change.proved.filter(|_| self.marks_verified).and_then(verified_attribute) {
            changes.push((self.lock().sibling(name), json!(true)));
        }
        if let Some(attribute) = &self.marker_attribute {
            changes.push((Attribute::parse(attribute), json!(change.marker)));
        }
        changes
    }

    /// The body of the one PATCH that replaces all of these.
    pub(super) fn patch(&self, changes: Vec<(Attribute, Value)>) -> Value {
        let operations: Vec<Value> = match self.patch_style {
            PatchStyle::Path => {
                let operations = changes.into_iter();
                operations
                    .map(|(attribute, value)| json!({"op": "replace", "path": attribute.path(), "value": value}))
                    .collect()
            }
            PatchStyle::Value => vec![json!({"op": "replace", "value": merged(changes)})],
        };
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations})
    }
}

/// What a directory says of an account's use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) access: Access,
    pub(super) locked_reason: Option<String>,
    pub(super) account_state: Option<String>,
}

/// A truth value; older directories write it as a text.
fn flag(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.to_ascii_lowercase().parse().ok())
}

fn is_active_attribute(attribute: &Attribute) -> bool {
    attribute.schema.is_none() && attribute.name == "active"
}

/// The state that goes with a lock, or with none.
const fn account_state(wanted: Option<LockReason>) -> AccountState {
    match wanted {
        Some(LockReason::PendingAskPassword) => AccountState::PendingAskPassword,
        Some(LockReason::PendingPasswordReset) => AccountState::PendingReset,
        Some(LockReason::AdminInitiated) => AccountState::Locked,
        None => AccountState::Unlocked,
    }
}

const fn verified_attribute(channel: Channel) -> Option<&'static str> {
    match channel {
        Channel::Email => Some("emailVerified"),
        Channel::Sms => Some("phoneVerified"),
        Channel::Directory | Channel::Webhook => None,
    }
}

/// All attributes as one object, those of an extension in an object of its own.
fn merged(changes: Vec<(Attribute, Value)>) -> Value {
    let mut all = Map::new();
    for (Attribute { schema, name }, value) in changes {
        let holder = match schema {
            None => Some(&mut all),
            Some(schema) => all.entry(schema).or_insert_with(|| json!({})).as_object_mut(),
        };
        if let Some(holder) = holder {
            holder.insert(name, value);
        }
    }
    all.into()
}
