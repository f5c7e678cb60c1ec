//! `bootledger dhcp-agent`: keeps one DHCP server's configuration current, and confirms which configuration the server runs.
//!
//! The agent runs on the DHCP server's machine and uses only the service's HTTP interface. At every moment, the file that the
//! server reads is complete and was accepted by the server's own checker. The agent confirms a configuration only if the server
//! runs it and receives its clients' requests. The agent must not decide anything about deployments, and it never logs its
//! token.

mod agent;
pub mod command;
mod disk;
mod kea;
mod network;
mod pause;
mod process;
mod reception;
mod reception_watch;
mod server;
mod service;
#[cfg(test)]
mod tests;

use agent::{Agent, Outcome};
use anyhow::{Context, Result, bail, ensure};
use bootledger_aggregates::dhcp_server::DhcpKind;
use bootledger_aggregates::site::BootUrl;
use bootledger_aggregates::values::name::Name;
use bootledger_secrets::Secret;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use tokio::sync::watch;

/// The options of the agent.
///
/// The agent runs commands with `sh -c`. In the check command, `{}` is replaced with the quoted path of the file to check;
/// without a `{}`, the path is appended as the last argument. A command succeeds with exit status 0; otherwise its output is
/// reported.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// The name of the DHCP server in Bootledger's catalogue
    #[arg(long, env = "BOOTLEDGER_SERVER_NAME")]
    pub server_name: Name,

    /// The site that the DHCP server serves
    #[arg(long, env = "BOOTLEDGER_SITE")]
    pub site: Name,

    /// The software of the DHCP server
    #[arg(long, env = "BOOTLEDGER_KIND", value_enum)]
    pub kind: Kind,

    /// The URL of Bootledger, such as `http://10.0.0.1:8080`
    #[arg(long, env = "BOOTLEDGER_URL")]
    pub url: BootUrl,

    /// A file with the server's token; without it, the token is taken from the environment
    #[arg(long, env = "BOOTLEDGER_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,

    /// The server's token; prefer the environment or a file, since others can read a running program's arguments
    #[arg(long, env = "BOOTLEDGER_TOKEN", hide_env_values = true, conflicts_with = "token_file")]
    pub token: Option<Secret>,

    /// The file that the DHCP server reads; the agent replaces it
    #[arg(long, env = "BOOTLEDGER_CONFIG")]
    pub config: PathBuf,

    /// Checks a configuration, `{}`, before it is used [default: `dhcpd -4 -t -cf {}` or `dnsmasq --test -C {}`; Kea itself over its control socket, else `kea-dhcp4 -t {}`]
    #[arg(long, env = "BOOTLEDGER_CHECK_COMMAND")]
    pub check_command: Option<String>,

    /// Makes the server read its file again [default: `systemctl restart isc-dhcp-server` or `systemctl restart dnsmasq`; for Kea its control socket]
    #[arg(long, env = "BOOTLEDGER_RELOAD_COMMAND")]
    pub reload_command: Option<String>,

    /// The path of Kea's control socket, as in Kea's own configuration. Kea then checks and reloads by itself and reports which
    /// configuration it runs; a check command, if given, replaces Kea's own check [default: /run/kea/kea4-ctrl-socket, without
    /// a reload command]
    #[arg(long, env = "BOOTLEDGER_KEA_SOCKET", value_name = "PATH", conflicts_with = "reload_command")]
    pub kea_socket: Option<PathBuf>,

    /// Changes single reservations of a running Kea with its host commands. Kea reads its whole file only when something else
    /// has changed, and once at the agent's start. Needs Kea 2.7.7 or later with `libdhcp_host_cmds.so` and
    /// `libdhcp_lease_cmds.so` among its hook libraries
    #[arg(long, env = "BOOTLEDGER_KEA_HOSTS", conflicts_with = "reload_command")]
    pub kea_hosts: bool,

    /// How many seconds a command, or a response of Kea, may take
    #[arg(long, env = "BOOTLEDGER_COMMAND_TIMEOUT", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub command_timeout: u64,

    /// How many seconds a request waits for a new configuration; the service allows up to 60
    #[arg(long, env = "BOOTLEDGER_WAIT", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=60))]
    pub wait: u64,

    /// Fetches, loads and confirms once, then exits; the exit status is 1 if the server does not run the newest configuration
    #[arg(long)]
    pub once: bool,
}

/// The software that a DHCP server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// ISC dhcpd (isc-dhcp-server)
    Isc,
    /// The DHCP server of Kea (kea-dhcp4)
    Kea,
    /// The DHCP server of dnsmasq
    Dnsmasq,
}

