//! The section `directory`: which driver, how it knows us, and what its directory wants.

use std::fmt;

use super::checks;
use super::layers::Layers;
use super::sections::{required_url, timeout};
use super::{DirectoryConfig, DirectoryCredential, DirectoryDriver, OutboundConfig};
use crate::domain::dialect::{Dialect, KeycloakAttributes, LockDetail, MediaType, PatchStyle, RealmIn};
use crate::domain::ids::TenantId;
use crate::domain::secret::Secret;

/// What the tenant `default` is called in WSO2.
const SUPER_TENANT: &str = "carbon.super";
/// What the acceptance marker is called in our own contract.
const LAST_ACCEPTANCE: &str = "lastAcceptance";
/// Where a Keycloak has the phone number, unless it is said.
const PHONE: &str = "phoneNumber";

/// Keys of some drivers only.
const ONLY_OF: [(&str, &[&str]); 7] = [
    ("realm_in", &["scim", "wso2"]),
    ("lock_attribute", &["scim", "wso2"]),
    ("lock_details", &["scim", "wso2"]),
    ("marks_verified", &["scim", "wso2"]),
    ("patch_style", &["scim", "wso2"]),
    ("content_type", &["scim", "wso2"]),
    ("phone_attribute", &["keycloak"]),
];

pub(super) fn read(layers: &mut Layers, outbound: &OutboundConfig) -> DirectoryConfig {
    let name = layers.text("directory.driver");
    for (key, drivers) in ONLY_OF {
        let key = format!("directory.{key}");
        if layers.is_given(&key) && !drivers.contains(&name.as_str()) {
            layers
                .fail(&key, format_args!("goes with {}, which directory.driver is not", Choice(drivers, |word| word)));
        }
    }
    let default_tenant = default_tenant(layers, if name == "wso2" { SUPER_TENANT } else { "default" });
    DirectoryConfig {
        base_url: base_url(layers, &default_tenant, outbound),
        default_tenant,
        credential: credential(layers, outbound),
        timeout: timeout(layers, "directory.timeout_ms"),
        driver: driver(layers, &name),
    }
}

fn driver(layers: &mut Layers, name: &str) -> DirectoryDriver {
    match name {
        "scim" => DirectoryDriver::Scim(dialect(layers, Dialect::plain())),
        "wso2" => DirectoryDriver::Scim(dialect(layers, Dialect::wso2())),
        "keycloak" => DirectoryDriver::Keycloak(KeycloakAttributes {
            phone: plain_attribute(layers, "directory.phone_attribute").unwrap_or_else(|| PHONE.to_owned()),
            marker: plain_attribute(layers, "directory.marker_attribute"),
        }),
        "http" => DirectoryDriver::Http { keeps_marker: keeps_last_acceptance(layers) },
        _ => {
            layers.fail("directory.driver", r#"must be "scim", "wso2", "keycloak" or "http""#);
            DirectoryDriver::Scim(Dialect::plain())
        }
    }
}

/// A name that is not of an extension.
fn plain_attribute(layers: &mut Layers, key: &str) -> Option<String> {
    let name = attribute(layers, key)?;
    if name.contains(':') {
        layers.fail(key, "must be the name of an attribute; this driver knows no extensions");
    }
    Some(name)
}

fn keeps_last_acceptance(layers: &mut Layers) -> bool {
    const KEY: &str = "directory.marker_attribute";
    let name = layers.optional_text(KEY);
    if name.as_deref().is_some_and(|name| name != LAST_ACCEPTANCE) {
        layers.fail(KEY, format_args!("can only be \"{LAST_ACCEPTANCE}\" with this driver"));
    }
    name.is_some()
}

fn default_tenant(layers: &mut Layers, preset: &str) -> String {
    const KEY: &str = "directory.default_tenant";
    let name = layers.optional_text(KEY).unwrap_or_else(|| preset.to_owned());
    if TenantId::parse(&name).is_err() {
        layers.fail(KEY, "must be a tenant's name: letters, digits, dots, hyphens and underscores");
    }
    name
}

fn base_url(layers: &mut Layers, default_tenant: &str, outbound: &OutboundConfig) -> String {
    const KEY: &str = "directory.base_url";
    let base_url = layers.required_text(KEY);
    let sample = base_url.replace("{realm}", "PRIMARY").replace("{tenant}", default_tenant);
    if !base_url.is_empty()
        && let Err(error) = checks::url(&sample, outbound)
    {
        layers.fail(KEY, error);
    }
    base_url
}

fn dialect(layers: &mut Layers, preset: Dialect) -> Dialect {
    let says_marks = layers.is_given("directory.marks_verified");
    let marks_verified = if says_marks { layers.flag("directory.marks_verified") } else { preset.marks_verified };
    let dialect = Dialect {
        realm_in: one_of(layers, "directory.realm_in", RealmIn::ALL, RealmIn::as_str).unwrap_or(preset.realm_in),
        lock_attribute: attribute(layers, "directory.lock_attribute").unwrap_or(preset.lock_attribute),
        lock_details: lock_details(layers),
        marks_verified,
        patch_style: one_of(layers, "directory.patch_style", PatchStyle::ALL, PatchStyle::as_str)
            .unwrap_or(preset.patch_style),
        media_type: one_of(layers, "directory.content_type", MediaType::ALL, MediaType::as_str)
            .unwrap_or(preset.media_type),
        marker_attribute: attribute(layers, "directory.marker_attribute"),
    };
    let has_realm = layers.text("directory.base_url").contains("{realm}");
    if dialect.realm_in != RealmIn::Path && has_realm {
        layers.fail("directory.base_url", "has a place for {realm}, which directory.realm_in says is elsewhere");
    }
    let is_extended = dialect.lock_attribute.contains(':');
    for (key, is_used) in [
        ("directory.lock_details", !dialect.lock_details.is_empty()),
        ("directory.marks_verified", dialect.marks_verified && says_marks),
    ] {
        if is_used && !is_extended {
            layers.fail(key, "names siblings of directory.lock_attribute, which is not of an extension (urn:…:name)");
        }
    }
    dialect
}

fn lock_details(layers: &mut Layers) -> Vec<LockDetail> {
    const KEY: &str = "directory.lock_details";
    let names = layers.texts(KEY);
    let known: Vec<_> = names.iter().filter_map(|name| LockDetail::parse(name)).collect();
    if known.len() < names.len() {
        layers.fail(KEY, format_args!("can only name {}", Choice(LockDetail::ALL, LockDetail::as_str)));
    }
    known
}

/// A name, or `urn:…:name`.
fn attribute(layers: &mut Layers, key: &str) -> Option<String> {
    let text = layers.optional_text(key)?;
    let name = text.rsplit_once(':').map_or(text.as_str(), |(_, name)| name);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let is_plain = text == name || text.starts_with("urn:");
    if !is_name || !is_plain || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        layers.fail(key, "must be the name of an attribute, or urn:…:name of one of an extension");
    }
    Some(text)
}

