//! Assembles the HTTP server from its parts: the same for `serve`, for the extra boot listener, and for tests.

pub mod health;
pub mod openapi;

pub use crate::http::part::Part;

use crate::http::application::Application;
use crate::http::auth::guard::guard;
use crate::http::auth::{KeptForms, RecentPasswords, Throttle};
use crate::http::edge::{ErrorPage, Measurements, edge};
use crate::http::request::unknown_parameters::KnownParameters;
use crate::http::share::Shares;
use crate::machines::dhcp::held::Configurations;
use crate::machines::pxe::service::BootService;
use crate::machines::{dhcp, dns, puppet, pxe};
use crate::pages::live::Live;
use crate::server::health::counts::HealthCounts;
use crate::server::health::readiness::Watched;
use crate::server::openapi::Rendered;
use crate::{api, pages};
use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig, scope};
use actix_web::{App, HttpResponse, HttpServer};
use anyhow::Context;
use std::net::TcpListener;
use std::time::Duration;

/// How long a client may take to send the head of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept open without a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long a client may take to close its connection.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many seconds requests in flight may take when the service stops. The whole service stops within five seconds.
const SHUTDOWN_SECONDS: u64 = 3;

/// The state that all listeners of a process share. Cheap to clone.
#[derive(Clone)]
pub struct Site {
    application: Data<Application>,
    boot: Data<BootService>,
    known: Data<RecentPasswords>,
    forms: Data<KeptForms>,
    throttle: Data<Throttle>,
    shares: Data<Shares>,
    measurements: Data<Measurements>,
    watched: Data<Watched>,
    requested: Data<HealthCounts>,
    rendered: Data<Rendered>,
    configurations: Data<Configurations>,
    live: Data<Live>,
}

impl Site {
    /// Prepares the shared state. Call this once for an application and its boot service, because it registers measurements.
    ///
    /// # Errors
    /// Returns an error if the application's registry already contains the measurements.
    pub fn new(boot: BootService) -> anyhow::Result<Self> {
        let measurements = Measurements::register(&boot.application.metrics).context("cannot register the request histogram")?;
        Ok(Self {
            known: Data::default(),
            forms: Data::default(),
            throttle: Data::default(),
            shares: Data::default(),
            measurements: Data::new(measurements),
            watched: Data::default(),
            requested: Data::default(),
            configurations: Data::default(),
            live: Data::default(),
            rendered: Data::new(Rendered::new().context("cannot write the description of the API")?),
            application: Data::new(boot.application.clone()),
            boot: Data::new(boot),
        })
    }

    /// Mounts the routes of a part: `App::new().configure(site.configure(Part::Whole))`.
    pub fn configure(&self, part: Part) -> impl Fn(&mut ServiceConfig) + Clone + 'static {
        let site = self.clone();
        move |config| {
            config
                .app_data(site.application.clone())
                .app_data(site.boot.clone())
                .app_data(Data::new(part))
                .app_data(Data::new(ErrorPage(pages::failure::answer)))
                .app_data(Data::new(KnownParameters(openapi::parameters)))
                .app_data(site.known.clone())
                .app_data(site.forms.clone())
                .app_data(site.throttle.clone())
                .app_data(site.shares.clone())
                .app_data(site.measurements.clone())
                .app_data(site.watched.clone())
                .app_data(site.requested.clone())
                .app_data(site.rendered.clone())
                .app_data(site.configurations.clone())
                .app_data(site.live.clone());
            let routes = scope("")
                .configure(health::configure)
                .configure(pxe::routes::configure)
                .configure(dhcp::routes::configure)
                .configure(dns::routes::configure)
                .configure(puppet::routes::configure)
                .configure(|config| {
                    if part == Part::Whole {
                        whole(config);
                    }
                })
                .default_service(web::to(HttpResponse::NotFound))
                .wrap(from_fn(guard))
                .wrap(from_fn(edge));
            config.service(routes);
        }
    }

    /// Serves a part on a listener. The caller awaits the returned server, handles signals, and stops the server
    /// with its handle.
    ///
    /// # Errors
    /// Returns an error if the operating system refuses the listener.
    pub fn serve(&self, listener: TcpListener, part: Part) -> std::io::Result<Server> {
        let configure = self.configure(part);
        let server = HttpServer::new(move || App::new().configure(configure.clone()))
            .client_request_timeout(REQUEST_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .keep_alive(KEEP_ALIVE)
            // Without this, an answer in two writes would wait for the acknowledgement of the first, which a client delays
            // by 40 ms.
            .tcp_nodelay(true)
            .shutdown_timeout(SHUTDOWN_SECONDS)
            .disable_signals()
            .listen(listener)?;
        Ok(server.run())
    }
}

/// Mounts the routes that the boot network does not have.
fn whole(config: &mut ServiceConfig) {
    api::configure(config);
    openapi::configure(config);
    pages::configure(config);
}
