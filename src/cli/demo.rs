//! `bootledger demo`: runs the service with a small data centre and with DHCP agents that write into the data folder, and
//! prints a command that deploys a server. With `--busy`, the data centre is larger and much is going on in it.

mod busy;

use crate::catalogue_file::{Existing, Files};
use crate::cli::serve::{Addresses, Web, reached, signals, start, stop, wait};
use crate::commands::administrator::{self, by, shown};
use crate::config::ServeArguments;
use crate::service::Service;
use crate::service::tool::Tool;
use anyhow::{Context, Result};
use bootledger_aggregates::actor::SystemActor;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_dhcp_agent as dhcp_agent;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::devices;
use bootledger_secrets::Secret;
use bootledger_web::http::auth::token::Secret as TokenSecret;
use ipnet::IpNet;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use uuid::Uuid;

/// The arguments of the subcommand.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Fills the data centre with 250 devices and 60 deployments in every state, which takes some seconds. A second start in the
    /// same data folder adds nothing.
    #[arg(long)]
    pub busy: bool,
    /// Options of the service.
    #[command(flatten)]
    pub serve: ServeArguments,
}

/// The catalogue of the demo's data centre.
const CATALOGUE: &str = include_str!("demo/catalogue.yaml");

/// The demo's DHCP servers: name, site, kind, file in the data folder, and the program that can check the file.
const DHCP_SERVERS: [(&str, &str, dhcp_agent::Kind, &str, &str); 3] = [
    ("kea-dc1", "dc1", dhcp_agent::Kind::Kea, "kea-dc1.json", "kea-dhcp4"),
    ("isc-dc2", "dc2", dhcp_agent::Kind::Isc, "isc-dc2.conf", "dhcpd"),
    ("dnsmasq-dc2", "dc2", dhcp_agent::Kind::Dnsmasq, "dnsmasq-dc2.conf", "dnsmasq"),
];

/// The address at which servers of the network dc1-prod reach the demo once `scripts/demo-vm` has built that network: its
/// router.
const BOOT_NETWORK: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 20, 0, 1), 8080);

/// Runs the demo until Ctrl-C or SIGTERM.
///
/// # Errors
/// Returns an error if the service, its demo catalogue or an agent cannot be started, or if the embedded PostgreSQL server
/// fails.
pub async fn run(Arguments { busy, serve: mut arguments }: Arguments) -> Result<()> {
    // Requests from this machine may carry the address of any booting server, so that curl can play the server.
    arguments.trusted_proxy.push(IpNet::from(reached(arguments.listen.ip())));
    // For the same reason, webhook receivers, controllers and DNS primaries may be on this machine.
    arguments.store.outbound_allow.push(IpNet::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST)));
    let mut signals = signals()?;
    let Some(mut service) = start(&arguments, &mut signals).await? else { return Ok(()) };
    let administrator = ensure_administrator(&service, &arguments).await?;
    let tool = Tool::open(&arguments.store).await?;
    // Changes that were made since the first start are kept.
    let more = if busy { busy::catalogue() } else { String::new() };
    for (name, text) in [("the demo's catalogue", CATALOGUE), ("the busy demo's catalogue", more.as_str())] {
        if text.is_empty() {
            continue;
        }
        let catalogue = Files::of_text(name, text, Path::new("."))?;
        let report = catalogue.import(&tool, Arc::clone(&service.boot.application.files), Existing::Kept).await?;
        for refused in report.refusals() {
            tracing::warn!("not in the demo: {refused}");
        }
    }
    let mut web = Web::bind(&service, &arguments)?;
    if arguments.boot_listen.is_none() {
        web.listen_ahead(BOOT_NETWORK)?;
    }
    let mut agents = start_agents(&service, &arguments).await?;
    let addresses = Addresses::of(&web, &arguments);
    greet(&service, &administrator, &addresses).await?;
    tool.close().await?;
    let (commands, views) = (service.commands.clone(), service.boot.application.views.clone());
    // The pages show the deployments as they start; a signal ends the service at any time.
    let filled = async {
        if busy {
            match busy::deploy(&commands, &views).await {
                Ok(count) => println!("\nThe busy data centre is complete: {count} deployments have started."),
                Err(error) => {
                    tracing::warn!(error = %format!("{error:#}"), "the busy data centre is incomplete; start the demo again");
                }
            }
        }
        std::future::pending().await
    };
    let ended = tokio::select! {
        ended = wait(&mut service, signals) => ended,
        ended = filled => ended,
    };
    service.begin_to_stop();
    let gone = async { while agents.join_next().await.is_some() {} };
    // The agents' requests have ended by now; a command that one of them still runs need not end.
    drop(tokio::time::timeout(Duration::from_millis(500), gone).await);
    Box::pin(stop(service, web)).await?;
    ended
}

