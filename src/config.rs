//! The program's arguments, which may also come from the environment (`BOOTLEDGER_…`, `.env`).

use crate::administrator::Given;
use crate::openid::OpenidArguments;
use crate::outbound::Outbound;
use crate::secrets::{Secret, Secrets};
use bootledger_aggregates::site::BootUrl;
use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Deploys physical servers and remembers everything.
#[derive(Debug, Parser)]
#[command(name = "bootledger", version, about, propagate_version = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How the log is written.
    #[arg(long, global = true, env = "BOOTLEDGER_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
    /// What is logged, as in `info` or `bootledger=debug,info`.
    #[arg(long, global = true, env = "BOOTLEDGER_LOG", default_value = "info,sqlx=warn", value_name = "FILTER")]
    pub log: String,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the service with a small data centre to try it: one device is ready to deploy.
    Demo(ServeArguments),
    /// Runs the service: web, API, boot, projector, reactor.
    Serve(ServeArguments),
    /// Works once on all plugin runs that are due, then exits; for cron.
    Deploy(StoreArguments),
    /// Starts a deployment for every row of a CSV file, or loads a catalogue.
    Import(crate::import::Arguments),
    /// Lists the library of boot images, and adds and updates images from it.
    Image(crate::image::command::Arguments),
    /// Keeps one DHCP server's configuration current, and confirms it.
    DhcpAgent(crate::dhcp_agent::Arguments),
    /// Shows which key the service's instances share, and records another one where it was lost.
    Key(crate::key::Arguments),
    /// Makes, lists and revokes access tokens.
    Token(crate::token::Arguments),
    /// Makes, lists, disables and enables users, and sets their passwords.
    User(crate::accounts::command::Arguments),
    /// Asks a device's management controller about its power, or gives it an order.
    Power(crate::power::command::Arguments),
    /// Shows what a site's DNS primary and DHCP servers have otherwise than they should, and has it checked or repaired.
    Drift(crate::drift::command::Arguments),
    /// Says how webhooks are doing, and pings, pauses, resumes, moves and retires them.
    Webhook(crate::webhooks::command::Arguments),
    /// Writes the event log as JSON lines, one event each.
    Export(crate::export::Arguments),
    /// Checks the hash chain of the log, or of an export of it.
    Verify(crate::verify::Arguments),
    /// Builds the views anew beside the old ones, and switches to them.
    Rebuild(crate::rebuild::Arguments),
    /// Keeps the embedded PostgreSQL; started by the service itself.
    #[command(hide = true)]
    PostgresGuard(crate::postgres::guard::Arguments),
    /// Runs the embedded PostgreSQL alone until Ctrl-C or SIGTERM; for developers and tests.
    #[command(hide = true)]
    Postgres(StoreArguments),
}

/// Where the event log is.
#[derive(Clone, Debug, Args)]
pub struct StoreArguments {
    /// The PostgreSQL database; without it, an embedded server is started in the data directory.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// Where the embedded PostgreSQL, boot files and keys are kept.
    #[arg(long, env = "BOOTLEDGER_DATA_DIR", default_value = "data", value_name = "FOLDER")]
    pub data_dir: PathBuf,
    /// The folder of `initdb` and `postgres` for the embedded server; searched for by default.
    #[arg(long, env = "BOOTLEDGER_POSTGRES_BIN", value_name = "FOLDER")]
    pub postgres_bin: Option<PathBuf>,
    /// The folder of secrets, a file each; those that are not there are looked for in the environment, as
    /// `BOOTLEDGER_SECRET_NAME`.
    #[arg(long, env = "BOOTLEDGER_SECRETS_DIR", value_name = "FOLDER")]
    pub secrets_dir: Option<PathBuf>,
    /// A network that management controllers, webhook receivers and DNS primaries may be in although it is this machine's, the
    /// link's, of many machines, or a metadata service's; may be repeated.
    #[arg(long, env = "BOOTLEDGER_OUTBOUND_ALLOW", value_delimiter = ',', value_name = "CIDR")]
    pub outbound_allow: Vec<IpNet>,
}

impl StoreArguments {
    /// Where secrets are.
    pub fn secrets(&self) -> Secrets {
        Secrets::new(self.secrets_dir.clone())
    }

    /// What is allowed of outgoing connections.
    pub fn outbound(&self) -> Outbound {
        Outbound::new(self.outbound_allow.clone())
    }
}

