//! `/metrics`, in the text format of Prometheus.

use crate::application::Application;
use crate::error::Error;
use actix_web::HttpResponse;
use actix_web::web::Data;
use bootledger_projections::at::At;
use bootledger_projections::{catalogue, repeats, strays};
use prometheus::{Encoder, IntGaugeVec, Opts, Registry, TextEncoder};
use std::time::Duration;

/// How long the database may take to answer.
const DEADLINE: Duration = Duration::from_secs(3);

/// Every measurement of the process.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn measured(application: Data<Application>) -> Result<HttpResponse, Error> {
    let internal = |error: prometheus::Error| Error::Internal(error.into());
    let mut text = vec![];
    TextEncoder::new().encode(&application.metrics.gather(), &mut text).map_err(internal)?;
    // What only the database knows is left out while it does not answer.
    match strays(&application).await {
        Ok(registry) => TextEncoder::new().encode(&registry.gather(), &mut text).map_err(internal)?,
        Err(error) => tracing::warn!("the DHCP entries without a network could not be counted: {error}"),
    }
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

/// How many DHCP entries of each site no network serves.
async fn strays(application: &Application) -> Result<Registry, Error> {
    let name = "bootledger_dhcp_entries_without_network";
    let help = "DHCP entries of a site that no network serves; its servers keep the last configuration that had them.";
    let internal = |error: prometheus::Error| Error::Internal(error.into());
    let gauge = IntGaugeVec::new(Opts::new(name, help), &["site"]).map_err(internal)?;
    let name = "bootledger_dhcp_entries_left_out";
    let help = "DHCP entries that a site's configuration leaves out: an interface has one address in a VLAN, and an address one \
                interface.";
    let repeated = IntGaugeVec::new(Opts::new(name, help), &["site"]).map_err(internal)?;
    let counted = async {
        let mut connection = application.agents.acquire().await?;
        for site in catalogue::sites(&mut connection, At::Now).await? {
            gauge.with_label_values(&[site.key.as_str()]).set(0);
            repeated.with_label_values(&[site.key.as_str()]).set(0);
        }
        for stray in strays::list(&mut connection, None, At::Now).await? {
            gauge.with_label_values(&[stray.site.as_str()]).inc();
        }
        for entry in repeats::list(&mut connection, None).await? {
            repeated.with_label_values(&[entry.site.as_str()]).inc();
        }
        Ok::<_, Error>(())
    };
    let late = |_| Error::unavailable("the database did not answer in time", 2);
    tokio::time::timeout(DEADLINE, counted).await.map_err(late)??;
    let registry = Registry::new();
    registry.register(Box::new(gauge)).map_err(internal)?;
    registry.register(Box::new(repeated)).map_err(internal)?;
    Ok(registry)
}