/// The value at `key` as one of a few words; `None` when it is not set.
fn one_of<T: Copy>(layers: &mut Layers, key: &str, all: &[T], word: fn(T) -> &'static str) -> Option<T> {
    let text = layers.optional_text(key)?;
    let found = all.iter().copied().find(|one| word(*one) == text);
    if found.is_none() {
        layers.fail(key, format_args!("must be {}", Choice(all, word)));
    }
    found
}

/// The words to choose from, for messages.
struct Choice<'a, T>(&'a [T], fn(T) -> &'static str);

impl<T: Copy> fmt::Display for Choice<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.0.iter().enumerate() {
            let before = match index {
                0 => "",
                _ if index + 1 == self.0.len() => " or ",
                _ => ", ",
            };
            write!(f, "{before}\"{}\"", (self.1)(*one))?;
        }
        Ok(())
    }
}

/// Ways to be known, each with the keys that go with it; the first of them is what it is recognised by.
const CREDENTIALS: [(&str, &[&str]); 4] = [
    ("none", &[]),
    ("basic", &["username", "password"]),
    ("bearer", &["token"]),
    ("client_credentials", &["client_id", "client_secret", "token_url", "scope"]),
];

fn credential(layers: &mut Layers, outbound: &OutboundConfig) -> DirectoryCredential {
    let given = |layers: &Layers, name: &str| layers.is_given(&format!("directory.{name}"));
    let named = layers.optional_text("directory.credential");
    let recognised = CREDENTIALS.iter().find(|(_, keys)| keys.first().is_some_and(|key| given(layers, key)));
    let Some((kind, own)) = (match &named {
        Some(name) => CREDENTIALS.iter().find(|(kind, _)| kind == name),
        None => recognised,
    }) else {
        if named.is_some() {
            layers.fail("directory.credential", r#"must be "none", "basic", "bearer" or "client_credentials""#);
        } else {
            let hint = "is required, or directory.client_id, client_secret and token_url, or username and password";
            layers.fail("directory.token", hint);
        }
        return DirectoryCredential::None;
    };
    for stray in CREDENTIALS.iter().flat_map(|(_, keys)| *keys).filter(|key| !own.contains(key)) {
        if given(layers, stray) {
            layers.fail(&format!("directory.{stray}"), format_args!("does not go with the credential {kind:?}"));
        }
    }
    let secret = |layers: &mut Layers, name: &str| Secret::new(layers.required_text(&format!("directory.{name}")));
    match *kind {
        "none" => DirectoryCredential::None,
        "basic" => DirectoryCredential::Basic {
            username: layers.required_text("directory.username"),
            password: secret(layers, "password"),
        },
        "bearer" => DirectoryCredential::Bearer(secret(layers, "token")),
        _ => client_credentials(layers, outbound),
    }
}

fn client_credentials(layers: &mut Layers, outbound: &OutboundConfig) -> DirectoryCredential {
    let client_id = layers.required_text("directory.client_id");
    let client_secret = Secret::new(layers.required_text("directory.client_secret"));
    let scope = layers.optional_text("directory.scope");
    match required_url(layers, "directory.token_url", outbound) {
        Some(token_url) => DirectoryCredential::ClientCredentials { token_url, client_id, client_secret, scope },
        None => DirectoryCredential::None,
    }
}

#[cfg(test)]
mod tests;
