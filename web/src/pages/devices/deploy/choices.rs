//! The options that the form offers.

use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::questions::free;
use bootledger_projections::rows::catalogue::{self, Entry, VentureView, inherited_image};
use bootledger_projections::rows::devices::Device;
use std::collections::BTreeSet;

/// The options of a select: values and their texts.
pub(super) type Options = Vec<(String, String)>;

/// The options that the form offers.
pub(super) struct Choices {
    pub(super) ventures: Vec<Entry<VentureView>>,
    pub(super) images: Options,
    pub(super) addresses: Options,
    pub(super) hostnames: Options,
}

impl Choices {
    pub(super) async fn load(snapshot: &mut Snapshot<'_>, device: &Device) -> Result<Self, Error> {
        let at = snapshot.at;
        let images = catalogue::boot_images(snapshot.connection(), at).await?;
        let words = |entry: &Entry<bootledger_aggregates::boot_image::BootImage>| match entry.spec.incomplete() {
            Some(_) => format!("{} (incomplete)", entry.key),
            None => entry.key.to_string(),
        };
        let mut addresses = vec![];
        for network in catalogue::networks(snapshot.connection(), at).await? {
            let reaches = device.rack.as_ref().is_some_and(|rack| network.spec.racks.contains(rack));
            if network.spec.site != device.site || !reaches {
                continue;
            }
            let next = free::addresses(snapshot.connection(), &network.spec, &BTreeSet::new(), at, 1).await?;
            addresses
                .extend(next.first().map(|ip| (ip.to_string(), format!("next free in {} ({})", network.spec.cidr, network.key))));
        }
        let site = catalogue::site(snapshot.connection(), &device.site, at).await?.filter(|site| !site.retired);
        let mut hostnames = vec![];
        if let Some(template) = site.and_then(|site| site.spec.hostname_template) {
            let next = free::hostnames(snapshot.connection(), &template, &BTreeSet::new(), at, 1).await?;
            hostnames
                .extend(next.first().map(|name| (name.to_string(), format!("next free of {template} (site {})", device.site))));
        }
        Ok(Self {
            ventures: catalogue::ventures(snapshot.connection(), at).await?,
            images: images.iter().filter(|entry| !entry.retired).map(|entry| (entry.key.to_string(), words(entry))).collect(),
            addresses,
            hostnames,
        })
    }

    pub(super) fn roles(&self, venture: &str) -> Options {
        let entry = self.ventures.iter().find(|entry| entry.key.as_str() == venture);
        let roles = entry.into_iter().flat_map(|entry| entry.spec.roles.keys());
        roles.map(|role| (role.to_string(), role.to_string())).collect()
    }

    /// The boot image of a role unless the user selects another.
    pub(super) fn inherited(&self, venture: &str, role: &str) -> Option<Name> {
        let mut lineage: Vec<Entry<VentureView>> = vec![];
        let mut next = Some(venture.to_owned());
        while let Some(name) = next {
            let entry = self.ventures.iter().find(|entry| entry.key.as_str() == name);
            let Some(entry) = entry.filter(|entry| lineage.iter().all(|known| known.key != entry.key)) else { break };
            next = entry.spec.spec.parent.as_ref().map(ToString::to_string);
            lineage.push(entry.clone());
        }
        inherited_image(&lineage, role.parse().ok().as_ref())
    }
}
