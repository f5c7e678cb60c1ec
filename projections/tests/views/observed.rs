//! What this crate's queries answer about a moment.

use crate::fixture::{deployment_id, device_id, v};
use crate::property::DEVICES;
use anyhow::Result;
use bootledger_aggregates::claims::Holder;
use bootledger_projections::database::pool::Connection;
use bootledger_projections::questions::{free, role_uses};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{
    accounts, boot_targets, catalogue, deployments, devices, dhcp_entries, dns_records, drift, holdings, installations, timeline,
};
use ipnet::Ipv4Net;
use std::collections::BTreeSet;

/// Everything that this crate's queries answer about a moment.
pub(crate) async fn observed(connection: &mut Connection, at: At) -> Result<Vec<String>> {
    let c = connection;
    let mut observed = vec![];
    for kind in [
        "site",
        "rack",
        "network",
        "dhcp_server",
        "venture",
        "boot_image",
        "token",
        "user",
        "session",
        "webhook",
        "secret",
        "saved_view",
    ] {
        observed.push(format!("{:?}", catalogue::list(&mut *c, kind, at, None, 100, None).await?));
    }
    observed.push(format!("{:?}", accounts::sessions(&mut *c, Some(&v("ada")), true, at, None, 100).await?));
    observed.push(format!("{:?}", catalogue::saved_views(&mut *c, "devices", &v("user bob"), at).await?));
    observed.push(format!("{:?}", catalogue::networks(&mut *c, at).await?));
    observed.push(format!("{:?}", catalogue::network_of(&mut *c, v("10.0.0.11"), at).await?));
    observed.push(format!("{:?}", catalogue::dhcp_servers_of(&mut *c, &v("dc1"), at).await?));
    observed.push(format!("{:#?}", devices::list(&mut *c, &devices::Filter::default(), at, 100).await?));
    observed.push(format!("{:#?}", deployments::list(&mut *c, &deployments::Filter::default(), at, 100).await?));
    observed.push(format!("{:?}", deployments::counts(&mut *c, at).await?));
    let filter = timeline::Filter { before: at.position().map(|position| position + 1), ..timeline::Filter::default() };
    observed.push(format!("{:#?}", timeline::list(&mut *c, &filter, timeline::Order::OldestFirst, 1000).await?));
    for n in 0..DEVICES {
        observed.push(format!("{:?}", holdings::of_holder(&mut *c, Holder::Device(device_id(n)), at).await?));
        observed.push(format!("{:?}", deployments::live_of_device(&mut *c, device_id(n), at).await?));
    }
    observed.push(format!("{:?}", holdings::ips_in(&mut *c, v("10.0.0.0/8"), at).await?));
    // Queries that count or search differently for the present and for the past.
    observed.push(format!("{:?}", role_uses::list(&mut *c, None, at).await?));
    observed.push(format!("{:?}", role_uses::list(&mut *c, Some(&v("shop")), at).await?));
    let networks = ["10.0.0.0/8", "10.0.0.0/24", "10.0.0.8/29", "203.0.113.0/24"].map(v::<Ipv4Net>);
    observed.push(format!("{:?}", holdings::count_in(&mut *c, &networks, at).await?));
    for network in networks {
        let spec = serde_json::from_value(serde_json::json!({
            "cidr": network, "site": "dc1", "gateway": "10.0.0.12", "margin_bottom": 1, "margin_top": 1
        }))?;
        observed.push(format!("{:?}", free::addresses(&mut *c, &spec, &BTreeSet::from([v("10.0.0.13")]), at, 20).await?));
    }
    for template in ["h<1,99>.dc1.example", "h<0,8>.dc1.example|h<5,12>.dc1.example", "h<9,15>.dc1.example|x<1,3>.dc1.example"] {
        let excluded = BTreeSet::from([v("h11.dc1.example")]);
        observed.push(format!("{:?}", free::hostnames(&mut *c, &v(template), &excluded, at, 4).await?));
    }
    let mut names = holdings::hostnames(&mut *c, at).await?;
    names.sort();
    observed.push(format!("{names:?}"));
    observed.push(format!("{:?}", dns_records::list(&mut *c, &dns_records::Filter::default(), at, 100).await?));
    observed.push(format!("{:?}", dhcp_entries::list(&mut *c, &dhcp_entries::Filter::default(), at, 100).await?));
    observed.push(format!("{:?}", dhcp_entries::of_site(&mut *c, &v("dc1"), at).await?));
    observed.push(format!("{:?}", boot_targets::all(&mut *c, at).await?));
    let ids: Vec<_> = (0..=255).map(deployment_id).collect();
    let mut installations = installations::find_many(&mut *c, &ids, at).await?;
    installations.sort_by_key(|installation| installation.deployment);
    observed.push(format!("{installations:?}"));
    observed.push(format!("{:?}", drift::list(&mut *c, &v("dc1"), at, None, 100).await?));
    observed.push(format!("{:?}", drift::count(&mut *c, &v("dc1"), at).await?));
    Ok(observed)
}
