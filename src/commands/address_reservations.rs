//! Reserves, releases and expires addresses for operators. `reservations` is something else: the hints of this instance.

use super::CommandService;
use super::execute::Failure;
use super::guard::networks_stay;
use crate::event_log::append::Precondition;
use crate::event_log::store::Terms;
use bootledger_aggregates::infrastructure::Declared;
use bootledger_aggregates::placement::ChangeScope;
use bootledger_aggregates::reservation::{AddressFacts, Reservation, ReservationCommand};
use bootledger_aggregates::values::name::Name;
use bootledger_port::{Context, Receipt, ReservationAction};
use bootledger_projections::questions::infrastructure;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{catalogue, devices, holdings, reservations};
use std::net::Ipv4Addr;

impl CommandService {
    pub(super) async fn reservation_command(&self, action: &ReservationAction, context: &Context) -> Result<Receipt, Failure> {
        let (ip, command, preconditions) = match action {
            ReservationAction::ReserveAddress { network, ip, spec, replaces } => {
                let (preconditions, facts) = self.address_facts(network, *ip).await?;
                let (network, spec, replaces, now) = (network.clone(), spec.clone(), *replaces, (self.now)());
                (*ip, ReservationCommand::ReserveAddress { ip: *ip, network, spec, replaces, now, facts }, preconditions)
            }
            ReservationAction::ReleaseAddress(ip) => (*ip, ReservationCommand::ReleaseAddress {}, vec![]),
            ReservationAction::ExpireReservation(ip) => {
                (*ip, ReservationCommand::ExpireReservation { now: (self.now)() }, vec![])
            }
        };
        self.run::<Reservation>(ip, command, Terms { preconditions, ..Terms::default() }, context).await
    }

    /// What is known about an address, and what must still be true when it is reserved.
    async fn address_facts(&self, network: &Name, ip: Ipv4Addr) -> Result<(Vec<Precondition>, AddressFacts), Failure> {
        let connection = &mut self.views.acquire().await?;
        // The position is read first: everything that the views show beyond it is checked again, so nothing is missed.
        let after = bootledger_projections::projector::checkpoint::position(&mut *connection).await?;
        let mut preconditions = networks_stay(connection, &[ip]).await?;
        preconditions.push(Precondition::Unused { after, scope: ChangeScope::free_of_infrastructure([ip]) });
        let entry = catalogue::network(&mut *connection, network, At::Now).await?.filter(|entry| !entry.retired);
        let managed = devices::managed_at(&mut *connection, &[ip]).await?.first().map(|(_, device)| *device);
        let declared = infrastructure::at(connection, &[ip]).await?.first().map(Declared::sentence);
        let holder = holdings::holder_of(&mut *connection, "ip", &ip.to_string(), At::Now).await?;
        let spec = entry.map(|entry| Box::new(entry.spec));
        Ok((preconditions, AddressFacts { spec, holder, managed, declared }))
    }

    /// The reserved addresses of a network. Any that is reserved later is found by the conditions of the network's change.
    pub(super) async fn reservations_of(&self, network: &Name) -> Result<Vec<Ipv4Addr>, Failure> {
        let connection = &mut self.views.acquire().await?;
        let Some(entry) = catalogue::network(&mut *connection, network, At::Now).await? else { return Ok(vec![]) };
        let reserved = reservations::within(connection, entry.spec.cidr, At::Now).await?;
        Ok(reserved.into_iter().map(|reservation| reservation.ip).collect())
    }
}
