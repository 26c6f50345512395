//! The tree as it is written, and the checks that make it a [`Config`].

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;
use zeroize::Zeroizing;

use super::layers::{camel_case, setting_key};
use super::{
    AuthConfig, Config, ConfigErrors, DatabaseConfig, DirectoryConfig, DirectoryCredential, GatewayConfig, KeySource,
    LogConfig, MasterKey, OutboundConfig, SecretsConfig, ServerConfig, WorkerConfig,
};
use crate::domain::secret::Secret;
use crate::domain::settings::Settings;
use crate::storage::outbox::LEASE;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    server: RawServer,
    database: RawDatabase,
    secrets: RawSecrets,
    auth: RawAuth,
    email: RawGateway,
    sms: RawGateway,
    directory: RawDirectory,
    outbound: RawOutbound,
    worker: RawWorker,
    log: RawLog,
    defaults: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawServer {
    listen: SocketAddr,
    workers: Option<usize>,
    failure_floor_ms: u64,
    shutdown_timeout_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDatabase {
    url: String,
    pool_size: u32,
    checkout_timeout_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSecrets {
    master_keys: Option<Vec<Secret>>,
    master_keys_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAuth {
    issuer: Option<String>,
    audience: Option<String>,
    jwks_url: Option<Url>,
    hs256_secret: Option<Secret>,
    hs256_secret_file: Option<String>,
    tenant_claim: String,
    scope_claim: String,
    token_type: String,
    algorithms: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGateway {
    driver: Option<String>,
    url: Option<Url>,
    token: Option<Secret>,
    token_file: Option<String>,
    from: Option<String>,
    timeout_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDirectory {
    driver: String,
    base_url: Option<String>,
    token: Option<Secret>,
    token_file: Option<String>,
    token_url: Option<Url>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    client_secret_file: Option<String>,
    scope: Option<String>,
    timeout_ms: u64,
    marker_attribute: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOutbound {
    allow_insecure_http: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWorker {
    enabled: bool,
    concurrency: u16,
    poll_interval_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLog {
    format: String,
    filter: String,
}

/// Collects what is wrong, so that all of it is told at once.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, key: &str, words: &str) {
        self.0.push(format!("{key}: {words}"));
    }

    fn required<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.add(key, "is required");
        }
        value
    }

    fn check(&mut self, key: &str, holds: bool, words: &str) {
        if !holds {
            self.add(key, words);
        }
    }

    /// A secret given in place or in a file.
    fn secret(&mut self, key: &str, inline: Option<Secret>, file: Option<String>) -> Option<Secret> {
        match (inline, file) {
            (Some(_), Some(_)) => {
                self.add(key, "is given twice: here and by its _file");
                None
            }
            (Some(secret), None) => Some(secret),
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) => Some(Secret::new(text.strip_suffix('\n').unwrap_or(&text).to_owned())),
                Err(error) => {
                    self.add(&format!("{key}_file"), &format!("{path}: {error}"));
                    None
                }
            },
            (None, None) => None,
        }
    }
}

impl Raw {
    pub(super) fn check(self) -> Result<Config, ConfigErrors> {
        let mut problems = Problems::default();
        let server = self.server.check(&mut problems);
        let database = self.database.check(&mut problems);
        let secrets = self.secrets.check(&mut problems);
        let auth = self.auth.check(&mut problems);
        let email = self.email.check("email", &mut problems);
        let sms = self.sms.check("sms", &mut problems);
        let directory = self.directory.check(&mut problems);
        let worker = self.worker.check(&mut problems);
        problems.check("log.format", matches!(self.log.format.as_str(), "json" | "text"), "must be json or text");
        let log = LogConfig { json: self.log.format == "json", filter: self.log.filter };
        let defaults = check_defaults(&self.defaults, &mut problems);
        let outbound = OutboundConfig { allow_insecure_http: self.outbound.allow_insecure_http };
        match (secrets, auth, directory, defaults) {
            (Some(secrets), Some(auth), Some(directory), Some(defaults)) if problems.0.is_empty() => {
                Ok(Config { server, database, secrets, auth, email, sms, directory, outbound, worker, log, defaults })
            }
            _ => Err(ConfigErrors(problems.0)),
        }
    }
}

impl RawServer {
    fn check(self, problems: &mut Problems) -> ServerConfig {
        problems.check("server.workers", self.workers != Some(0), "must be at least 1");
        problems.check("server.failure_floor_ms", self.failure_floor_ms <= 5000, "must be at most 5000");
        ServerConfig {
            listen: self.listen,
            workers: self.workers,
            failure_floor: Duration::from_millis(self.failure_floor_ms),
            shutdown_timeout: Duration::from_secs(self.shutdown_timeout_seconds),
        }
    }
}

impl RawDatabase {
    fn check(self, problems: &mut Problems) -> DatabaseConfig {
        let is_postgres = self.url.starts_with("postgres://") || self.url.starts_with("postgresql://");
        problems.check(
            "database.url",
            is_postgres || self.url.starts_with("sqlite:"),
            "must begin with sqlite: or postgres:",
        );
        let wants_tls =
            ["sslmode=require", "sslmode=verify-ca", "sslmode=verify-full"].iter().any(|mode| self.url.contains(mode));
        problems.check(
            "database.url",
            !(is_postgres && wants_tls) || cfg!(feature = "postgres-tls"),
            "asks for TLS, which this build lacks: build with --features postgres-tls, or use the release image",
        );
        problems.check("database.pool_size", (1..=200).contains(&self.pool_size), "must be 1 to 200");
        problems.check("database.checkout_timeout_ms", self.checkout_timeout_ms > 0, "must be at least 1");
        DatabaseConfig {
            url: self.url,
            pool_size: self.pool_size,
            checkout_timeout: Duration::from_millis(self.checkout_timeout_ms),
        }
    }
}

impl RawSecrets {
    fn check(self, problems: &mut Problems) -> Option<SecretsConfig> {
        const KEY: &str = "secrets.master_keys";
        let lines = match (self.master_keys, self.master_keys_file) {
            (Some(keys), None) => keys,
            (None, None) => {
                problems
                    .add(KEY, "at least one key is required; make one with: echo \"k1:$(openssl rand -base64 32)\"");
                return None;
            }
            (inline, file) => {
                let inline = inline.map(|_| Secret::new(String::new()));
                let text = problems.secret(KEY, inline, file)?;
                text.expose()
                    .lines()
                    .filter(|line| !line.trim().is_empty())
                    .map(|line| Secret::new(line.trim().to_owned()))
                    .collect()
            }
        };
        let keys: Vec<MasterKey> = lines.iter().filter_map(master_key).collect();
        problems.check(
            KEY,
            keys.len() == lines.len(),
            "each must be kid:base64 of 32 bytes, the kid 1 to 16 of A-Za-z0-9_-",
        );
        problems.check(KEY, !keys.is_empty(), "at least one key is required");
        let mut kids: Vec<_> = keys.iter().map(|key| &key.kid).collect();
        kids.sort_unstable();
        kids.dedup();
        problems.check(KEY, kids.len() == keys.len(), "each kid may be there once");
        Some(SecretsConfig { master_keys: keys })
    }
}

fn master_key(line: &Secret) -> Option<MasterKey> {
    let (kid, key) = line.expose().split_once(':')?;
    let is_kid =
        (1..=16).contains(&kid.len()) && kid.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let bytes = Zeroizing::new(STANDARD.decode(key.trim()).ok()?);
    let key = Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).ok()?);
    is_kid.then(|| MasterKey { kid: kid.to_owned(), key })
}

