//! Computes the classification of a node: the classes, parameters and environment of its device's role and venture, as
//! of one position.
//!
//! Every doubt is an error and never an empty answer: Puppet would interpret that as "nothing is managed on this node".

use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::venture::puppet::{Classification, Layer, OWN_PREFIX};
use bootledger_projections::rows::catalogue::{self, Entry, VentureView};
use bootledger_projections::rows::devices::{self, Device};
use bootledger_projections::rows::{deployments, holdings};

/// The device that holds a host name.
pub(super) async fn device_of(snapshot: &mut Snapshot<'_>, certname: &Hostname) -> Result<Option<DeviceId>, Error> {
    let at = snapshot.at;
    let holder = holdings::holder_of(snapshot.connection(), "hostname", certname.as_str(), at).await?;
    Ok(match holder {
        Some(Holder::Device(device)) => Some(device),
        _ => None,
    })
}

/// The classification of the node with this certificate name.
pub(super) async fn classify(snapshot: &mut Snapshot<'_>, certname: &Hostname) -> Result<Classification, Error> {
    let at = snapshot.at;
    let device = match device_of(snapshot, certname).await? {
        Some(device) => devices::find(snapshot.connection(), device, at).await?,
        None => None,
    };
    let Some(device) = device else { return Err(unknown(snapshot, certname).await?) };
    let (Some(venture), Some(role)) = (&device.venture, &device.role) else {
        let message = format!(
            "{certname} is the host name of device {}, which has no venture and role yet; deploy the device first",
            device.id
        );
        return Err(Error::NotFound(message));
    };
    let lineage = lineage(snapshot, certname, venture).await?;
    let of_role = lineage.first().and_then(|entry| entry.spec.roles.get(role)).ok_or_else(|| {
        let advice = "restore the role, or deploy the server with another role";
        Error::NotFound(format!("{certname} has the role {role}, which venture {venture} no longer has; {advice}"))
    })?;
    let layers: Vec<Layer<'_>> =
        std::iter::once(of_role.puppet()).chain(lineage.iter().map(|entry| entry.spec.spec.puppet())).collect();
    let mut text = Classification::of(layers);
    let live = deployments::live_of_device(snapshot.connection(), device.id, at).await?;
    let own = [
        ("device", Some(device.id.to_string())),
        ("venture", Some(venture.to_string())),
        ("role", Some(role.to_string())),
        ("site", Some(device.site.to_string())),
        ("deployment", live.map(|deployment| deployment.id.to_string())),
    ];
    for (name, value) in own {
        text.parameters.extend(value.map(|value| (format!("{OWN_PREFIX}{name}"), value.into())));
    }
    Ok(text)
}

/// The venture and its ancestors, nearest first. A retired ancestor is an error, because its classes would disappear unnoticed.
async fn lineage(snapshot: &mut Snapshot<'_>, certname: &Hostname, venture: &Name) -> Result<Vec<Entry<VentureView>>, Error> {
    let at = snapshot.at;
    let mut lineage: Vec<Entry<VentureView>> = vec![];
    let mut next = Some(venture.clone());
    while let Some(name) = next.filter(|name| lineage.iter().all(|entry| entry.key != *name)) {
        let found = catalogue::venture(snapshot.connection(), &name, at).await?;
        let entry = found.filter(|entry| !entry.retired).ok_or_else(|| {
            let advice = "restore the venture, or deploy the server for another venture";
            Error::NotFound(format!("{certname} belongs to venture {venture}, but venture {name} is retired; {advice}"))
        })?;
        let parent = entry.spec.spec.parent.clone();
        lineage.push(entry);
        next = parent;
    }
    Ok(lineage)
}

/// The error for a name that no device holds, with the reason.
async fn unknown(snapshot: &mut Snapshot<'_>, certname: &Hostname) -> Result<Error, Error> {
    let at = snapshot.at;
    let last = match holdings::last_holder_of(snapshot.connection(), "hostname", certname.as_str(), at).await? {
        Some(Holder::Device(device)) => devices::find(snapshot.connection(), device, at).await?,
        _ => None,
    };
    Ok(Error::NotFound(match last {
        None => {
            format!("no device ever had the host name {certname}; the certname of a node must be the host name of its device")
        }
        Some(Device { id, decommissioned: true, .. }) => format!("{certname} was device {id}, which is decommissioned"),
        Some(Device { id, .. }) => format!("{certname} was a host name of device {id}, which no longer has it"),
    }))
}
