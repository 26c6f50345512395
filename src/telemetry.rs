//! Where log lines go and what they look like: JSON for machines or text for people, always to standard output.
//!
//! What may be logged is decided where it is logged: nothing in here looks for secrets, because none may get this far. Only the libraries of AWS
//! are silenced, since they log answers of those who give out access keys.

use std::io::{IsTerminal as _, stdout};

use anyhow::{Context as _, anyhow};
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Starts logging for the rest of the process.
///
/// # Errors
/// That the filter can't be read, or that logging was started before.
pub fn init(config: &LogConfig) -> anyhow::Result<()> {
    let lines = tracing_subscriber::fmt().with_env_filter(filter(config)?);
    let started = match config.format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).try_init(),
        LogFormat::Text => lines.with_ansi(stdout().is_terminal()).try_init(),
    };
    started.map_err(|error| anyhow!(error).context("logging was started before"))
}

fn filter(config: &LogConfig) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::try_new(&config.filter).context("log.filter")?;
    // What begins so: `aws_config`, `aws_smithy_runtime` and the others. What comes of them is logged by the gateway.
    Ok(filter.add_directive("aws_=off".parse()?))
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn libraries_of_aws_say_nothing_whatever_the_level() {
        let config = LogConfig { format: LogFormat::Json, filter: "trace".to_owned() };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(filter(&config).unwrap()), || {
            assert!(tracing::enabled!(target: "invited::delivery", tracing::Level::TRACE));
            assert!(!tracing::enabled!(target: "aws_config::meta::credentials::chain", tracing::Level::ERROR));
            assert!(!tracing::enabled!(target: "aws_smithy_runtime::client::orchestrator", tracing::Level::ERROR));
        });
    }
}
