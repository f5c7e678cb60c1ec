//! The levels at which boot image settings are set, in the form in which the domain resolves them.

use crate::rows::catalogue::{Entry, VentureView};
use bootledger_aggregates::settings::{Layer, Source};
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::name::Name;

/// The settings of a role, its venture with its ancestors, and a site; nearest first.
pub fn layers<'a>(lineage: &'a [Entry<VentureView>], role: Option<&Name>, site: Option<&'a Entry<SiteSpec>>) -> Vec<Layer<'a>> {
    let of_role = lineage.first().zip(role).and_then(|(venture, role)| {
        let from = Source::Role { venture: venture.key.clone(), role: role.clone() };
        Some(Layer { from, settings: &venture.spec.roles.get(role)?.settings })
    });
    let of_ventures =
        lineage.iter().map(|venture| Layer { from: Source::Venture(venture.key.clone()), settings: &venture.spec.spec.settings });
    let of_site = site.map(|site| Layer { from: Source::Site(site.key.clone()), settings: &site.spec.settings });
    of_role.into_iter().chain(of_ventures).chain(of_site).filter(|layer| !layer.settings.is_empty()).collect()
}
