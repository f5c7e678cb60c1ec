//! The route `/metrics`, in the text format of Prometheus.

use super::counts::HealthCounts;
use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::worker_status::Vitals;
use actix_web::HttpResponse;
use actix_web::web::Data;
use prometheus::{Encoder, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

/// Returns every measurement of the process.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn measured(application: Data<Application>, requested: Data<HealthCounts>) -> Result<HttpResponse, Error> {
    let internal = |error: prometheus::Error| Error::Internal(error.into());
    let mut text = vec![];
    TextEncoder::new().encode(&application.metrics.gather(), &mut text).map_err(internal)?;
    TextEncoder::new().encode(&workers(&application.vitals).map_err(internal)?.gather(), &mut text).map_err(internal)?;
    // Values that come from the database are left out while it does not answer.
    match strays(&application, &requested).await {
        Ok(registry) => TextEncoder::new().encode(&registry.gather(), &mut text).map_err(internal)?,
        Err(error) => tracing::warn!("the DHCP entries without a network could not be counted: {error}"),
    }
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}

/// The passes of the background workers.
fn workers(vitals: &Vitals) -> prometheus::Result<Registry> {
    let name = "bootledger_worker_passes_total";
    let passes = IntCounterVec::new(Opts::new(name, "Passes of background workers, by their result."), &["worker", "result"])?;
    let name = "bootledger_worker_last_pass_timestamp_seconds";
    let help = "When the last pass of a background worker ended, in seconds since 1970.";
    let last = IntGaugeVec::new(Opts::new(name, help), &["worker"])?;
    for (worker, found) in vitals.workers() {
        passes.with_label_values(&[worker, "success"]).inc_by(found.succeeded);
        passes.with_label_values(&[worker, "failure"]).inc_by(found.failed);
        if let Some(at) = found.last {
            last.with_label_values(&[worker]).set(at.0.unix_timestamp());
        }
    }
    let registry = Registry::new();
    registry.register(Box::new(passes))?;
    registry.register(Box::new(last))?;
    Ok(registry)
}

/// The number of DHCP entries of each site that no network serves.
async fn strays(application: &Application, requested: &HealthCounts) -> anyhow::Result<Registry> {
    let name = "bootledger_dhcp_entries_without_network";
    let help = "DHCP entries of a site that no network serves; its servers keep the last configuration that had them.";
    let gauge = IntGaugeVec::new(Opts::new(name, help), &["site"])?;
    let name = "bootledger_dhcp_entries_left_out";
    let help = "DHCP entries that a site's configuration leaves out, because an interface can have only one address in a VLAN, and an address only one \
                interface.";
    let repeated = IntGaugeVec::new(Opts::new(name, help), &["site"])?;
    let counts = requested.counts(application).await.map_err(|error| anyhow::anyhow!(error))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_worker_has_its_passes_and_the_time_of_the_last() {
        let vitals = Vitals::default();
        vitals.worker("reactor").succeeded();
        vitals.worker("reactor").failed_because("no connection");
        vitals.worker("drift_checks");
        let mut text = vec![];
        let gathered = workers(&vitals).expect("metrics").gather();
        TextEncoder::new().encode(&gathered, &mut text).expect("text");
        let text = String::from_utf8(text).expect("text");
        for line in [
            r#"bootledger_worker_passes_total{result="success",worker="reactor"} 1"#,
            r#"bootledger_worker_passes_total{result="failure",worker="reactor"} 1"#,
            r#"bootledger_worker_passes_total{result="success",worker="drift_checks"} 0"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
        let times: Vec<&str> = text.lines().filter(|line| line.starts_with("bootledger_worker_last_pass")).collect();
        assert!(times.len() == 1 && times[0].contains("reactor"), "{times:?}");
    }
}
