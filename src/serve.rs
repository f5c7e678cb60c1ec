//! `bootledger serve`: the service until it is told to stop.

use crate::administrator;
use crate::config::ServeArguments;
use crate::service::Service;
use anyhow::{Context, Result};
use bootledger_web::server::{Part, Site};

use std::net::{SocketAddr, TcpListener};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

/// Runs until Ctrl-C or SIGTERM. `ready` is called when it listens, with the addresses.
pub async fn run(arguments: ServeArguments) -> Result<()> {
    let signals = signals()?;
    let mut service = Service::start(&arguments).await?;
    let made = administrator::ensure(&service.ledger, arguments.given(), true).await?;
    let web = Web::bind(&service, &arguments)?;
    for address in web.addresses() {
        info!(%address, "listening");
    }
    println!("Bootledger listens on {}", service.application.base_url.as_str());
    if let Some(password) = made.password {
        let name = administrator::NAME;
        println!("First start: sign in as {name} with the one-time password, shown only now,\n{}", password.expose());
    }
    if let Some(token) = made.token {
        println!("First start: the administrator's API token, shown only now, is\n{token}");
    }
    let ended = wait(&mut service, signals).await;
    service.begin_to_stop();
    web.stop().await;
    service.stop().await?;
    ended
}

/// SIGTERM and SIGINT, listened to from the start, so that neither finds a service that is not prepared for it.
pub(crate) type Signals = (Signal, Signal);

/// Begins to listen to them.
pub(crate) fn signals() -> Result<Signals> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

/// Waits for a signal, or for the end of the embedded server.
pub(crate) async fn wait(service: &mut Service, (mut terminated, mut interrupted): Signals) -> Result<()> {
    let database = async {
        match &mut service.database.embedded {
            Some(embedded) => embedded.ended().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = terminated.recv() => info!("told to stop"),
        _ = interrupted.recv() => info!("told to stop"),
        error = database => return Err(error).context("the embedded PostgreSQL ended by itself"),
    }
    Ok(())
}

/// The web servers of the service: the whole site, and the extra boot address.
pub struct Web {
    handles: Vec<actix_web::dev::ServerHandle>,
    addresses: Vec<SocketAddr>,
}

impl Web {
    /// Listens and serves.
    pub fn bind(service: &Service, arguments: &ServeArguments) -> Result<Self> {
        let site = Site::new(service.application.clone())?;
        let mut web = Self { handles: vec![], addresses: vec![] };
        web.listen(&site, arguments.listen, Part::Whole)?;
        if let Some(address) = arguments.boot_listen {
            web.listen(&site, address, Part::BootOnly)?;
        }
        Ok(web)
    }

    fn listen(&mut self, site: &Site, address: SocketAddr, part: Part) -> Result<()> {
        let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        self.addresses.push(listener.local_addr()?);
        let server = site.serve(listener, part)?;
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
