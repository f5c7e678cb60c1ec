//! The program's arguments, which may also come from the environment (`BOOTLEDGER_…`, `.env`).

use crate::file_checks::Checkers;
use crate::openid::OpenidArguments;
use crate::outbound::Outbound;
use bootledger_aggregates::site::BootUrl;
use bootledger_secrets::{Secret, Secrets};
use clap::{Args, ValueEnum};
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The heading of the common options in each help, so that the options of a subcommand come first.
pub(crate) const COMMON_OPTIONS: &str = "Common options";

/// Options of the event log's database. They are accepted anywhere on the command line; if one is given twice, the last one
/// applies.
#[derive(Clone, Debug, Args)]
pub struct StoreArguments {
    /// The URL of the PostgreSQL database; without it, an embedded server is started in the data folder.
    #[arg(long, global = true, help_heading = COMMON_OPTIONS, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// The folder for the embedded PostgreSQL server, boot files and keys.
    #[arg(long, global = true, help_heading = COMMON_OPTIONS, env = "BOOTLEDGER_DATA_DIR", default_value = "data", value_name = "FOLDER")]
    pub data_dir: PathBuf,
    /// The folder that contains `initdb` and `postgres` for the embedded server; by default, the usual places are searched.
    #[arg(long, global = true, help_heading = COMMON_OPTIONS, env = "BOOTLEDGER_POSTGRES_BIN", value_name = "FOLDER")]
    pub postgres_bin: Option<PathBuf>,
    /// The folder of secrets, one file per secret. A secret without a file is read from the environment variable
    /// `BOOTLEDGER_SECRET_NAME`.
    #[arg(long, global = true, help_heading = COMMON_OPTIONS, env = "BOOTLEDGER_SECRETS_DIR", value_name = "FOLDER")]
    pub secrets_dir: Option<PathBuf>,
    /// A network that management controllers, webhook receivers and DNS primaries may be in although its addresses are
    /// loopback, link-local, multicast or those of a metadata service; may be repeated.
    #[arg(long, global = true, help_heading = COMMON_OPTIONS, env = "BOOTLEDGER_OUTBOUND_ALLOW", value_delimiter = ',', value_name = "CIDR")]
    pub outbound_allow: Vec<IpNet>,
    /// Whether dhcpd, kea-dhcp4 and dnsmasq check a site's DHCP files before a change is saved, if they are installed on this
    /// machine and the site has such servers.
    #[arg(long, global = true, help_heading = COMMON_OPTIONS, env = "BOOTLEDGER_FILE_CHECKS", value_enum, default_value = "auto")]
    pub file_checks: FileChecks,
}

/// Whether external programs check DHCP files before a change is saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FileChecks {
    /// Check with the programs that are installed.
    #[default]
    Auto,
    /// Check with Bootledger's own rules only.
    Off,
}

impl StoreArguments {
    /// Opens the secrets of `--secrets-dir` and the environment.
    pub fn secrets(&self) -> Secrets {
        Secrets::new(self.secrets_dir.clone())
    }

    /// The programs that check the files of other servers, such as `dhcpd`.
    pub fn checkers(&self) -> Checkers {
        match self.file_checks {
            FileChecks::Auto => Checkers::default(),
            FileChecks::Off => Checkers::off(),
        }
    }

    /// The policy for outgoing connections.
    pub fn outbound(&self) -> Outbound {
        Outbound::new(self.outbound_allow.clone())
    }
}

