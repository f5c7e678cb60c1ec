//! Command-line arguments of the subcommands. Most settings can also be set in the environment (`BOOTLEDGER_…`) or in `.env`.

mod help;

use crate::administrator::Given;
use crate::checkers::Checkers;
use crate::openid::OpenidArguments;
use crate::outbound::Outbound;
use crate::secrets::{Secret, Secrets};
use bootledger_aggregates::site::BootUrl;
use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use std::net::SocketAddr;
use std::path::PathBuf;

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
    #[arg(long, global = true, env = "BOOTLEDGER_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
    /// The filter for log lines, for example `info` or `bootledger=debug,info`.
    #[arg(long, global = true, env = "BOOTLEDGER_LOG", default_value = "info,sqlx=warn", value_name = "FILTER")]
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
    Demo(ServeArguments),
    /// Runs the service: web pages, API, network boot, projector and reactor.
    #[command(after_help = help::SERVE)]
    Serve(ServeArguments),
    /// Executes all plugin runs and DNS updates that are due, once, then exits; for cron.
    #[command(after_help = help::DEPLOY)]
    Deploy(StoreArguments),
    /// Starts a deployment for every row of a CSV file, or imports catalogue files.
    Import(crate::import::Arguments),
    /// Lists the library of boot images, and adds and updates images from it.
    #[command(after_help = help::IMAGE)]
    Image(crate::image::command::Arguments),
    /// Keeps the configuration of one DHCP server up to date, and confirms to the service which configuration the server runs.
    #[command(after_help = help::DHCP_AGENT)]
    DhcpAgent(crate::dhcp_agent::Arguments),
    /// Shows whether this instance has the service key that all instances share, and replaces a lost key.
    #[command(after_help = help::KEY)]
    Key(crate::key::Arguments),
    /// Creates, lists and revokes access tokens.
    #[command(after_help = help::TOKEN)]
    Token(crate::token::Arguments),
    /// Creates, lists, disables and enables users, and sets their passwords.
    #[command(after_help = help::USER)]
    User(crate::accounts::command::Arguments),
    /// Shows or changes a device's power through its management controller.
    #[command(after_help = help::POWER)]
    Power(crate::power::command::Arguments),
    /// Shows where a site's DNS primary and DHCP servers differ from the expected state, and checks or repairs them.
    #[command(after_help = help::DRIFT)]
    Drift(crate::drift::command::Arguments),
    /// Shows the state of webhooks, and pings, pauses, resumes, moves and retires them.
    #[command(after_help = help::WEBHOOK)]
    Webhook(crate::webhooks::command::Arguments),
    /// Writes the event log as JSON lines, or the catalogue as a file that can be imported.
    Export(crate::export::Arguments),
    /// Checks the hash chain of the log, or of an export of it.
    #[command(after_help = help::VERIFY)]
    Verify(crate::verify::Arguments),
    /// Rebuilds the views from the event log in a second schema, then switches to them or compares them with the current views.
    #[command(after_help = help::REBUILD)]
    Rebuild(crate::rebuild::Arguments),
    /// Supervises the embedded PostgreSQL server; the service starts this subcommand itself.
    #[command(hide = true)]
    PostgresGuard(crate::postgres::guard::Arguments),
    /// Runs only the embedded PostgreSQL server until Ctrl-C or SIGTERM; for developers and tests.
    #[command(hide = true)]
    Postgres(StoreArguments),
}

