//! `bootledger serve`: the service until it is told to stop.

use crate::administrator;
use crate::config::ServeArguments;
use crate::service::Service;
use anyhow::{Context, Result};
use bootledger_web::server::{Part, Site};

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt, socket, sockopt};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::os::fd::AsRawFd;

use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use tracing::{info, warn};

/// Runs until Ctrl-C or SIGTERM. `ready` is called when it listens, with the addresses.
pub async fn run(arguments: ServeArguments) -> Result<()> {
    let mut signals = signals()?;
    let Some(mut service) = start(&arguments, &mut signals).await? else { return Ok(()) };
    let made = match service.database.read_only {
        // What a first start makes is in the log already: the schema is complete.
        Some(_) => administrator::Made::default(),
        None => administrator::ensure(&service.ledger, arguments.given(), true).await?,
    };
    let web = Web::bind(&service, &arguments)?;
    for address in web.addresses() {
        info!(%address, "listening");
    }
    let Addresses { site, boot } = Addresses::of(&web, &arguments);
    println!("Bootledger listens on {site}");
    if let Some(boot) = boot {
        println!("Booting servers and agents are served on {boot} as well, without pages and API");
    }
    if let Some(password) = made.password {
        let name = administrator::NAME;
        println!("First start: sign in as {name} with the one-time password, shown only now,\n{}", password.expose());
    }
    if let Some(token) = made.token {
        println!("First start: the administrator's API token, shown only now, is\n{token}");
    }
    let ended = wait(&mut service, signals).await;
    Box::pin(stop(service, web)).await?;
    ended
}

/// Starts the service; `None` where a signal to stop came before it had started. A start waits for the database, and for
/// other instances that bring its schema up to date.
pub(crate) async fn start(arguments: &ServeArguments, signals: &mut Signals) -> Result<Option<Service>> {
    let mut starting = Box::pin(Service::start(arguments));
    tokio::select! {
        started = &mut starting => started.map(Some),
        () = received(signals) => {
            let until = Instant::now() + STOP;
            info!("stopping during the start");
            // A start that is nearly done ends in order. One that waits for the database is aborted.
            match tokio::time::timeout(REQUESTS, starting).await {
                Ok(started) => Box::pin(started?.stop_by(until)).await.map(|()| None),
                Err(_) => Ok(None),
            }
        }
    }
}

/// How long a process may take to end after it was told to, and how much of that is for requests under way.
const STOP: Duration = Duration::from_millis(4300);
const REQUESTS: Duration = Duration::from_secs(2);

/// Ends the requests under way and the work in the background, within some seconds, whatever the database does.
pub(crate) async fn stop(service: Service, web: Web) -> Result<()> {
    let until = Instant::now() + STOP;
    service.begin_to_stop();
    if tokio::time::timeout(REQUESTS, web.stop()).await.is_err() {
        warn!("aborting requests in progress");
    }
    service.stop_by(until).await
}

/// SIGTERM and SIGINT, listened to from the start, so that neither finds a service that is not prepared for it.
pub(crate) type Signals = (Signal, Signal);

/// Begins to listen to them.
pub(crate) fn signals() -> Result<Signals> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

/// Waits for either of them.
pub(crate) async fn received((terminated, interrupted): &mut Signals) {
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
}

