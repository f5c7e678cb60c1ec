//! `bootledger serve`: the service until it is told to stop.

use crate::administrator;
use crate::config::ServeArguments;
use crate::service::Service;
use actix_web::{App, HttpServer};
use anyhow::{Context, Result};
use bootledger_web::server;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

/// How long requests under way may take when the service stops.
const GRACE_SECONDS: u64 = 3;

/// Runs until Ctrl-C or SIGTERM. `ready` is called when it listens, with the addresses.
pub async fn run(arguments: ServeArguments) -> Result<()> {
    let mut service = Service::start(&arguments).await?;
    let greeting = administrator::ensure(&service.ledger, arguments.admin_token.as_ref()).await?;
    let web = Web::bind(&service, &arguments)?;
    for address in web.addresses() {
        info!(%address, "listening");
    }
    println!("Bootledger listens on {}", service.application.base_url.as_str());
    if let Some(token) = greeting {
        println!("First start: the administrator's API token, shown only now, is\n{token}");
    }
    let ended = wait(&mut service).await;
    service.begin_to_stop();
    web.stop().await;
    service.stop().await?;
    ended
}

/// Waits for a signal, or for the end of the embedded server.
async fn wait(service: &mut Service) -> Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
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
        let mut web = Self { handles: vec![], addresses: vec![] };
        let application = service.application.clone();
        let whole = HttpServer::new(move || App::new().wrap(server::middleware(&application)).configure(server::configure(application.clone())));
        let whole = whole.bind(arguments.listen).with_context(|| format!("cannot listen on {}", arguments.listen))?;
        web.addresses.extend(whole.addrs());
        web.serve(whole.client_request_timeout(Duration::from_secs(10)).disable_signals().shutdown_timeout(GRACE_SECONDS).run());
        if let Some(address) = arguments.boot_listen {
            let application = service.application.clone();
            let boot = HttpServer::new(move || {
                App::new().wrap(server::middleware(&application)).configure(server::configure_boot(application.clone()))
            });
            let boot = boot.bind(address).with_context(|| format!("cannot listen on {address}"))?;
            web.addresses.extend(boot.addrs());
            web.serve(boot.client_request_timeout(Duration::from_secs(10)).disable_signals().shutdown_timeout(GRACE_SECONDS).run());
        }
        Ok(web)
    }

    fn serve(&mut self, server: actix_web::dev::Server) {
        self.handles.push(server.handle());
        tokio::spawn(async move {
            if let Err(error) = server.await {
                warn!(%error, "a web server ended");
            }
        });
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
