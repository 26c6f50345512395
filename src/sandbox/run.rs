//! The sandbox as one command: the outside world, and the real service in it, on a clock that can be moved.

use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Ports, start};
use crate::app::App;
use crate::clock::OffsetClock;
use crate::config::Config;
use crate::telemetry;

/// Runs until `stop` completes; the database is in a temporary folder and forgotten at the end.
///
/// # Errors
/// When a port is taken or the temporary folder can't be made.
pub async fn run(port: u16, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let clock = Arc::new(OffsetClock::default());
    let listen = format!("127.0.0.1:{port}");
    let api_url = format!("http://{listen}");
    let outside = start(&clock, Ports::following(port), &api_url)?;
    let folder = tempfile::tempdir().context("a temporary folder is needed")?;
    let database = folder.path().join("invited.db").display().to_string();
    let master_key = STANDARD.encode(crate::entropy::bytes::<32>());
    let metrics = format!("127.0.0.1:{}", port.saturating_add(5));
    let config = outside.service_config_toml(&listen, &metrics, &database, &master_key)?;
    let config = Config::from_parts(Some(("sandbox", &config)), [])?;
    telemetry::init(&config.log)?;
    let app = App::build(config, clock).await?;
    println!("{}", outside.banner(&api_url, &metrics));
    app.run(stop).await
}
