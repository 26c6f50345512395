//! The configuration: `default.toml` under a file under environment variables, checked as a whole before anything starts.
//!
//! The only module that reads the environment. Every problem is reported, by the name under which the key was written;
//! no message repeats a value, since the value may be a secret. What holds a secret has no `Debug`.

mod callbacks;
mod checks;
mod directory;
mod gateways;
mod layers;
mod outbound;
mod sections;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use url::Url;
use zeroize::Zeroizing;

use crate::domain::dialect::{Dialect, KeycloakAttributes};
use crate::domain::ip_range::IpRange;
use crate::domain::reconcile::Reconciliation;
use crate::domain::secret::Secret;
use crate::domain::settings::Defaults;
use crate::domain::time::Retention;
use crate::domain::wso2::Wso2Version;
use crate::gateway::receipts::Vendors;
use crate::gateway::{EmailDriver, SmsDriver};
use crate::outbound::Egress;
use layers::Layers;

/// Everything the operator decides, with every value checked.
pub struct Config {
    pub server: ServerConfig,
    pub database: DatabaseConfig,
    pub secrets: SecretsConfig,
    pub auth: AuthConfig,
    /// `None`: no e-mail is sent.
    pub email: Option<GatewayConfig<EmailDriver>>,
    /// `None`: no text messages are sent.
    pub sms: Option<GatewayConfig<SmsDriver>>,
    /// Those that report what became of messages.
    pub vendors: Box<Vendors>,
    pub directory: DirectoryConfig,
    pub outbound: OutboundConfig,
    pub webhooks: WebhooksConfig,
    pub worker: WorkerConfig,
    /// Rows of a job that are worked on at once.
    pub bulk_concurrency: usize,
    pub retention: Retention,
    pub reconciliation: Reconciliation,
    /// What callers of the compatible routes take this service for.
    pub wso2_version: Wso2Version,
    pub log: LogConfig,
    /// Settings of a tenant that overrides none.
    pub defaults: Defaults,
}

#[derive(Debug)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    /// Where `/metrics` is; `None`: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Where others find the service.
    pub public_url: Option<Url>,
    /// A failed redemption takes at least this long.
    pub failure_floor: Duration,
    /// 0 is no limit.
    pub public_calls_per_minute: u32,
    pub trusted_proxies: Vec<IpRange>,
    pub shutdown_timeout: Duration,
    /// `None`: one per core.
    pub workers: Option<usize>,
}

pub struct DatabaseConfig {
    /// `sqlite:` or `postgres:`; may hold a password.
    pub url: String,
    pub pool_size: u32,
    pub checkout_timeout: Duration,
}

impl DatabaseConfig {
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.url.starts_with("sqlite:")
    }
}

pub struct SecretsConfig {
    /// At least one; the first signs.
    pub master_keys: Vec<MasterKey>,
}

pub struct MasterKey {
    pub kid: String,
    pub key: Zeroizing<[u8; 32]>,
}

/// What an access token must be.
pub struct AuthConfig {
    pub issuer: String,
    pub audience: String,
    pub keys: KeySource,
    pub tenant_claim: String,
    pub scope_claim: String,
    /// Asymmetric ones with [`KeySource::Jwks`], else HS256.
    pub algorithms: Vec<Algorithm>,
    /// In lower case, without `application/`; empty for any but a grant's.
    pub token_type: String,
}

pub enum KeySource {
    Jwks(Url),
    Shared(Secret),
}

/// A gateway: its driver with all that it needs, and how long a call may take.
pub struct GatewayConfig<D> {
    pub driver: D,
    pub timeout: Duration,
}

/// The user directory.
pub struct DirectoryConfig {
    /// With places for `{tenant}` and `{realm}`.
    pub base_url: String,
    /// What the tenant `default` is called there.
    pub default_tenant: String,
    pub credential: DirectoryCredential,
    pub timeout: Duration,
    pub driver: DirectoryDriver,
}

/// What is spoken to the directory.
pub enum DirectoryDriver {
    Scim(Dialect),
    Keycloak(KeycloakAttributes),
    /// `openapi/directory.json`.
    Http {
        keeps_marker: bool,
    },
}

pub enum DirectoryCredential {
    None,
    Basic { username: String, password: Secret },
    Bearer(Secret),
    ClientCredentials { token_url: Url, client_id: String, client_secret: Secret, scope: Option<String> },
}

/// How others are called.
pub struct OutboundConfig {
    pub allow_insecure_http: bool,
    /// Makes the clients.
    pub egress: Egress,
}

/// How events reach the endpoints of tenants.
#[derive(Debug, Clone)]
pub struct WebhooksConfig {
    /// Where they may be besides the public internet.
    pub allowed_ranges: Vec<IpRange>,
    /// Whether they are called through the proxy, which then judges names in our place.
    pub use_proxy: bool,
    pub concurrency: u16,
    pub timeout: Duration,
}

#[derive(Debug, Clone, Copy)]
pub struct WorkerConfig {
    pub enabled: bool,
    pub concurrency: u16,
    pub poll_interval: Duration,
}

#[derive(Debug, Clone)]
pub struct LogConfig {
    pub format: LogFormat,
    /// Directives as `tracing_subscriber::EnvFilter` reads them.
    pub filter: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Text,
}

/// Everything that is wrong with the configuration, one line each, without values.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(Vec<String>);

impl ConfigErrors {
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration can't be used")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl Config {
    /// Reads the file at `path`, else the one that `INVITED_CONFIG` names, else none; and the process's environment.
    ///
    /// # Errors
    /// Every key that is unknown, missing or wrong.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigErrors> {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let env: BTreeMap<_, _> = std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))).collect();
        let named = env.get("INVITED_CONFIG").filter(|path| !path.is_empty()).map(Path::new);
        let Some(path) = path.or(named) else {
            return Self::from_parts(None, env);
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigErrors(vec![format!("{} can't be read: {error}", path.display())]))?;
        Self::from_parts(Some((&path.display().to_string(), &text)), env)
    }

    /// The configuration from a file's name and text, and environment variables.
    ///
    /// # Errors
    /// Every key that is unknown, missing or wrong.
    pub fn from_parts(
        file: Option<(&str, &str)>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let env: BTreeMap<_, _> = env.into_iter().collect();
        let mut layers = Layers::of_defaults();
        if let Some((name, text)) = file {
            layers.add_file(name, text);
        }
        layers.add_env(&env);
        layers.read_secret_files();
        let config = sections::read(&mut layers, env.get("PGSSLMODE").map(String::as_str));
        let problems = layers.into_problems();
        if problems.is_empty() { Ok(config) } else { Err(ConfigErrors(problems)) }
    }
}