/// The credentials of the demo's administrator.
struct Administrator {
    token: String,
    password: String,
}

/// The administrator's token and password: those given on the command line, or those kept in the data folder for the next
/// start.
async fn ensure_administrator(service: &Service, arguments: &ServeArguments) -> Result<Administrator> {
    let [token, password] = ["demo.token", "demo.password"].map(|name| arguments.store.data_dir.join(name));
    let made = administrator::ensure(&service.commands, arguments.given(), false).await?;
    if let Some(made) = made.token {
        write_private(&token, &made)?;
    }
    if let Some(made) = made.password {
        write_private(&password, made.expose())?;
    }
    let kept = |given: Option<&Secret>, file: &Path, remedy: &str| match given {
        Some(given) => Ok(given.expose().to_owned()),
        None => std::fs::read_to_string(file).with_context(|| format!("{} no longer exists; {remedy}", file.display())),
    };
    Ok(Administrator {
        token: kept(arguments.admin_token.as_ref(), &token, "create a token with `bootledger token create`")?,
        password: kept(arguments.admin_password.as_ref(), &password, "set one with `bootledger user passwd admin`")?,
    })
}

/// Writes a file that only its owner can read.
fn write_private(file: &Path, text: &str) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let open = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    let written = open.and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("{} cannot be written", file.display()))
}

/// Starts an agent for each DHCP server. The agents reload nothing, since no DHCP server runs; the real server's program checks
/// each configuration where it is installed.
async fn start_agents(service: &Service, arguments: &ServeArguments) -> Result<JoinSet<()>> {
    let folder = arguments.store.data_dir.join("dhcp");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    let address = SocketAddr::new(reached(arguments.listen.ip()), arguments.listen.port());
    let url: bootledger_aggregates::site::BootUrl = format!("http://{address}").parse()?;
    let mut agents = JoinSet::new();
    for (name, site, kind, file, checker) in DHCP_SERVERS {
        let (id, secret) = (TokenId(Uuid::now_v7()), TokenSecret::random());
        let expires = Some((service.boot.application.now)().plus_seconds(30 * 86_400));
        let scope = TokenScope::DhcpServer(name.parse()?);
        let label = format!("demo agent of {name}").parse()?;
        service.commands.create_token(id, label, scope, expires, secret.sha256(), &by(SystemActor::Demo)).await.map_err(shown)?;
        let token: Secret = secret.bearer(id).parse()?;
        let settings = dhcp_agent::Arguments {
            server_name: name.parse()?,
            site: site.parse()?,
            kind,
            url: url.clone(),
            token_file: None,
            token: Some(token),
            config: folder.join(file),
            check_command: (!installed(checker)).then(|| "true".to_owned()),
            reload_command: Some("true".to_owned()),
            kea_socket: None,
            kea_hosts: false,
            command_timeout: 60,
            wait: 30,
            once: false,
        };
        let stopping = service.stopping();
        agents.spawn(async move {
            if let Err(error) = dhcp_agent::run(settings, stopping).await {
                tracing::error!(error = %format!("{error:#}"), server = name, "the demo's DHCP agent ended");
            }
        });
    }
    Ok(agents)
}

/// Whether a program of this name is installed, in `PATH` or in the folders of system programs.
fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).any(|folder| folder.join(program).is_file())
}

async fn greet(
    service: &Service,
    Administrator { token, password }: &Administrator,
    Addresses { site: url, boot }: &Addresses,
) -> Result<()> {
    let name = administrator::NAME;
    let boot = boot.as_ref().map_or_else(String::new, |boot| {
        format!("\n  boot network            {boot}, for booting servers and agents only: no pages, no API")
    });
    let serial = devices::Filter { serial: Some("SVC7Q01".parse()?), ..Default::default() };
    let found = devices::list(&service.boot.application.views, &serial, At::Now, 1).await?;
    let device = found.first().context("the demo's device no longer exists")?.id;
    println!(
        "Bootledger runs at {url}
  sign in as              {name}, with the password {password}
  API token               {token}
  API documentation       {url}/api/docs
  DHCP configurations     written to the folder dhcp in the data folder by three agents{boot}

Deploy the server R640 no. 1:

  curl -s {url}/api/v1/deployments -H 'Authorization: Bearer {token}' \\
       -H 'Content-Type: application/json' -d '{{\"device\":\"{device}\",\"venture\":\"shop\",\"role\":\"web\"}}'

After a few seconds it is in progress. Boot the server; here curl acts as the server with its address:

  curl -s {url}/pxe/ -H 'X-Forwarded-For: 10.20.0.11'

When it is installed, it reports DONE:

  curl -s {url}/pxe/DONE/ -H 'X-Forwarded-For: 10.20.0.11'

Stop with Ctrl-C."
    );
    Ok(())
}
