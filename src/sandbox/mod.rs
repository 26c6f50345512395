//! Plays the outside world for `invited sandbox`: gateways with an inbox, a directory, a token mint and demo pages.
//!
//! Each is a server of its own on loopback that the service reaches over real HTTP with its real drivers; nothing in here is
//! linked into a request path of `serve`, and nothing in here knows how the service works inside. Tests use the servers one
//! by one.

pub mod catcher;
mod demo;
pub mod directory;
pub mod faults;
mod run;
mod server;
pub mod tokens;
mod wiring;

use std::sync::Arc;

use self::demo::DemoOptions;
use self::faults::Faults;
pub use self::run::run;
pub use self::server::Running;
use crate::clock::{Clock, OffsetClock};
use crate::domain::secret::Secret;

/// The ports to listen on; 0 for any.
#[derive(Debug, Default, Clone, Copy)]
pub struct Ports {
    pub catcher: u16,
    pub directory: u16,
    pub tokens: u16,
    pub demo: u16,
}

impl Ports {
    /// The four ports after the service's own.
    #[must_use]
    pub const fn following(api: u16) -> Self {
        Self {
            catcher: api.saturating_add(1),
            directory: api.saturating_add(2),
            tokens: api.saturating_add(3),
            demo: api.saturating_add(4),
        }
    }
}

/// The outside world, as long as this is kept.
pub struct Outside {
    /// The inbox, and the base of both gateways.
    pub catcher_url: String,
    /// The SCIM base URL, with `{realm}` to be replaced.
    pub directory_url: String,
    /// Issuer of the tokens; `POST /token` makes one.
    pub tokens_url: String,
    pub jwks_url: String,
    pub demo_url: String,
    gateway_token: Secret,
    directory_token: Secret,
    _servers: [Running; 4],
}

/// Starts all servers in the background of the current runtime. `api_url` is where the service will be, without a slash at
/// the end; `clock` is the one that the demo can move.
///
/// # Errors
/// When a port can't be had.
pub fn start(clock: &Arc<OffsetClock>, ports: Ports, api_url: &str) -> anyhow::Result<Outside> {
    let faults = Arc::<Faults>::default();
    let shared: Arc<dyn Clock> = Arc::<OffsetClock>::clone(clock);
    let (gateway_token, directory_token) = (server::random_token(), server::random_token());
    let catcher = catcher::start(catcher::CatcherOptions {
        port: ports.catcher,
        token: gateway_token.clone(),
        faults: Arc::clone(&faults),
        clock: Arc::clone(&shared),
    })?;
    let directory = directory::start(directory::DirectoryOptions {
        port: ports.directory,
        token: directory_token.clone(),
        faults: Arc::clone(&faults),
        clock: Arc::clone(&shared),
    })?;
    let tokens = tokens::start(tokens::MintOptions { port: ports.tokens, clock: shared })?;
    let demo = demo::start(DemoOptions {
        port: ports.demo,
        api_url: api_url.to_owned(),
        inbox_url: catcher.base_url.clone(),
        directory_url: directory.base_url.clone(),
        directory_token: directory_token.clone(),
        tokens_url: tokens.base_url.clone(),
        faults,
        clock: Arc::clone(clock),
    })?;
    Ok(Outside {
        catcher_url: catcher.base_url.clone(),
        directory_url: format!("{}/scim/{{realm}}/v2", directory.base_url),
        tokens_url: tokens.base_url.clone(),
        jwks_url: format!("{}/jwks.json", tokens.base_url),
        demo_url: demo.base_url.clone(),
        gateway_token,
        directory_token,
        _servers: [catcher, directory, tokens, demo],
    })
}

#[cfg(test)]
fn test_client() -> reqwest::Client {
    crate::outbound::Egress::default().client(std::time::Duration::from_secs(10)).unwrap()
}