/// Options of the event log's database. They are accepted anywhere on the command line; if one is given twice, the last one
/// applies.
#[derive(Clone, Debug, Args)]
pub struct StoreArguments {
    /// The URL of the PostgreSQL database; without it, an embedded server is started in the data directory.
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// The directory for the embedded PostgreSQL server, boot files and keys.
    #[arg(long, global = true, env = "BOOTLEDGER_DATA_DIR", default_value = "data", value_name = "FOLDER")]
    pub data_dir: PathBuf,
    /// The directory that contains `initdb` and `postgres` for the embedded server; by default, the usual places are searched.
    #[arg(long, global = true, env = "BOOTLEDGER_POSTGRES_BIN", value_name = "FOLDER")]
    pub postgres_bin: Option<PathBuf>,
    /// The directory of secrets, one file per secret. A secret without a file is read from the environment variable
    /// `BOOTLEDGER_SECRET_NAME`.
    #[arg(long, global = true, env = "BOOTLEDGER_SECRETS_DIR", value_name = "FOLDER")]
    pub secrets_dir: Option<PathBuf>,
    /// A network that management controllers, webhook receivers and DNS primaries may be in although its addresses are
    /// loopback, link-local, multicast or those of a metadata service; may be repeated.
    #[arg(long, global = true, env = "BOOTLEDGER_OUTBOUND_ALLOW", value_delimiter = ',', value_name = "CIDR")]
    pub outbound_allow: Vec<IpNet>,
    /// Whether dhcpd, kea-dhcp4 and dnsmasq check a site's DHCP files before a change is saved, if they are installed on this
    /// machine and the site has such servers.
    #[arg(long, global = true, env = "BOOTLEDGER_FILE_CHECKS", value_enum, default_value = "auto")]
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
    /// A directory of your own boot loaders, such as iPXE for 64-bit ARM; its files take precedence over those of
    /// --tftp-folder.
    #[arg(long, env = "BOOTLEDGER_LOADERS", value_name = "FOLDER")]
    pub loaders: Option<PathBuf>,
    /// The directory of boot loaders, which are served over TFTP and below `/boot/loaders/`.
    #[arg(long, env = "BOOTLEDGER_TFTP_FOLDER", default_value = "/usr/lib/ipxe", value_name = "FOLDER")]
    pub tftp_folder: PathBuf,
    /// The URL at which servers and people reach the service; by default the address of --boot-listen, otherwise that of
    /// --listen.
    #[arg(long, env = "BOOTLEDGER_BASE_URL", value_name = "URL")]
    pub base_url: Option<BootUrl>,
    /// A proxy whose X-Forwarded-For header is trusted; may be repeated.
    #[arg(long, env = "BOOTLEDGER_TRUSTED_PROXY", value_delimiter = ',', value_name = "CIDR")]
    pub trusted_proxy: Vec<IpNet>,
    /// Where boot files are stored: a directory, or an S3-compatible `s3://bucket/prefix` with the usual AWS variables; by
    /// default, `files` in the data directory.
    #[arg(long, env = "BOOTLEDGER_FILES", value_name = "FOLDER|URL")]
    pub files: Option<String>,
    /// A file with the service key, at least 32 bytes and the same for all instances; by default, it is created in the data
    /// directory.
    #[arg(long, env = "BOOTLEDGER_KEY_FILE", value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The maximum size of a boot file, in bytes.
    #[arg(long, env = "BOOTLEDGER_MAX_UPLOAD", default_value_t = 8 << 30, value_name = "BYTES")]
    pub max_upload: u64,
    /// A directory of your own boot image recipes, which take precedence over those of the library.
    #[arg(long, env = "BOOTLEDGER_IMAGE_RECIPES", value_name = "FOLDER")]
    pub image_recipes: Option<PathBuf>,
    /// A network that boot image mirrors may be in although its addresses are loopback, link-local or those of a metadata
    /// service; may be repeated.
    #[arg(long, env = "BOOTLEDGER_IMAGE_MIRROR_ALLOW", value_delimiter = ',', value_name = "CIDR")]
    pub image_mirror_allow: Vec<IpNet>,
    /// How often DNS primaries and DHCP servers are compared with the expected state, in seconds; 0 compares only on request.
    #[arg(long, env = "BOOTLEDGER_DRIFT_EVERY", default_value_t = 900, value_name = "SECONDS")]
    pub drift_every: u64,
    /// Options of the `OpenID` Connect provider through which users sign in.
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
    /// The administrator's credentials for the first start, where the command line or the environment has them.
    pub fn given(&self) -> Given<'_> {
        Given { token: self.admin_token.as_ref(), password: self.admin_password.as_ref() }
    }

    /// The URL at which servers and people reach the service.
    pub fn base_url(&self) -> anyhow::Result<BootUrl> {
        match &self.base_url {
            Some(url) => Ok(url.clone()),
            None => Ok(format!("http://{}", self.boot_listen.unwrap_or(self.listen)).parse()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    /// Every subcommand that can be run, as the words that select it.
    fn leaves(command: &clap::Command, words: &[String], found: &mut Vec<Vec<String>>) {
        let mut subcommands = command.get_subcommands().filter(|one| one.get_name() != "help").peekable();
        if subcommands.peek().is_none() {
            found.push(words.to_vec());
        }
        for subcommand in subcommands {
            leaves(subcommand, &[words, &[subcommand.get_name().to_owned()]].concat(), found);
        }
    }

    fn all() -> Vec<Vec<String>> {
        let mut found = vec![];
        leaves(&Arguments::command(), &[], &mut found);
        found
    }

    const COMMON: [(&str, &str); 8] = [
        ("--database-url", "postgres://a/b"),
        ("--data-dir", "elsewhere"),
        ("--postgres-bin", "bin"),
        ("--secrets-dir", "secrets"),
        ("--outbound-allow", "10.0.0.0/8"),
        ("--file-checks", "off"),
        ("--log", "debug"),
        ("--log-format", "json"),
    ];

    #[test]
    fn the_common_options_are_taken_before_between_and_after_the_words_of_every_subcommand() {
        let leaves = all();
        assert!(leaves.iter().any(|words| words.join(" ") == "token create"), "{leaves:?}");
        for words in leaves {
            for (option, value) in COMMON {
                for place in 0..=words.len() {
                    let mut line = vec!["bootledger".to_owned()];
                    line.extend(words[..place].iter().cloned());
                    line.extend([option.to_owned(), value.to_owned()]);
                    line.extend(words[place..].iter().cloned());
                    // An error about the subcommand's own required arguments is expected, since the line does not have them.
                    if let Err(error) = Arguments::try_parse_from(&line) {
                        let missing = [ErrorKind::MissingRequiredArgument, ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand];
                        assert!(missing.contains(&error.kind()), "{line:?}: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_common_option_reaches_the_subcommand_wherever_it_stands() {
        for line in [
            "bootledger --data-dir there token list",
            "bootledger token --data-dir there list",
            "bootledger token list --data-dir there",
            "bootledger --data-dir here token list --data-dir there",
        ] {
            let arguments = Arguments::try_parse_from(line.split(' ')).expect(line);
            let Command::Token(token) = &arguments.command else { panic!("{line}") };
            assert!(format!("{token:?}").contains("data_dir: \"there\""), "{line}: {token:?}");
        }
        let arguments = Arguments::try_parse_from(["bootledger", "--data-dir", "there", "serve"]).expect("serve");
        let Command::Serve(serve) = arguments.command else { panic!("serve") };
        assert_eq!(serve.store.data_dir, PathBuf::from("there"));
        let arguments = Arguments::try_parse_from(["bootledger", "--file-checks", "off", "serve"]).expect("serve");
        let Command::Serve(serve) = arguments.command else { panic!("serve") };
        assert_eq!(serve.store.file_checks, FileChecks::Off);
    }

    #[test]
    fn every_example_of_a_help_is_a_command_line_that_is_taken() {
        let all = Arguments::command();
        let helps: Vec<String> = std::iter::once(&all)
            .chain(all.get_subcommands())
            .filter_map(|command| command.get_after_help().map(ToString::to_string))
            .collect();
        let mut examples = 0;
        for line in helps.iter().flat_map(|help| help.lines()).filter_map(|line| Some(&line[line.find(" bootledger ")? + 1..])) {
            // Only the example's command counts, not its explanation, a redirection to a file or a command that follows.
            let own = ["   ", " > ", " && "].iter().fold(line, |line, end| line.split(end).next().unwrap_or_default());
            let quoted = own.split('"').enumerate();
            let words: Vec<String> = quoted
                .flat_map(|(n, part)| {
                    if n % 2 == 1 { vec![part.to_owned()] } else { part.split_whitespace().map(ToOwned::to_owned).collect() }
                })
                .collect();
            if let Err(error) = Arguments::try_parse_from(&words) {
                panic!("{line}: {error}");
            }
            examples += 1;
        }
        assert!(examples > 20, "{examples}");
    }

    #[test]
    fn every_subcommand_has_a_help_that_says_what_it_does() {
        fn look(command: &mut clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty(), "{path} has no description");
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let is_first = path.split_whitespace().count() == 2;
            assert!(
                !is_first || command.is_hide_set() || help.contains("Example") && help.contains(&path[1..]),
                "{path} has no example"
            );
            drop(command.render_long_help());
            for subcommand in command.get_subcommands_mut().filter(|one| one.get_name() != "help") {
                look(subcommand, &path);
            }
        }
        Arguments::command().debug_assert();
        look(&mut Arguments::command(), "");
    }
}
