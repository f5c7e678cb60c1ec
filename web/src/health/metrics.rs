//! The route `/metrics`, in the text format of Prometheus.

use super::asked::Asked;
use crate::application::Application;
use crate::error::Error;
use actix_web::HttpResponse;
use actix_web::web::Data;
use prometheus::{Encoder, IntGaugeVec, Opts, Registry, TextEncoder};

/// Returns every measurement of the process.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn measured(application: Data<Application>, asked: Data<Asked>) -> Result<HttpResponse, Error> {
    let internal = |error: prometheus::Error| Error::Internal(error.into());
    let mut text = vec![];
    TextEncoder::new().encode(&application.metrics.gather(), &mut text).map_err(internal)?;
    // Values that come from the database are left out while it does not answer.
    match strays(&application, &asked).await {
        Ok(registry) => TextEncoder::new().encode(&registry.gather(), &mut text).map_err(internal)?,
        Err(error) => tracing::warn!("the DHCP entries without a network could not be counted: {error}"),
    }
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

/// The number of DHCP entries of each site that no network serves.
async fn strays(application: &Application, asked: &Asked) -> anyhow::Result<Registry> {
    let name = "bootledger_dhcp_entries_without_network";
    let help = "DHCP entries of a site that no network serves; its servers keep the last configuration that had them.";
    let gauge = IntGaugeVec::new(Opts::new(name, help), &["site"])?;
    let name = "bootledger_dhcp_entries_left_out";
    let help = "DHCP entries that a site's configuration leaves out: an interface has one address in a VLAN, and an address one \
                interface.";
    let repeated = IntGaugeVec::new(Opts::new(name, help), &["site"])?;
    let counts = asked.counts(application).await.map_err(|error| anyhow::anyhow!(error))?;
    for site in &counts.sites {
        gauge.with_label_values(&[site.as_str()]).set(0);
        repeated.with_label_values(&[site.as_str()]).set(0);
    }
    for stray in &counts.strays {
        gauge.with_label_values(&[stray.site.as_str()]).inc();
    }
    for entry in counts.left_out.iter() {
        repeated.with_label_values(&[entry.site.as_str()]).inc();
    }
    let registry = Registry::new();
    registry.register(Box::new(gauge))?;
    registry.register(Box::new(repeated))?;
    Ok(registry)
}