impl Kind {
    /// The name of the server's process.
    fn program(self) -> &'static str {
        match self {
            Self::Isc => "dhcpd",
            Self::Kea => "kea-dhcp4",
            Self::Dnsmasq => "dnsmasq",
        }
    }

    /// The name of the configuration file in the service's URLs.
    fn file(self) -> &'static str {
        match self {
            Self::Isc => "isc.conf",
            Self::Kea => "kea.json",
            Self::Dnsmasq => "dnsmasq.conf",
        }
    }

    fn check_command(self) -> &'static str {
        match self {
            Self::Isc => "dhcpd -4 -t -cf {}",
            Self::Kea => "kea-dhcp4 -t {}",
            Self::Dnsmasq => "dnsmasq --test -C {}",
        }
    }

    /// The default reload command. `None` for Kea, which reloads over its control socket.
    fn reload_command(self) -> Option<&'static str> {
        match self {
            // systemctl's message about a failure does not contain dhcpd's own, so the journal is printed too.
            Self::Isc => Some(
                "begun=$(date +%s); systemctl restart isc-dhcp-server || { journalctl --quiet --no-pager --output=cat \
                 --identifier=dhcpd --since=\"@$begun\"; exit 1; }",
            ),
            // `systemctl restart` would succeed before Kea has even read its file.
            Self::Kea => None,
            // dnsmasq does not read its configuration file again on SIGHUP.
            Self::Dnsmasq => Some("systemctl restart dnsmasq"),
        }
    }
}

impl From<Kind> for DhcpKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Isc => Self::Isc,
            Kind::Kea => Self::Kea,
            Kind::Dnsmasq => Self::Dnsmasq,
        }
    }
}

/// Runs until `shutdown` becomes true, or with `--once` until the server runs the newest configuration and the agent has
/// confirmed it.
///
/// Whenever the agent is stopped, it leaves a complete file behind, and loads that file again at its next start.
///
/// # Errors
/// Returns an error if a path, an option or the token cannot be used. With `--once`, also returns an error if the newest
/// configuration cannot be fetched, loaded or confirmed, or if the server does not receive its clients' requests.
pub async fn run(arguments: Arguments, mut shutdown: watch::Receiver<bool>) -> Result<()> {
    let once = arguments.once;
    let mut agent = Agent::new(&arguments).await?;
    loop {
        let outcome = tokio::select! {
            outcome = agent.step() => outcome,
            _ = shutdown.wait_for(|stopping| *stopping) => return Ok(()),
        };
        log(&outcome);
        if once {
            match outcome {
                Outcome::Failed { message, .. } | Outcome::Withheld { message } => {
                    bail!("the server keeps its old configuration: {message}")
                }
                Outcome::Deaf { message } => {
                    bail!("the server runs the newest configuration, but receives no client requests: {message}")
                }
                Outcome::Away { error } => return Err(error),
                Outcome::Loaded { .. } | Outcome::Confirmed { .. } | Outcome::Receives | Outcome::Unchanged => return Ok(()),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(agent.pause()) => {}
            _ = shutdown.wait_for(|stopping| *stopping) => return Ok(()),
        }
    }
}

fn log(outcome: &Outcome) {
    match outcome {
        Outcome::Loaded { revision, position } => tracing::info!(%revision, position, "the server runs a new configuration"),
        Outcome::Confirmed { revision, position } => tracing::info!(%revision, position, "confirmed what the server runs"),
        Outcome::Failed { revision, message } => {
            tracing::error!(%revision, message, "the server refused a configuration and keeps the old one");
        }
        Outcome::Withheld { message } => {
            tracing::error!(message, "the service has no configuration for this kind of server; the server keeps the old one");
        }
        Outcome::Deaf { message } => {
            tracing::error!(message, "the server receives no client requests; its configuration is not confirmed");
        }
        Outcome::Receives => tracing::info!("the server receives client requests again"),
        Outcome::Away { error } => tracing::warn!(error = format!("{error:#}"), "a step failed; retrying"),
        Outcome::Unchanged => tracing::debug!("nothing has changed"),
    }
}

/// The token from the file, otherwise the one given as an argument or in the environment. It is never empty.
async fn token(arguments: &Arguments) -> Result<Secret> {
    let text = match (&arguments.token_file, &arguments.token) {
        (Some(path), _) => {
            tokio::fs::read_to_string(path).await.with_context(|| format!("the token cannot be read from {}", path.display()))?
        }
        (None, Some(token)) => token.expose().to_owned(),
        (None, None) => bail!(
            "the agent needs the token of DHCP server {0}: create one with `bootledger token create --dhcp-server {0}` and give it \
             in BOOTLEDGER_TOKEN or with --token-file",
            arguments.server_name
        ),
    };
    let text = text.trim();
    ensure!(!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()), "the token is empty or contains spaces");
    Ok(Secret::new(text))
}