/// Waits for a signal, or for the end of the embedded server.
pub(crate) async fn wait(service: &mut Service, mut signals: Signals) -> Result<()> {
    let database = async {
        match &mut service.database.embedded {
            Some(embedded) => embedded.ended().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = received(&mut signals) => info!("told to stop"),
        error = database => return Err(error).context("the embedded PostgreSQL ended by itself"),
    }
    Ok(())
}

/// The web servers of the service: the whole site, and the extra boot address.
pub struct Web {
    site: Site,
    handles: Vec<actix_web::dev::ServerHandle>,
    addresses: Vec<SocketAddr>,
}

impl Web {
    /// Listens and serves.
    pub fn bind(service: &Service, arguments: &ServeArguments) -> Result<Self> {
        let mut web = Self { site: Site::new(service.application.clone())?, handles: vec![], addresses: vec![] };
        web.listen(arguments.listen, Part::Whole)?;
        if let Some(address) = arguments.boot_listen {
            web.listen(address, Part::BootOnly)?;
        }
        Ok(web)
    }

    /// Listens for booting servers on an address that this machine may get later: the demo's boot network, which
    /// `scripts/demo-vm` builds beside the running demo. Whether that is possible is no concern of the demo's.
    pub fn listen_ahead(&mut self, address: SocketAddrV4) -> Result<()> {
        match ahead(address) {
            Ok(listener) => self.serve(listener, Part::BootOnly),
            Err(error) => {
                info!(%address, %error, "servers of the demo's boot network cannot be served");
                Ok(())
            }
        }
    }

    fn listen(&mut self, address: SocketAddr, part: Part) -> Result<()> {
        self.serve(TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?, part)
    }

    fn serve(&mut self, listener: TcpListener, part: Part) -> Result<()> {
        self.addresses.push(listener.local_addr()?);
        let server = self.site.serve(listener, part)?;
        self.handles.push(server.handle());
        tokio::spawn(async move {
            if let Err(error) = server.await {
                warn!(%error, "a web server ended");
            }
        });
        Ok(())
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Ends the requests under way, for a few seconds at most, and stops.
    pub async fn stop(self) {
        futures::future::join_all(self.handles.iter().map(|handle| handle.stop(true))).await;
    }
}

/// Where people and servers reach the service, as URLs.
#[derive(Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The pages and the API, and everything else.
    pub site: String,
    /// What booting servers and agents need, and nothing else.
    pub boot: Option<String>,
}

impl Addresses {
    /// The addresses of a web server that listens, by what its arguments say of them.
    pub fn of(web: &Web, arguments: &ServeArguments) -> Self {
        let named = arguments.base_url.as_ref().map(bootledger_aggregates::site::BootUrl::as_str);
        Self::named(web.addresses(), arguments.boot_listen.is_some(), named)
    }

    /// `listening` begins with the address of the whole site; the one of `boot` is behind it. `named` is what servers are given.
    fn named(listening: &[SocketAddr], boot: bool, named: Option<&str>) -> Self {
        let url = |address: &SocketAddr| format!("http://{}", SocketAddr::new(reached(address.ip()), address.port()));
        let site = listening.first().map(url).unwrap_or_default();
        let boot = listening.get(1).filter(|_| boot).map(url);
        // What servers are given counts for people only where there is no other address for servers.
        let named = named.map(str::to_owned);
        match boot {
            Some(boot) => Self { site, boot: Some(named.unwrap_or(boot)) },
            None => Self { site: named.unwrap_or(site), boot: None },
        }
    }
}

/// An address by which this machine reaches what listens on another: its own, where that is every address.
pub(crate) fn reached(listens: IpAddr) -> IpAddr {
    match listens {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

/// A listener on an address that no interface has to have yet (`IP_FREEBIND`, ip(7)).
fn ahead(address: SocketAddrV4) -> nix::Result<TcpListener> {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    setsockopt(&socket, sockopt::IpFreebind, &true)?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(address))?;
    listen(&socket, Backlog::new(128)?)?;
    Ok(TcpListener::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_sent_to_the_address_that_has_pages() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let named = |listening: &[&str], boot, named| {
            let listening: Vec<SocketAddr> = listening.iter().map(|text| address(text)).collect();
            let Addresses { site, boot } = Addresses::named(&listening, boot, named);
            (site, boot)
        };
        let url = |text: &str| text.to_owned();
        assert_eq!(named(&["127.0.0.1:8080"], false, None), (url("http://127.0.0.1:8080"), None));
        // The demo listens for virtual servers as well, without being asked to.
        assert_eq!(named(&["0.0.0.0:8080", "10.20.0.1:8080"], false, None), (url("http://127.0.0.1:8080"), None));
        assert_eq!(named(&["[::]:8080", "10.0.0.1:80"], true, None), (url("http://[::1]:8080"), Some(url("http://10.0.0.1:80"))));
        assert_eq!(named(&["127.0.0.1:8080"], false, Some("https://boot.example")), (url("https://boot.example"), None));
        let both = named(&["127.0.0.1:8080", "10.0.0.1:80"], true, Some("http://boot.example"));
        assert_eq!(both, (url("http://127.0.0.1:8080"), Some(url("http://boot.example"))));
    }

    #[test]
    fn an_address_that_this_machine_may_get_later_can_be_listened_on() {
        // From the block for documentation, which no interface has (RFC 5737).
        let address = SocketAddrV4::new([192, 0, 2, 1].into(), 0);
        TcpListener::bind(address).expect_err("no interface has it");
        let listener = ahead(address).expect("it may have one later");
        assert_eq!(listener.local_addr().expect("an address").ip(), std::net::IpAddr::from([192, 0, 2, 1]));
    }
}
