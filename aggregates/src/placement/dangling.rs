//! References in the catalogue to entries that are not in use.

use super::catalogue::Catalogue;
use crate::rules::Rule;
use crate::values::name::Name;
use std::collections::BTreeSet;

/// A reference to an entry that is not in use.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dangling {
    /// The referring entry, such as `network dc1-prod`.
    from: String,
    /// The missing entry, such as `site dc1`.
    to: String,
    /// The code of the rule, which depends on the kind of `from`.
    rule: Rule,
}

impl Dangling {
    pub(super) fn rule(&self) -> Rule {
        self.rule
    }

    pub(super) fn referrer(&self) -> String {
        self.from.clone()
    }

    pub(super) fn sentence(&self) -> String {
        format!("{} refers to {}", self.from, self.to)
    }
}

/// The references of a catalogue to entries that are not in use, or that are not where the reference says.
pub(super) fn dangling(catalogue: &Catalogue) -> BTreeSet<Dangling> {
    let mut found = BTreeSet::new();
    let mut refer = |from: String, to: String, rule| {
        found.insert(Dangling { from, to, rule });
    };
    let no_site = |site: &Name| !catalogue.sites.contains_key(site);
    for (name, rack) in catalogue.racks.iter().filter(|(_, rack)| no_site(&rack.site)) {
        refer(format!("rack {name}"), format!("site {}", rack.site), Rule::RackInSite);
    }
    for (name, network) in &catalogue.networks {
        if no_site(&network.site) {
            refer(format!("network {name}"), format!("site {}", network.site), Rule::NetworkInSite);
        }
        let reached = |rack: &&Name| catalogue.racks.get(*rack).is_none_or(|spec| spec.site != network.site);
        for rack in network.racks.iter().filter(reached) {
            refer(format!("network {name}"), format!("rack {rack} in site {}", network.site), Rule::RackOfNetwork);
        }
    }
    for (name, server) in catalogue.dhcp_servers.iter().filter(|(_, server)| no_site(&server.site)) {
        refer(format!("DHCP server {name}"), format!("site {}", server.site), Rule::DhcpServerInSite);
    }
    for (name, (venture, roles)) in &catalogue.ventures {
        let parent = venture.parent.iter().filter(|parent| !catalogue.ventures.contains_key(*parent));
        for parent in parent {
            refer(format!("venture {name}"), format!("venture {parent}"), Rule::VentureHasParts);
        }
        let no_image = |image: &&Name| !catalogue.boot_images.contains(*image);
        for image in venture.default_boot_image.iter().filter(no_image) {
            refer(format!("venture {name}"), format!("boot image {image}"), Rule::DefaultBootImage);
        }
        for (role, spec) in roles {
            for image in spec.default_boot_image.iter().filter(no_image) {
                refer(format!("role {role} of venture {name}"), format!("boot image {image}"), Rule::DefaultBootImage);
            }
        }
    }
    found
}
