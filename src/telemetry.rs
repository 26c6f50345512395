//! Where log lines go and what they look like: JSON for machines or text for people, always to standard output.
//!
//! What may be logged is decided where it is logged; nothing in here filters secrets, because none may get this far.

use std::io::{IsTerminal as _, stdout};

use anyhow::{Context as _, anyhow};
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Starts logging for the rest of the process.
///
/// # Errors
/// That the filter can't be read, or that logging was started before.
pub fn init(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.filter).context("log.filter")?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter);
    let started = match config.format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).try_init(),
        LogFormat::Text => lines.with_ansi(stdout().is_terminal()).try_init(),
    };
    started.map_err(|error| anyhow!(error).context("logging was started before"))
}
