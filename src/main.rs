//! The command line: subcommands and exit codes, nothing else.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use invited::app::{App, connect, open_store};
use invited::clock::SystemClock;
use invited::config::Config;
use invited::{failpoint, http, sandbox, telemetry};

/// Takes people from invited to signed in.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The configuration file (TOML); `INVITED_CONFIG` when not given.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API and work on the outbox.
    Serve,
    /// Bring the database's schema up to date.
    Migrate,
    /// Print the OpenAPI document.
    Openapi,
    /// Check the configuration and say what is wrong with it.
    CheckConfig {
        /// Also ask each gateway and the directory whether they know us; nothing is sent to a person.
        #[arg(long)]
        connect: bool,
    },
    /// Ask a running service on this machine whether it is ready.
    Healthcheck,
    /// Play the whole job through, with nothing else installed.
    Sandbox {
        /// The API's port; the outside world takes the four after it, metrics the fifth.
        #[arg(long, default_value_t = 8080)]
        port: u16,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("invited: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let load = || Config::load(arguments.config.as_deref());
    match arguments.command {
        Command::Serve => {
            let config = load()?;
            telemetry::init(&config.log)?;
            App::build(config, failpoint::clock()).await?.run(told_to_stop()).await
        }
        Command::Migrate => migrate(&load()?).await,
        Command::Openapi => {
            print!("{}", http::openapi::json());
            Ok(())
        }
        Command::CheckConfig { connect } => {
            let config = load()?;
            println!("the configuration is good");
            if connect { try_all(config).await } else { Ok(()) }
        }
        Command::Healthcheck => healthcheck(&load()?).await,
        Command::Sandbox { port } => sandbox::run(port, told_to_stop()).await,
    }
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    telemetry::init(&config.log)?;
    let applied = open_store(config, Arc::new(SystemClock))?
        .migrate()
        .await
        .context("the schema could not be brought up to date")?;
    println!(
        "{}",
        if applied.is_empty() { "nothing to do".to_owned() } else { format!("applied {}", applied.join(", ")) }
    );
    Ok(())
}

/// A line for each part of the outside.
async fn try_all(config: Config) -> anyhow::Result<()> {
    let tried = connect(config, Arc::new(SystemClock)).await?;
    for (part, outcome) in &tried {
        println!("{part}: {}", outcome.as_ref().map_or_else(String::as_str, |()| "good"));
    }
    anyhow::ensure!(tried.iter().all(|(_, outcome)| outcome.is_ok()), "not all of it can be used");
    Ok(())
}

/// For a container's health check: the image needs no other client.
async fn healthcheck(config: &Config) -> anyhow::Result<()> {
    let mut address = config.server.listen;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let client = invited::outbound::Egress::default().client(std::time::Duration::from_secs(3))?;
    let response = client.get(format!("http://{address}/health/ready")).send().await.context("it does not answer")?;
    anyhow::ensure!(response.status().is_success(), "it is not ready: {}", response.status());
    Ok(())
}

/// Completes at SIGTERM or Ctrl-C.
async fn told_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminated) => {
            tokio::select! {
                _ = terminated.recv() => {}
                _ = interrupted => {}
            }
        }
        Err(_) => {
            interrupted.await.ok();
        }
    }
}