/// Options of the service.
#[derive(Clone, Debug, Args)]
pub struct ServeArguments {
    #[command(flatten)]
    /// Options of the event log's database.
    pub store: StoreArguments,
    /// The address and port on which the service listens for all routes.
    #[arg(long, env = "BOOTLEDGER_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// An extra address that serves only the boot, DHCP, DNS file, Puppet and health routes.
    #[arg(long, env = "BOOTLEDGER_BOOT_LISTEN", value_name = "ADDRESS:PORT")]
    pub boot_listen: Option<SocketAddr>,
    /// The address and port of the TFTP server for boot loaders, usually port 69; without it, there is no TFTP server.
    #[arg(long, env = "BOOTLEDGER_TFTP_LISTEN", value_name = "ADDRESS:PORT")]
    pub tftp_listen: Option<SocketAddr>,
    /// A folder of your own boot loaders, such as iPXE for 64-bit ARM; its files take precedence over those of
    /// --tftp-folder.
    #[arg(long, env = "BOOTLEDGER_LOADERS", value_name = "FOLDER")]
    pub loaders: Option<PathBuf>,
    /// The folder of boot loaders, which are served over TFTP and below `/boot/loaders/`.
    #[arg(long, env = "BOOTLEDGER_TFTP_FOLDER", default_value = "/usr/lib/ipxe", value_name = "FOLDER")]
    pub tftp_folder: PathBuf,
    /// The URL at which servers and people reach the service; by default the address of --boot-listen, otherwise that of
    /// --listen.
    #[arg(long, env = "BOOTLEDGER_BASE_URL", value_name = "URL")]
    pub base_url: Option<BootUrl>,
    /// A proxy whose X-Forwarded-For header is trusted; may be repeated.
    #[arg(long, env = "BOOTLEDGER_TRUSTED_PROXY", value_delimiter = ',', value_name = "CIDR")]
    pub trusted_proxy: Vec<IpNet>,
    /// Where boot files are stored: a folder, or an S3-compatible `s3://bucket/prefix` with the usual AWS variables; by
    /// default, `files` in the data folder.
    #[arg(long, env = "BOOTLEDGER_FILES", value_name = "FOLDER|URL")]
    pub files: Option<String>,
    /// A file with the service key, at least 32 bytes and the same for all instances; by default, it is created in the data
    /// folder.
    #[arg(long, env = "BOOTLEDGER_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The maximum size of a boot file, in bytes.
    #[arg(long, env = "BOOTLEDGER_MAX_UPLOAD", default_value_t = 8 << 30, value_name = "BYTES")]
    pub max_upload: u64,
    /// A folder of your own boot image recipes, which take precedence over those of the library.
    #[arg(long, env = "BOOTLEDGER_IMAGE_RECIPES", value_name = "FOLDER")]
    pub image_recipes: Option<PathBuf>,
    /// A network that boot image mirrors may be in although its addresses are loopback, link-local or those of a metadata
    /// service; may be repeated.
    #[arg(long, env = "BOOTLEDGER_IMAGE_MIRROR_ALLOW", value_delimiter = ',', value_name = "CIDR")]
    pub image_mirror_allow: Vec<IpNet>,
    /// How often DNS primaries and DHCP servers are compared with the expected state, in seconds; 0 compares only on request.
    #[arg(long, env = "BOOTLEDGER_DRIFT_EVERY", default_value_t = 900, value_name = "SECONDS")]
    pub drift_every: u64,
    /// Options of the OpenID Connect provider through which users sign in.
    #[command(flatten)]
    pub openid: OpenidArguments,
    /// The administrator's API token for the first start; by default, one is created and printed.
    #[arg(long, env = "BOOTLEDGER_ADMIN_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub admin_token: Option<Secret>,
    /// The password of the user `admin`, which the first start creates; by default, a one-time password is created and printed.
    #[arg(long, env = "BOOTLEDGER_ADMIN_PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub admin_password: Option<Secret>,
}

impl ServeArguments {
    /// The token and password of the first administrator, where the options set them.
    pub fn given(&self) -> FirstAdministrator<'_> {
        FirstAdministrator { token: self.admin_token.as_ref(), password: self.admin_password.as_ref() }
    }

    /// The URL at which servers and people reach the service.
    ///
    /// # Errors
    /// Returns an error if no URL is configured, and none can be made of the listening address.
    pub fn base_url(&self) -> anyhow::Result<BootUrl> {
        match &self.base_url {
            Some(url) => Ok(url.clone()),
            None => Ok(format!("http://{}", self.boot_listen.unwrap_or(self.listen)).parse()?),
        }
    }
}

/// The first administrator's token and password, where the options name them.
#[derive(Clone, Copy, Debug, Default)]
pub struct FirstAdministrator<'a> {
    /// The administrator's API token.
    pub token: Option<&'a Secret>,
    /// The administrator's password.
    pub password: Option<&'a Secret>,
}
