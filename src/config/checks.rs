//! How single values are judged: URLs, the database's address, master keys, algorithms, and the tenants' settings.
//!
//! Messages follow the name of a key and never repeat a value that could be a secret.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::layers::Layers;
use super::{MasterKey, OutboundConfig};
use crate::domain::settings::Defaults;
use crate::outbound::{self, OutboundError};

pub(super) const MASTER_KEY_HINT: &str =
    "is required: make a key with `openssl rand -base64 32` and give it as [\"k1:<the key>\"]";

/// As people paste it: with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A URL that secrets may be sent to.
pub(super) fn url(text: &str, outbound: &OutboundConfig) -> Result<Url, OutboundError> {
    let url = Url::parse(text).or(Err(OutboundError::NotHttp))?;
    outbound::check_url(&url, outbound.allow_insecure_http)?;
    Ok(url)
}

/// What is wrong with a database's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DatabaseUrlError {
    #[error("must begin with sqlite://, postgres:// or postgresql://")]
    Scheme,
    #[error("must name a file; a database in memory would be another one for every connection")]
    InMemory,
    #[error("asks for TLS ({0}), which this build can't do: build with `--features postgres-tls`")]
    NoTls(&'static str),
}

/// Checks what can be known without connecting. `pgsslmode` is what libpq uses when the URL says nothing.
pub(super) fn database_url(url: &str, pgsslmode: Option<&str>) -> Result<(), DatabaseUrlError> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.trim_start_matches("//");
        let is_file = !path.is_empty() && !path.starts_with(":memory:") && !path.contains("mode=memory");
        return if is_file { Ok(()) } else { Err(DatabaseUrlError::InMemory) };
    }
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(DatabaseUrlError::Scheme);
    }
    if cfg!(feature = "postgres-tls") {
        return Ok(());
    }
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let in_url = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "sslmode").last();
    let (mode, asked_by) = match &in_url {
        Some((_, mode)) => (&**mode, "sslmode"),
        None => (pgsslmode.unwrap_or_default(), "PGSSLMODE"),
    };
    let asks_for_tls = matches!(mode, "require" | "verify-ca" | "verify-full");
    if asks_for_tls { Err(DatabaseUrlError::NoTls(asked_by)) } else { Ok(()) }
}

/// What is wrong with a master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum MasterKeyError {
    #[error("must be kid:base64(32 bytes)")]
    Form,
    #[error("has a kid that is not 1 to 16 of A-Z, a-z, 0-9, _ and -")]
    Kid,
    #[error("is not 32 bytes in base64, as `openssl rand -base64 32` makes them")]
    Key,
}

pub(super) fn master_key(text: &str) -> Result<MasterKey, MasterKeyError> {
    let (kid, encoded) = text.split_once(':').ok_or(MasterKeyError::Form)?;
    let is_kid_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if kid.is_empty() || kid.len() > 16 || !kid.chars().all(is_kid_char) {
        return Err(MasterKeyError::Kid);
    }
    let bytes = Zeroizing::new(BASE64.decode(encoded).or(Err(MasterKeyError::Key))?);
    let key = <[u8; 32]>::try_from(bytes.as_slice()).or(Err(MasterKeyError::Key))?;
    Ok(MasterKey { kid: kid.to_owned(), key: Zeroizing::new(key) })
}

/// An algorithm whose verifying key may be public.
pub(super) fn asymmetric_algorithm(name: &str) -> Option<Algorithm> {
    name.parse().ok().filter(|known| !matches!(known, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512))
}

/// The settings of a tenant that overrides none: the built-in ones under the section `defaults`.
pub(super) fn settings(layers: &mut Layers) -> Defaults {
    let mut given = json!({});
    for (path, value) in layers.given_below("defaults") {
        insert(&mut given, path, json!(value));
    }
    Defaults::new(given).unwrap_or_else(|problems| {
        for problem in problems {
            layers.fail(&key_of(&problem.pointer), problem.detail);
        }
        Defaults::built_in()
    })
}

/// Puts a value at a dotted path of `snake_case` names, which become `camelCase`.
fn insert(target: &mut Value, path: &str, value: Value) {
    *path.split('.').fold(target, |node, name| &mut node[camel_case(name)]) = value;
}

/// The key that a JSON pointer into the settings means; an element of a list is named by its list.
fn key_of(pointer: &str) -> String {
    let names = pointer.split('/').filter(|name| !name.is_empty() && !name.bytes().all(|b| b.is_ascii_digit()));
    names.fold("defaults".to_owned(), |key, name| format!("{key}.{}", snake_case(name)))
}

pub(super) fn camel_case(snake: &str) -> String {
    let capitalised =
        |word: &str| word.split_at_checked(1).map_or_else(String::new, |(head, tail)| head.to_uppercase() + tail);
    let (first, rest) = snake.split_once('_').unwrap_or((snake, ""));
    first.to_owned() + &rest.split('_').map(capitalised).collect::<String>()
}

fn snake_case(camel: &str) -> String {
    camel.chars().fold(String::new(), |mut snake, c| {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
        snake
    })
}
