//! The program's entry point. It only parses the arguments; the library does the work.

use anyhow::Result;
use bootledger::config::{Arguments, Command};
use bootledger::postgres::{Postgres, Settings, guard};
use bootledger::{
    accounts, demo, deploy, dhcp_agent, drift, export, image, import, key, power, rebuild, serve, telemetry, token, verify,
    webhooks,
};
use bootledger_projections::cause::Cause;
use clap::Parser;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

fn main() -> ExitCode {
    // A missing `.env` is fine. Variables of the environment take precedence over it.
    drop(dotenvy::dotenv());
    drop(rustls::crypto::ring::default_provider().install_default());
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    let outcome = runtime.block_on(run(arguments));
    // A thread that resolves a name or hashes a password need not end before the process does.
    runtime.shutdown_timeout(Duration::from_millis(200));
    match outcome {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    let text = format!("{error:#}");
    eprintln!("bootledger: {text}");
    // An error of the database or the operating system, explained to an operator.
    let sentence = Cause::in_chain(error.chain()).filter(|cause| cause.passes()).map(Cause::sentence);
    if let Some(sentence) = sentence.filter(|sentence| !text.contains(sentence)) {
        eprintln!("bootledger: {sentence}");
    }
    ExitCode::FAILURE
}

async fn run(arguments: Arguments) -> Result<ExitCode> {
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
        Command::Image(arguments) => return Box::pin(image::command::run(arguments, told_to_stop()?)).await,
        Command::DhcpAgent(arguments) => dhcp_agent::run(arguments, told_to_stop()?).await?,
        Command::Key(arguments) => key::run(arguments).await?,
        Command::Token(arguments) => token::run(arguments).await?,
        Command::User(arguments) => accounts::command::run(arguments).await?,
        Command::Power(arguments) => power::command::run(arguments).await?,
        Command::Drift(arguments) => drift::command::run(arguments).await?,
        Command::Webhook(arguments) => webhooks::command::run(arguments).await?,
        Command::Export(arguments) => export::run(arguments).await?,
        Command::Verify(arguments) => verify::run(arguments).await?,
        Command::Rebuild(arguments) => rebuild::run(arguments).await?,
        Command::PostgresGuard(_) => {}
        Command::Postgres(arguments) => {
            let settings = Settings { binaries: arguments.postgres_bin, ..Settings::new(arguments.data_dir)? };
            // The handler is installed before the service announces that it runs, so that no signal arrives unhandled.
            let mut stop = told_to_stop()?;
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
fn told_to_stop() -> Result<watch::Receiver<bool>> {
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
