//! `bootledger serve`: runs the service until Ctrl-C or SIGTERM.

use crate::commands::administrator;
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

/// Runs until Ctrl-C or SIGTERM.
///
/// # Errors
/// Returns an error if the service cannot start or listen, if the embedded PostgreSQL server ends by itself, or if it does not
/// stop properly.
pub async fn run(arguments: ServeArguments) -> Result<()> {
    let mut signals = signals()?;
    let Some(mut service) = start(&arguments, &mut signals).await? else { return Ok(()) };
    let made = match service.database.read_only {
        // The administrator of the first start is in the log already, because the schema is complete.
        Some(_) => administrator::Made::default(),
        None => administrator::ensure(&service.commands, arguments.given(), true).await?,
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
        println!("First start: sign in as {name} with this one-time password, which is shown only once:\n{}", password.expose());
    }
    if let Some(token) = made.token {
        println!("First start: the administrator's API token, which is shown only once:\n{token}");
    }
    let ended = wait(&mut service, signals).await;
    Box::pin(stop(service, web)).await?;
    ended
}

/// Starts the service; `None` if a signal to stop arrived before it had started. A start waits for the database, and for other
/// instances that migrate its schema.
pub(crate) async fn start(arguments: &ServeArguments, signals: &mut Signals) -> Result<Option<Service>> {
    let mut starting = Box::pin(Service::start(arguments));
    tokio::select! {
        started = &mut starting => started.map(Some),
        () = received(signals) => {
            let until = Instant::now() + STOP;
            info!("stopping during the start");
            // A start that is nearly done may finish. One that waits for the database is aborted.
            match tokio::time::timeout(REQUESTS, starting).await {
                Ok(started) => Box::pin(started?.stop_by(until)).await.map(|()| None),
                Err(_) => Ok(None),
            }
        }
    }
}

/// How long the process may take to stop after a signal, and how much of that is for requests in progress.
const STOP: Duration = Duration::from_millis(4300);
const REQUESTS: Duration = Duration::from_secs(2);

/// Finishes the requests in progress and the background work, within some seconds, regardless of the database's state.
pub(crate) async fn stop(service: Service, web: Web) -> Result<()> {
    let until = Instant::now() + STOP;
    service.begin_to_stop();
    if tokio::time::timeout(REQUESTS, web.stop()).await.is_err() {
        warn!("aborting requests in progress");
    }
    service.stop_by(until).await
}

/// Handlers for SIGTERM and SIGINT, installed at the start, so that neither signal arrives unhandled.
pub(crate) type Signals = (Signal, Signal);

/// Installs the signal handlers.
pub(crate) fn signals() -> Result<Signals> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

/// Waits for either signal.
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
        () = received(&mut signals) => info!("stopping on a signal"),
        error = database => return Err(error).context("the embedded PostgreSQL server stopped unexpectedly"),
    }
    Ok(())
}

/// The web servers of the service: the one for all routes, and the one for the extra boot address.
pub struct Web {
    site: Site,
    handles: Vec<actix_web::dev::ServerHandle>,
    addresses: Vec<SocketAddr>,
}

impl Web {
    /// Binds the addresses and starts to serve.
    ///
    /// # Errors
    /// Returns an error if the service cannot listen on an address, or if its metrics are already registered.
    pub fn bind(service: &Service, arguments: &ServeArguments) -> Result<Self> {
        let mut web = Self { site: Site::new(service.boot.clone())?, handles: vec![], addresses: vec![] };
        web.listen(arguments.listen, Part::Whole)?;
        if let Some(address) = arguments.boot_listen {
            web.listen(address, Part::BootOnly)?;
        }
        Ok(web)
    }

    /// Listens for booting servers on an address that this machine may get later: the demo's boot network, which
    /// `scripts/demo-vm` creates beside the running demo. If that is not possible, the demo runs without it.
    ///
    /// # Errors
    /// Returns an error if no server can be started on the listener.
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

    /// The addresses on which the servers listen.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Finishes the requests in progress, for a few seconds at most, and stops.
    pub async fn stop(self) {
        futures::future::join_all(self.handles.iter().map(|handle| handle.stop(true))).await;
    }
}

/// The URLs at which people and servers reach the service.
#[derive(Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The URL of the pages and the API, and of all other routes.
    pub site: String,
    /// The URL of the routes for booting servers and agents only.
    pub boot: Option<String>,
}

impl Addresses {
    /// The URLs of a running web server, according to its arguments.
    pub fn of(web: &Web, arguments: &ServeArguments) -> Self {
        let named = arguments.base_url.as_ref().map(bootledger_aggregates::site::BootUrl::as_str);
        Self::named(web.addresses(), arguments.boot_listen.is_some(), named)
    }

    /// `listening` begins with the address for all routes, followed by the one for `boot`. `named` is the URL that is given to
    /// booting servers.
    fn named(listening: &[SocketAddr], boot: bool, named: Option<&str>) -> Self {
        let url = |address: &SocketAddr| format!("http://{}", SocketAddr::new(reached(address.ip()), address.port()));
        let site = listening.first().map(url).unwrap_or_default();
        let boot = listening.get(1).filter(|_| boot).map(url);
        // The URL given to booting servers is shown to people only if booting servers have no other address.
        let named = named.map(str::to_owned);
        match boot {
            Some(boot) => Self { site, boot: Some(named.unwrap_or(boot)) },
            None => Self { site: named.unwrap_or(site), boot: None },
        }
    }
}

/// An address at which this machine reaches a listener: loopback, if it listens on all addresses.
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
    fn a_browser_is_redirected_to_the_address_that_has_pages() {
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let named = |listening: &[&str], boot, named| {
            let listening: Vec<SocketAddr> = listening.iter().map(|text| address(text)).collect();
            let Addresses { site, boot } = Addresses::named(&listening, boot, named);
            (site, boot)
        };
        let url = |text: &str| text.to_owned();
        assert_eq!(named(&["127.0.0.1:8080"], false, None), (url("http://127.0.0.1:8080"), None));
        // The demo also listens for virtual servers, without an option for it.
        assert_eq!(named(&["0.0.0.0:8080", "10.20.0.1:8080"], false, None), (url("http://127.0.0.1:8080"), None));
        assert_eq!(named(&["[::]:8080", "10.0.0.1:80"], true, None), (url("http://[::1]:8080"), Some(url("http://10.0.0.1:80"))));
        assert_eq!(named(&["127.0.0.1:8080"], false, Some("https://boot.example")), (url("https://boot.example"), None));
        let both = named(&["127.0.0.1:8080", "10.0.0.1:80"], true, Some("http://boot.example"));
        assert_eq!(both, (url("http://127.0.0.1:8080"), Some(url("http://boot.example"))));
    }

    #[test]
    fn an_address_that_this_machine_may_get_later_can_be_listened_on() {
        // An address from the block for documentation, which no interface has (RFC 5737).
        let address = SocketAddrV4::new([192, 0, 2, 1].into(), 0);
        TcpListener::bind(address).expect_err("no interface has it");
        let listener = ahead(address).expect("it may have one later");
        assert_eq!(listener.local_addr().expect("an address").ip(), std::net::IpAddr::from([192, 0, 2, 1]));
    }
}