impl RawAuth {
    fn check(self, problems: &mut Problems) -> Option<AuthConfig> {
        let issuer = problems.required("auth.issuer", self.issuer.filter(|issuer| !issuer.is_empty()));
        let audience = problems.required("auth.audience", self.audience.filter(|audience| !audience.is_empty()));
        let shared = problems.secret("auth.hs256_secret", self.hs256_secret, self.hs256_secret_file);
        let keys = match (self.jwks_url, shared) {
            (Some(url), None) => Some(KeySource::Jwks(url)),
            (None, Some(secret)) => {
                problems.check("auth.hs256_secret", secret.expose().len() >= 32, "must be at least 32 bytes");
                Some(KeySource::Shared(secret))
            }
            _ => {
                problems.add("auth", "exactly one of jwks_url and hs256_secret is required");
                None
            }
        };
        let algorithms = match keys {
            Some(KeySource::Shared(_)) => vec![Algorithm::HS256],
            _ => asymmetric(&self.algorithms, problems),
        };
        Some(AuthConfig {
            issuer: issuer?,
            audience: audience?,
            keys: keys?,
            tenant_claim: self.tenant_claim,
            scope_claim: self.scope_claim,
            token_type: self.token_type.to_ascii_lowercase(),
            algorithms,
        })
    }
}

