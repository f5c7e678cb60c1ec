//! Controls servers through their management controllers: power state, on, off, cycle, and a single boot from the network.
//!
//! Nothing here decides or records; `src/commands/power.rs` does, before and after. Credentials are read when they are used, and
//! are sent only to the controller: no program argument, message or log line contains a password.

mod credentials;
mod ipmi;
mod pinned;
mod queries;
mod redfish;
mod resolve;
#[cfg(test)]
mod tests;

pub use credentials::{Credentials, NOT_ALLOWED, Terms};
pub use queries::{Queries, Unanswered};
pub use resolve::resolve;

use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::device::event::{Management, ManagementProtocol};
use bootledger_aggregates::device::power::{PowerAction, PowerState};
use bootledger_aggregates::device::power_failure::PowerFailure;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a server may take to switch on or off after its controller has accepted the request.
const READ_BACK: Duration = Duration::from_secs(if cfg!(test) { 4 } else { 30 });

/// The interval between two queries of the power state; also how long a cycled server may take to switch off first.
const LOOK: Duration = Duration::from_secs(1);

/// Why a controller did not carry out a request. Displayed as text, it is what all users may know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{failure}")]
pub struct Trouble {
    /// The controller, the failure, and what to do; for administrators and the log.
    pub reason: String,
    /// The failure as all users may know it, and as it is stored. If nothing responded like a controller, it is the same for
    /// every reason, so that it does not reveal which ports of which hosts are open.
    pub failure: Box<PowerFailure>,
    /// Whether the request may have been carried out nevertheless.
    pub uncertain: bool,
    /// Whether the request timed out.
    pub slow: bool,
}

impl Trouble {
    fn certain(failure: PowerFailure) -> Self {
        Self { reason: failure.to_string(), failure: Box::new(failure), uncertain: false, slow: false }
    }

    fn uncertain(failure: PowerFailure) -> Self {
        Self { uncertain: true, ..Self::certain(failure) }
    }

    /// The error if nothing at this address responded like a controller with this protocol.
    fn unanswered(controller: &Host, protocol: ManagementProtocol, reason: impl Into<String>) -> Self {
        let failure = PowerFailure::NoAnswer { controller: controller.clone(), protocol };
        Self { reason: reason.into(), ..Self::certain(failure) }
    }
}

/// A connection to a management controller.
#[derive(Debug)]
pub struct Controller(Protocol);
#[derive(Debug)]
enum Protocol {
    /// A controller that is reached with `ipmitool`.
    Ipmi(ipmi::Ipmi),
    /// A controller that is reached over HTTPS.
    Redfish(Box<redfish::Redfish>),
}

impl Controller {
    /// The controller of a device, with credentials that may be sent to it.
    ///
    /// # Errors
    /// Returns an error if the credentials are too long for IPMI, if no address of the controller is known, or if no HTTP
    /// client can be created.
    pub fn of(management: &Management, credentials: Credentials) -> Result<Self, Trouble> {
        Ok(Self(match management.protocol {
            ManagementProtocol::Ipmi => Protocol::Ipmi(ipmi::Ipmi::new(management, credentials)?),
            ManagementProtocol::Redfish => Protocol::Redfish(Box::new(redfish::Redfish::new(management, credentials)?)),
        }))
    }

    /// The power state of the server.
    ///
    /// # Errors
    /// Returns an error if the controller does not respond in time, refuses the request, or gives a response that cannot be
    /// read.
    pub async fn state(&self) -> Result<PowerState, Trouble> {
        let state = self.look().await;
        self.close().await;
        state
    }

    /// Closes sessions that the requests have opened.
    async fn close(&self) {
        if let Protocol::Redfish(redfish) = &self.0 {
            redfish.close().await;
        }
    }

    async fn look(&self) -> Result<PowerState, Trouble> {
        match &self.0 {
            Protocol::Ipmi(ipmi) => ipmi.state().await,
            Protocol::Redfish(redfish) => redfish.state().await,
        }
    }

    /// If requested, sets the server to boot from the network once; then carries out the action, and reads the power state
    /// back. Nothing is sent if the state is already right: a server that is on is not switched on.
    ///
    /// # Errors
    /// Returns an error if the controller does not respond or refuses a request, or if it accepts the action but does not
    /// report the requested power state in time. Its field `uncertain` is set if the action may have been carried out
    /// nevertheless.
    pub async fn carry_out(&self, action: PowerAction, network_boot: bool) -> Result<PowerState, Trouble> {
        let done = self.act(action, network_boot).await;
        self.close().await;
        done
    }

    async fn act(&self, action: PowerAction, network_boot: bool) -> Result<PowerState, Trouble> {
        let found = self.look().await?;
        if network_boot {
            match &self.0 {
                Protocol::Ipmi(ipmi) => ipmi.boot_from_network_once().await?,
                Protocol::Redfish(redfish) => redfish.boot_from_network_once().await?,
            }
        }
        let wanted = if action == PowerAction::Off { PowerState::Off } else { PowerState::On };
        let action = match (action, found) {
            (PowerAction::On, PowerState::On) | (PowerAction::Off, PowerState::Off) => return Ok(found),
            (PowerAction::Cycle, PowerState::Off) => PowerAction::On,
            (action, _) => action,
        };
        let done = match &self.0 {
            Protocol::Ipmi(ipmi) => ipmi.set(action).await,
            Protocol::Redfish(redfish) => redfish.set(action).await,
        };
        if let Err(trouble) = done {
            // The requested state may have been reached in the meantime: controllers refuse to switch on a server that is on.
            let switches = action != PowerAction::Cycle && !trouble.uncertain;
            return match self.look().await {
                Ok(state) if switches && state == wanted => Ok(state),
                _ => Err(trouble),
            };
        }
        self.read_back(action, wanted).await
    }

    async fn read_back(&self, action: PowerAction, wanted: PowerState) -> Result<PowerState, Trouble> {
        let begun = Instant::now();
        loop {
            sleep(LOOK).await;
            let state = self.look().await;
            match &state {
                Ok(state) if *state == wanted => return Ok(*state),
                _ if begun.elapsed() < READ_BACK => {}
                Ok(state) => {
                    return Err(Trouble::uncertain(PowerFailure::WrongState {
                        controller: self.address().clone(),
                        action,
                        seconds: READ_BACK.as_secs(),
                        state: *state,
                    }));
                }
                Err(trouble) => return Err(Trouble { uncertain: true, ..trouble.clone() }),
            }
        }
    }

    /// The error of a controller that does not respond.
    fn silent(&self, reason: String) -> Trouble {
        let protocol = match &self.0 {
            Protocol::Ipmi(_) => ManagementProtocol::Ipmi,
            Protocol::Redfish(_) => ManagementProtocol::Redfish,
        };
        Trouble { slow: true, ..Trouble::unanswered(self.address(), protocol, reason) }
    }

    fn address(&self) -> &Host {
        match &self.0 {
            Protocol::Ipmi(ipmi) => ipmi.host(),
            Protocol::Redfish(redfish) => redfish.host(),
        }
    }
}