/// How the service runs.
#[derive(Clone, Debug, Args)]
pub struct ServeArguments {
    #[command(flatten)]
    /// Where the event log is.
    pub store: StoreArguments,
    /// Where the whole service listens.
    #[arg(long, env = "BOOTLEDGER_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// An extra address that serves only boot, DHCP, DNS-file, Puppet and health routes.
    #[arg(long, env = "BOOTLEDGER_BOOT_LISTEN", value_name = "ADDRESS:PORT")]
    pub boot_listen: Option<SocketAddr>,
    /// Where the TFTP server for boot loaders listens, usually on port 69; there is none by default.
    #[arg(long, env = "BOOTLEDGER_TFTP_LISTEN", value_name = "ADDRESS:PORT")]
    pub tftp_listen: Option<SocketAddr>,
    /// A folder of your own boot loaders, such as iPXE for 64-bit ARM, whose files go before those of --tftp-folder.
    #[arg(long, env = "BOOTLEDGER_LOADERS", value_name = "FOLDER")]
    pub loaders: Option<PathBuf>,
    /// The folder of boot loaders, which are served over TFTP and below `/boot/loaders/`.
    #[arg(long, env = "BOOTLEDGER_TFTP_FOLDER", default_value = "/usr/lib/ipxe", value_name = "FOLDER")]
    pub tftp_folder: PathBuf,
    /// Where servers and people reach the service; by default the boot address, else the first one.
    #[arg(long, env = "BOOTLEDGER_BASE_URL", value_name = "URL")]
    pub base_url: Option<BootUrl>,
    /// A proxy whose X-Forwarded-For counts; may be repeated.
    #[arg(long, env = "BOOTLEDGER_TRUSTED_PROXY", value_delimiter = ',', value_name = "CIDR")]
    pub trusted_proxy: Vec<IpNet>,
    /// Where boot files are stored: a folder, or an S3-compatible `s3://bucket/prefix` with the usual
    /// AWS variables; by default `files` in the data directory.
    #[arg(long, env = "BOOTLEDGER_FILES", value_name = "FOLDER|URL")]
    pub files: Option<String>,
    /// A file with the service's key of at least 32 bytes, the same for all instances; by default one
    /// is made in the data directory.
    #[arg(long, env = "BOOTLEDGER_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The largest boot file, in bytes.
    #[arg(long, env = "BOOTLEDGER_MAX_UPLOAD", default_value_t = 8 << 30, value_name = "BYTES")]
    pub max_upload: u64,
    /// A folder of your own recipes for boot images, which go before those of the library.
    #[arg(long, env = "BOOTLEDGER_IMAGE_RECIPES", value_name = "FOLDER")]
    pub image_recipes: Option<PathBuf>,
    /// A network that mirrors of boot images may be in although it is this machine's, the link's or a metadata service's; may
    /// be repeated.
    #[arg(long, env = "BOOTLEDGER_IMAGE_MIRROR_ALLOW", value_delimiter = ',', value_name = "CIDR")]
    pub image_mirror_allow: Vec<IpNet>,
    /// How often what DNS primaries and DHCP servers have is compared with what they should have, in seconds; 0 for only
    /// when that is asked for.
    #[arg(long, env = "BOOTLEDGER_DRIFT_EVERY", default_value_t = 900, value_name = "SECONDS")]
    pub drift_every: u64,
    /// Who vouches for people.
    #[command(flatten)]
    pub openid: OpenidArguments,
    /// The administrator's API token for the first start; by default one is made and printed.
    #[arg(long, env = "BOOTLEDGER_ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub admin_token: Option<Secret>,
    /// The password of the user `admin`, who is made at the first start; by default a one-time password is made and printed.
    #[arg(long, env = "BOOTLEDGER_ADMIN_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub admin_password: Option<Secret>,
}

impl ServeArguments {
    /// What the first start is given for the administrator.
    pub fn given(&self) -> Given<'_> {
        Given { token: self.admin_token.as_ref(), password: self.admin_password.as_ref() }
    }

    /// Where servers and people reach the service.
    pub fn base_url(&self) -> anyhow::Result<BootUrl> {
        match &self.base_url {
            Some(url) => Ok(url.clone()),
            None => Ok(format!("http://{}", self.boot_listen.unwrap_or(self.listen)).parse()?),
        }
    }
}
