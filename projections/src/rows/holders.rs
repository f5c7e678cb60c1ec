//! The names of the holders of claims, for sentences that say who holds a value.

use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;
use crate::rows::deployments::{self, Deployment};
use crate::rows::devices::{self, Device};
use crate::rows::reservations::{self, Reservation};
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::deployment::reason::PluginFailure;
use bootledger_aggregates::rules::BrokenRule;
use std::collections::{BTreeMap, BTreeSet};

/// The names of holders: labels of devices, host names of deployments, and notes of reservations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HolderNames(BTreeMap<Holder, String>);

impl HolderNames {
    /// The names of these devices and deployments.
    pub fn of<'a>(devices: &[Device], deployments: impl IntoIterator<Item = &'a Deployment>) -> Self {
        let devices = devices.iter().map(|device| (Holder::Device(device.id), device.words()));
        let deployments =
            deployments.into_iter().map(|deployment| (Holder::Deployment(deployment.id), deployment.hostname.to_string()));
        devices.chain(deployments).collect()
    }

    /// The same names, and those of these reservations.
    #[must_use]
    pub fn and(mut self, reservations: &[Reservation]) -> Self {
        self.0.extend(reservations.iter().map(|reserved| (Holder::Reservation(reserved.ip), reserved.called())));
        self
    }

    /// Looks up the names of these holders. Without a holder, there is no query.
    ///
    /// # Errors
    /// Returns `Error::Database` if a query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
    pub async fn load(connection: &mut Connection, holders: BTreeSet<Holder>, at: At) -> Result<Self> {
        let (mut of_devices, mut of_deployments, mut of_reservations) = (vec![], vec![], vec![]);
        for holder in holders {
            match holder {
                Holder::Device(id) => of_devices.push(id),
                Holder::Deployment(id) => of_deployments.push(id),
                Holder::Reservation(ip) => of_reservations.push(ip),
            }
        }
        let devices = if of_devices.is_empty() { vec![] } else { devices::find_many(&mut *connection, &of_devices, at).await? };
        let deployments = if of_deployments.is_empty() {
            vec![]
        } else {
            deployments::find_many(&mut *connection, &of_deployments, at).await?
        };
        let reservations = reservations::find_many(&mut *connection, &of_reservations, at).await?;
        Ok(Self::of(&devices, &deployments).and(&reservations))
    }

    /// The holder in the middle of a sentence, such as `device R640 no. 1`. `holder` is its stored form, such as
    /// `device 0192…`, which is also the answer if the holder has no known name.
    pub fn words(&self, holder: &str) -> String {
        let known = holder.parse::<Holder>().ok().and_then(|holder| Some(holder.called(self.0.get(&holder)?)));
        known.unwrap_or_else(|| holder.to_owned())
    }

    /// Completes the message of an error with the name of its holder, if the name is known.
    pub fn complete(&self, broken: &mut BrokenRule) {
        if let Some(holder) = broken.holder.clone() {
            broken.name_holder(&self.words(&holder));
        }
    }
}

/// The devices and deployments that hold the values which these failed plugins wanted.
pub fn of_failures<'a>(failures: impl IntoIterator<Item = &'a PluginFailure>) -> BTreeSet<Holder> {
    failures.into_iter().flat_map(PluginFailure::holders).collect()
}

impl FromIterator<(Holder, String)> for HolderNames {
    fn from_iter<I: IntoIterator<Item = (Holder, String)>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::rules::Rule;
    use bootledger_aggregates::values::ids::{DeploymentId, DeviceId};

    #[test]
    fn a_message_names_its_holder_and_keeps_the_id_where_there_is_no_name() {
        let (device, deployment) = (Holder::Device(DeviceId::default()), Holder::Deployment(DeploymentId::default()));
        let names = HolderNames::from_iter([(deployment, "h200.dc1.example".to_owned())]);
        let held_by = |holder: Holder| {
            let mut broken = BrokenRule::naming("ip", Rule::IpClaimed, "10.20.0.11 is held by ", holder, "; choose another");
            names.complete(&mut broken);
            assert_eq!(broken.holder, Some(holder.to_string()), "programs read the id");
            broken.message
        };
        assert_eq!(held_by(deployment), "10.20.0.11 is held by the deployment of h200.dc1.example; choose another");
        assert_eq!(held_by(device), format!("10.20.0.11 is held by {device}; choose another"));
        let mut broken = BrokenRule::new("ip", Rule::IpClaimed, format!("{deployment} is busy")).held_by(deployment.to_string());
        names.complete(&mut broken);
        assert_eq!(broken.message, format!("{deployment} is busy"), "a message is never searched for an id");
    }
}
