//! The configuration of the process: embedded defaults, under a TOML file, under `INVITED__…` variables.
//!
//! Layers are merged as trees, then read strictly: a wrong or unknown key stops the start and is named, with the layer it came
//! from. A variable is read as what the default at its place is (number, switch, list), else as text; so a secret that looks like
//! a number stays a text. This is the only place that reads the environment.

mod layers;
mod raw;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use url::Url;
use zeroize::Zeroizing;

use crate::domain::secret::Secret;
use crate::domain::settings::Settings;

/// The configuration, checked. Cannot be printed: it holds secrets.
pub struct Config {
    pub server: ServerConfig,
    pub database: DatabaseConfig,
    pub secrets: SecretsConfig,
    pub auth: AuthConfig,
    pub email: Option<GatewayConfig>,
    pub sms: Option<GatewayConfig>,
    pub directory: DirectoryConfig,
    pub outbound: OutboundConfig,
    pub worker: WorkerConfig,
    pub log: LogConfig,
    pub defaults: Settings,
}

pub struct ServerConfig {
    pub listen: SocketAddr,
    pub workers: Option<usize>,
    pub failure_floor: Duration,
    pub shutdown_timeout: Duration,
}

pub struct DatabaseConfig {
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
    pub master_keys: Vec<MasterKey>,
}

pub struct MasterKey {
    pub kid: String,
    pub key: Zeroizing<[u8; 32]>,
}

pub struct AuthConfig {
    pub issuer: String,
    pub audience: String,
    pub keys: KeySource,
    pub tenant_claim: String,
    pub scope_claim: String,
    pub token_type: String,
    pub algorithms: Vec<Algorithm>,
}

pub enum KeySource {
    Jwks(Url),
    Shared(Secret),
}

/// A webhook gateway.
pub struct GatewayConfig {
    pub url: Url,
    pub token: Secret,
    pub from: String,
    pub timeout: Duration,
}

pub struct DirectoryConfig {
    pub base_url: String,
    pub credential: DirectoryCredential,
    pub timeout: Duration,
    pub marker_attribute: Option<String>,
}

pub enum DirectoryCredential {
    Bearer(Secret),
    ClientCredentials { token_url: Url, client_id: String, client_secret: Secret, scope: Option<String> },
}

pub struct OutboundConfig {
    pub allow_insecure_http: bool,
}

pub struct WorkerConfig {
    pub enabled: bool,
    pub concurrency: u16,
    pub poll_interval: Duration,
}

pub struct LogConfig {
    pub json: bool,
    pub filter: String,
}

/// Everything wrong with the configuration, a line each, naming the key. No value of a secret is in it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration can't be used:\n  {}", .0.join("\n  "))]
pub struct ConfigErrors(pub Vec<String>);

impl Config {
    /// Reads the file (or the one that `INVITED_CONFIG` names) and the environment.
    ///
    /// # Errors
    /// All that is wrong, a line each.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigErrors> {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let named = environment.iter().find(|(name, _)| name == "INVITED_CONFIG").map(|(_, value)| value.into());
        let Some(path) = path.map(Path::to_path_buf).or(named) else { return Self::from_parts(None, environment) };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|error| ConfigErrors(vec![format!("{name}: {error}")]))?;
        Self::from_parts(Some((&name, &text)), environment)
    }

    /// As [`Config::load`], from a file's name and text and from variables.
    ///
    /// # Errors
    /// All that is wrong, a line each.
    pub fn from_parts(
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let layers = layers::merge(include_str!("config/default.toml"), file, environment)?;
        let raw: raw::Raw = serde_path_to_error::deserialize(layers.tree.clone())
            .map_err(|error| ConfigErrors(vec![layers.explain(&error)]))?;
        raw.check()
    }
}

#[cfg(test)]
mod tests;
