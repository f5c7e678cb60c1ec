//! The program. It only takes its arguments apart; the work is the library's.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use bootledger::dhcp_agent;
use bootledger::postgres::{self, Postgres, Settings};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[derive(Parser)]
#[command(version, about)]
enum Command {
    /// Keeps one DHCP server's configuration current and confirms it
    DhcpAgent(Box<dhcp_agent::Arguments>),
    /// Keeps the embedded PostgreSQL; started by the service itself
    #[command(hide = true)]
    PostgresGuard(postgres::guard::Arguments),
    /// Runs the embedded PostgreSQL alone until Ctrl-C or SIGTERM; for developers and tests
    #[command(hide = true)]
    Postgres {
        #[arg(long, default_value = "data")]
        data_dir: PathBuf,
        #[arg(long)]
        postgres_bin: Option<PathBuf>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Command::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bootledger: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::PostgresGuard(arguments) => {
            let status = postgres::guard::run(&arguments).await?;
            Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::DhcpAgent(arguments) => {
            let (stop, stopping) = watch::channel(false);
            let mut terminated = signal(SignalKind::terminate())?;
            let mut agent = std::pin::pin!(dhcp_agent::run(*arguments, stopping));
            tokio::select! {
                result = &mut agent => return result.map(|()| ExitCode::SUCCESS),
                result = tokio::signal::ctrl_c() => result?,
                _ = terminated.recv() => {}
            }
            stop.send_replace(true);
            agent.await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Postgres { data_dir, postgres_bin } => {
            let settings = Settings { binaries: postgres_bin, ..Settings::new(data_dir)? };
            let mut terminated = signal(SignalKind::terminate())?;
            let mut postgres = Postgres::start(&settings).await?;
            println!("{}", postgres.url());
            tokio::select! {
                error = postgres.ended() => return Err(error.into()),
                result = tokio::signal::ctrl_c() => result?,
                _ = terminated.recv() => {}
            }
            postgres.stop().await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
