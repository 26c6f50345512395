//! The people of one realm, and the directory's own rules: unique names, versions, a password policy, who may sign in.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};
use serde_json::{Value, json};

use super::error::ScimError;
use super::patch::{self, Changes};
use super::user::{Update, User};
use crate::domain::secret::{Password, Secret};
use crate::domain::time::Timestamp;

/// Most users in one answer.
pub(super) const PAGE_MAX: usize = 100;

/// The version that a request is meant for (RFC 7232 §3.1), as the header has it.
pub(super) struct IfMatch(pub(super) Option<String>);

/// What became of a sign-in.
pub(super) enum Login {
    SignedIn(User),
    Wrong,
    Inactive,
}

/// The people of one realm.
#[derive(Default)]
pub(super) struct People(Mutex<Realm>);

#[derive(Default)]
struct Realm {
    users: BTreeMap<String, User>,
    /// Ids by user name in lower case.
    names: BTreeMap<String, String>,
    created: u64,
}

impl People {
    /// A few people to begin with: active, without a password.
    pub(super) fn samples(realm: &str, now: Timestamp) -> Self {
        let people = Self::default();
        let samples: &[(&str, Option<&str>)] = match realm {
            "PRIMARY" => &[("alex", Some("+15550100001")), ("sam", Some("+15550100002")), ("kim", None)],
            _ => &[("robin", Some("+15550100003"))],
        };
        for (username, phone) in samples {
            let body = sample(username, *phone).to_string();
            let added = patch::parse_new(body.as_bytes())
                .and_then(|(name, changes)| people.add(&name, &Update { changes, password_hash: None }, now));
            debug_assert!(added.is_ok(), "a sample is like any new user");
        }
        people
    }

    /// How many there are, and the page of those asked for; `start` counts from 1.
    pub(super) fn list(&self, username: Option<&str>, start: usize, count: usize) -> (usize, Vec<User>) {
        let realm = self.lock();
        let found: Vec<&User> = match username {
            Some(name) => {
                realm.names.get(&name.to_lowercase()).and_then(|id| realm.users.get(id)).into_iter().collect()
            }
            None => realm.users.values().collect(),
        };
        let page = found.iter().skip(start.saturating_sub(1)).take(count.min(PAGE_MAX));
        (found.len(), page.copied().cloned().collect())
    }

    pub(super) fn get(&self, id: &str) -> Result<User, ScimError> {
        self.lock().users.get(id).cloned().ok_or(ScimError::NotFound)
    }

    pub(super) fn add(&self, username: &str, update: &Update, now: Timestamp) -> Result<User, ScimError> {
        let mut realm = self.lock();
        let key = username.to_lowercase();
        if realm.names.contains_key(&key) {
            return Err(ScimError::Taken);
        }
        check_policy(username, &update.changes)?;
        realm.created += 1;
        let id = format!("u{:06}", realm.created);
        let mut user = User::new(id.clone(), username, now);
        user.apply(update, now);
        realm.names.insert(key, id.clone());
        realm.users.insert(id, user.clone());
        Ok(user)
    }

    /// Applies all changes, or none.
    pub(super) fn change(&self, id: &str, guard: &IfMatch, update: &Update, now: Timestamp) -> Result<User, ScimError> {
        let mut realm = self.lock();
        let user = realm.users.get_mut(id).ok_or(ScimError::NotFound)?;
        guard.check(user)?;
        check_policy(&user.username, &update.changes)?;
        user.apply(update, now);
        Ok(user.clone())
    }

    pub(super) fn remove(&self, id: &str, guard: &IfMatch) -> Result<(), ScimError> {
        let mut realm = self.lock();
        let user = realm.users.get(id).ok_or(ScimError::NotFound)?;
        guard.check(user)?;
        let key = user.username.to_lowercase();
        realm.names.remove(&key);
        realm.users.remove(id);
        Ok(())
    }

    /// The id and the password's hash of the person of this name, if a password is set.
    pub(super) fn credential(&self, username: &str) -> Option<(String, String)> {
        let (_, found) = self.list(Some(username), 1, 1);
        found.into_iter().next().and_then(|user| Some((user.id, user.password_hash?)))
    }

    /// Lets the person in, once the password was checked. Only who knows it learns that the account is not active.
    pub(super) fn admit(&self, id: &str, is_right: bool) -> Login {
        match self.get(id) {
            Ok(user) if is_right && user.active => Login::SignedIn(user),
            Ok(_) if is_right => Login::Inactive,
            _ => Login::Wrong,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Realm> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IfMatch {
    fn check(&self, user: &User) -> Result<(), ScimError> {
        let Some(wanted) = &self.0 else { return Ok(()) };
        let matches = wanted.split(',').map(str::trim).any(|tag| tag == "*" || tag == user.etag());
        if matches { Ok(()) } else { Err(ScimError::Changed) }
    }
}

/// A rule of the directory's own, so that its refusal can be seen: the password must not contain the user name.
fn check_policy(username: &str, changes: &Changes) -> Result<(), ScimError> {
    let Some(password) = &changes.password else { return Ok(()) };
    if password.expose().is_empty() {
        return Err(ScimError::InvalidValue("The password must not be empty."));
    }
    if password.expose().to_lowercase().contains(&username.to_lowercase()) {
        return Err(ScimError::InvalidValue("The password must not contain the user name."));
    }
    Ok(())
}

/// argon2id with the parameters of the library, in PHC form; takes some 20 ms.
pub(super) fn hash(password: &Password) -> Option<String> {
    let salt: [u8; 16] = crate::entropy::bytes();
    let hash = Argon2::default().hash_password_with_salt(password.expose().as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// Whether the hash was made of this password; takes some 20 ms.
pub(super) fn is_password(password: &Secret, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok())
}

fn sample(username: &str, phone: Option<&str>) -> Value {
    let mut initial = username.chars();
    let display_name: String = initial.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(initial).collect();
    let phones: Vec<Value> =
        phone.iter().map(|phone| json!({"value": phone, "type": "mobile", "primary": true})).collect();
    json!({
        "userName": username,
        "displayName": display_name,
        "emails": [{"value": format!("{username}@example.com"), "type": "work", "primary": true}],
        "phoneNumbers": phones,
        "preferredLanguage": "en",
    })
}
