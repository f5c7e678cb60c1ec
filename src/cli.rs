//! The command line: one file for each subcommand. A subcommand reads its arguments, opens the service, and prints; rules and SQL are elsewhere.

pub mod demo;
pub mod deploy;
pub mod drift;
pub mod export;
pub mod help;
pub mod image;
pub mod import;
pub mod key;
pub mod lock;
pub mod power;
pub mod progress;
pub mod rebuild;
pub mod serve;
pub mod telemetry;
#[cfg(test)]
mod tests;
pub mod token;
pub mod user;
pub mod verify;
pub mod webhook;

use crate::config::{COMMON_OPTIONS, ServeArguments, StoreArguments};
use anyhow::Result;
use bootledger_embedded_postgres::{Postgres, Settings, guard};
use clap::{Parser, Subcommand, ValueEnum};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Deploys physical servers and records every step in an append-only event log.
#[derive(Debug, Parser)]
#[command(name = "bootledger", version, about, propagate_version = true, after_help = help::ALL)]
pub struct Arguments {
    /// The subcommand to run.
    #[command(subcommand)]
    pub command: Command,
    /// Options of the event log's database. They are accepted before and after the subcommand.
    #[command(flatten)]
    pub store: StoreArguments,
    /// The format of log lines on standard error.
    #[arg(long, global = true, help_heading = COMMON_OPTIONS, env = "BOOTLEDGER_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
    /// The filter for log lines, for example `info` or `bootledger=debug,info`.
    #[arg(long, global = true, help_heading = COMMON_OPTIONS, env = "BOOTLEDGER_LOG", default_value = "info,sqlx=warn", value_name = "FILTER")]
    pub log: String,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Plain text, for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The subcommands of `bootledger`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the service with a small sample data centre in which one device is ready to deploy.
    #[command(after_help = help::DEMO)]
    Demo(demo::Arguments),
    /// Runs the service: web pages, API, network boot, and the workers that update the views and run the steps of deployments.
    #[command(after_help = help::SERVE)]
    Serve(ServeArguments),
    /// Runs all due plugins (the steps of deployments) and DNS updates once, then exits; for cron.
    #[command(after_help = help::DEPLOY)]
    Deploy(StoreArguments),
    /// Starts a deployment for every row of a CSV file, or imports catalogue files.
    Import(import::Arguments),
    /// Lists the library of boot images, and adds and updates images from it.
    #[command(after_help = help::IMAGE)]
    Image(image::Arguments),
    /// Keeps the configuration of one DHCP server up to date, and confirms to the service which configuration the server runs.
    #[command(after_help = help::DHCP_AGENT)]
    DhcpAgent(bootledger_dhcp_agent::Arguments),
    /// Shows whether this instance has the service key that all instances share, and replaces a lost key.
    #[command(after_help = help::KEY)]
    Key(key::Arguments),
    /// Creates, lists and revokes access tokens.
    #[command(after_help = help::TOKEN)]
    Token(token::Arguments),
    /// Creates, lists, disables and enables users, and sets their passwords.
    #[command(after_help = help::USER)]
    User(user::Arguments),
    /// Locks a device, so that it is not installed again.
    #[command(after_help = help::LOCK)]
    Lock(lock::LockArguments),
    /// Unlocks a device.
    #[command(after_help = help::UNLOCK)]
    Unlock(lock::UnlockArguments),
    /// Shows or changes a device's power through its management controller.
    #[command(after_help = help::POWER)]
    Power(power::Arguments),
    /// Shows where a site's DNS primary and DHCP servers differ from the expected state, and checks or repairs them.
    #[command(after_help = help::DRIFT)]
    Drift(drift::Arguments),
    /// Shows the state of webhooks, and pings, pauses, resumes, moves and retires them.
    #[command(after_help = help::WEBHOOK)]
    Webhook(webhook::Arguments),
    /// Writes the event log as JSON lines, or the catalogue as a file that can be imported.
    Export(export::Arguments),
    /// Checks the hash chain of the log, or of an export of it.
    #[command(after_help = help::VERIFY)]
    Verify(verify::Arguments),
    /// Rebuilds the views from the event log in a second schema, then switches to them or compares them with the current views.
    #[command(after_help = help::REBUILD)]
    Rebuild(rebuild::Arguments),
    /// Supervises the embedded PostgreSQL server; the service starts this subcommand itself.
    #[command(hide = true)]
    PostgresGuard(bootledger_embedded_postgres::guard::Arguments),
    /// Runs only the embedded PostgreSQL server until Ctrl-C or SIGTERM; for developers and tests.
    #[command(hide = true)]
    Postgres(StoreArguments),
}

/// Runs a subcommand.
///
/// # Errors
/// Returns an error if the subcommand fails.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    if let Command::PostgresGuard(arguments) = &arguments.command {
        let status = guard::run(arguments).await?;
        return Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    // A file that reaches the limit of `ulimit -f` is reported as an error. By default, this signal would end the process.
    drop(signal(SignalKind::from_raw(nix::sys::signal::Signal::SIGXFSZ as i32))?);
    telemetry::start(arguments.log_format, &arguments.log)?;
    match arguments.command {
        Command::Demo(arguments) => Box::pin(demo::run(arguments)).await?,
        Command::Serve(arguments) => Box::pin(serve::run(arguments)).await?,
        Command::Deploy(arguments) => Box::pin(deploy::run(&arguments)).await?,
        Command::Import(arguments) => return Box::pin(import::run(arguments)).await,
        Command::Image(arguments) => return Box::pin(image::run(arguments, stop_signal()?)).await,
        Command::DhcpAgent(arguments) => bootledger_dhcp_agent::run(arguments, stop_signal()?).await?,
        Command::Key(arguments) => key::run(arguments).await?,
        Command::Token(arguments) => token::run(arguments).await?,
        Command::User(arguments) => user::run(arguments).await?,
        Command::Lock(arguments) => lock::lock(arguments).await?,
        Command::Unlock(arguments) => lock::unlock(arguments).await?,
        Command::Power(arguments) => power::run(arguments).await?,
        Command::Drift(arguments) => drift::run(arguments).await?,
        Command::Webhook(arguments) => webhook::run(arguments).await?,
        Command::Export(arguments) => export::run(arguments).await?,
        Command::Verify(arguments) => verify::run(arguments).await?,
        Command::Rebuild(arguments) => rebuild::run(arguments).await?,
        Command::PostgresGuard(_) => {}
        Command::Postgres(arguments) => {
            let settings = Settings { binaries: arguments.postgres_bin, ..Settings::new(arguments.data_dir)? };
            // The handler is installed before the service announces that it runs, so that no signal arrives unhandled.
            let mut stop = stop_signal()?;
            let mut postgres = Postgres::start(&settings).await?;
            println!("{}", postgres.url());
            tokio::select! {
                error = postgres.ended() => return Err(error.into()),
                _ = stop.wait_for(|stop| *stop) => {}
            }
            postgres.stop().await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Installs handlers for Ctrl-C and SIGTERM. The value becomes true when one arrives.
fn stop_signal() -> Result<watch::Receiver<bool>> {
    let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        stop.send_replace(true);
    });
    Ok(stopped)
}