/// Only algorithms with a public key: a shared one would let whoever verifies sign as well.
fn asymmetric(names: &[String], problems: &mut Problems) -> Vec<Algorithm> {
    const KEY: &str = "auth.algorithms";
    let known = names.iter().filter_map(|name| name.parse().ok().filter(|_| !name.starts_with("HS")));
    let algorithms: Vec<Algorithm> = known.collect();
    let words = "must be of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA";
    problems.check(KEY, !algorithms.is_empty() && algorithms.len() == names.len(), words);
    algorithms
}

impl RawGateway {
    fn check(self, section: &str, problems: &mut Problems) -> Option<GatewayConfig> {
        let key = |name: &str| format!("{section}.{name}");
        match self.driver.as_deref() {
            None | Some("") => {
                let stray =
                    self.url.is_some() || self.token.is_some() || self.token_file.is_some() || self.from.is_some();
                problems.check(&key("driver"), !stray, "is required when the section has other keys");
                return None;
            }
            Some("webhook") => {}
            Some(_) => {
                problems.add(&key("driver"), "must be webhook");
                return None;
            }
        }
        let url = problems.required(&key("url"), self.url);
        let token = problems.secret(&key("token"), self.token, self.token_file);
        let token = problems.required(&key("token"), token);
        let from = problems.required(&key("from"), self.from);
        let is_line = from.as_deref().is_none_or(|from| crate::domain::text::one_line(from, 320).is_ok());
        problems.check(&key("from"), is_line, "must be one line");
        let timeout = timeout(&key("timeout_ms"), self.timeout_ms, problems);
        Some(GatewayConfig { url: url?, token: token?, from: from?, timeout })
    }
}

/// A deadline of a call, which must end before the lease on its row does.
fn timeout(key: &str, millis: u64, problems: &mut Problems) -> Duration {
    let timeout = Duration::from_millis(millis);
    problems.check(key, millis > 0 && timeout * 3 <= LEASE, "must be 1 to 20000");
    timeout
}

impl RawDirectory {
    fn check(self, problems: &mut Problems) -> Option<DirectoryConfig> {
        problems.check("directory.driver", self.driver == "scim", "must be scim");
        let base_url = problems.required("directory.base_url", self.base_url);
        let token = problems.secret("directory.token", self.token, self.token_file);
        let secret = problems.secret("directory.client_secret", self.client_secret, self.client_secret_file);
        let credential = match (token, self.client_id, secret, self.token_url) {
            (Some(token), None, None, None) => Some(DirectoryCredential::Bearer(token)),
            (None, Some(client_id), Some(client_secret), Some(token_url)) => {
                Some(DirectoryCredential::ClientCredentials { token_url, client_id, client_secret, scope: self.scope })
            }
            _ => {
                problems.add("directory", "either token, or client_id with client_secret and token_url, is required");
                None
            }
        };
        let timeout = timeout("directory.timeout_ms", self.timeout_ms, problems);
        Some(DirectoryConfig {
            base_url: base_url?,
            credential: credential?,
            timeout,
            marker_attribute: self.marker_attribute,
        })
    }
}

impl RawWorker {
    fn check(self, problems: &mut Problems) -> WorkerConfig {
        problems.check("worker.concurrency", (1..=256).contains(&self.concurrency), "must be 1 to 256");
        problems.check("worker.poll_interval_ms", self.poll_interval_ms > 0, "must be at least 1");
        WorkerConfig {
            enabled: self.enabled,
            concurrency: self.concurrency,
            poll_interval: Duration::from_millis(self.poll_interval_ms),
        }
    }
}

fn check_defaults(defaults: &toml::Table, problems: &mut Problems) -> Option<Settings> {
    let overrides = camel_cased(&toml::Value::Table(defaults.clone()));
    match Settings::default().merged(&overrides) {
        Ok(settings) => Some(settings),
        Err(found) => {
            for problem in found {
                problems.add(&setting_key(&problem.pointer), &problem.detail);
            }
            None
        }
    }
}

fn camel_cased(value: &toml::Value) -> Json {
    match value {
        toml::Value::Table(table) => table.iter().map(|(key, value)| (camel_case(key), camel_cased(value))).collect(),
        toml::Value::Array(items) => items.iter().map(camel_cased).collect(),
        other => serde_json::to_value(other).unwrap_or_default(),
    }
}
