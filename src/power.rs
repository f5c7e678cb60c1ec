//! Talks to management controllers: whether a server has power, on, off, cycle, and one boot from the network.
//!
//! Nothing here decides or records; `src/ledger/power.rs` does, before and after. Credentials are read when they are
//! used, and reach the controller alone: no argument of a program, no message, no log line has a password.

pub mod command;
mod credentials;
mod ipmi;
mod pinned;
mod questions;
mod redfish;
mod resolve;
#[cfg(test)]
mod tests;

pub(crate) use credentials::{Credentials, NOT_ALLOWED, Terms};
pub(crate) use questions::{Questions, Unanswered};
pub(crate) use resolve::resolve;

use bootledger_aggregates::device::controller::Host;
use bootledger_aggregates::device::event::{Management, ManagementProtocol};
use bootledger_aggregates::device::power::{PowerAction, PowerState};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long a server may take to be on or off after its controller was told.
const READ_BACK: Duration = Duration::from_secs(if cfg!(test) { 4 } else { 30 });

/// How long to wait between two looks at it; also how long a cycled server has to go off first.
const LOOK: Duration = Duration::from_secs(1);

/// Why a controller did not do as it was told, in words. As text, it is what everybody may know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shown}")]
pub(crate) struct Trouble {
    /// Who, what, and what to do: for administrators and the log.
    pub(crate) reason: String,
    /// The same for everybody. Where nothing answered as a controller does, it is the same sentence whatever the reason, so
    /// that nobody finds out with it which ports of which hosts are open.
    pub(crate) shown: String,
    /// Whether it may have done it all the same.
    pub(crate) uncertain: bool,
    /// Whether it took too long.
    pub(crate) slow: bool,
}

impl Trouble {
    fn certain(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { shown: reason.clone(), reason, uncertain: false, slow: false }
    }

    fn uncertain(reason: impl Into<String>) -> Self {
        Self { uncertain: true, ..Self::certain(reason) }
    }

    /// Nothing at this address answered as a controller with this protocol does.
    fn unanswered(address: &Host, protocol: &str, reason: impl Into<String>) -> Self {
        let shown = format!(
            "the management controller {address} did not answer as {protocol}. An administrator sees the details when they ask \
             for its power, and in the service's log"
        );
        Self { shown, ..Self::certain(reason) }
    }
}

/// A management controller.
#[derive(Debug)]
pub(crate) enum Controller {
    /// By `ipmitool`.
    Ipmi(ipmi::Ipmi),
    /// By HTTP.
    Redfish(Box<redfish::Redfish>),
}

impl Controller {
    /// The controller of a device, with credentials that may be sent to it.
    pub(crate) fn of(management: &Management, credentials: Credentials) -> Result<Self, Trouble> {
        Ok(match management.protocol {
            ManagementProtocol::Ipmi => Self::Ipmi(ipmi::Ipmi::new(management, credentials)?),
            ManagementProtocol::Redfish => Self::Redfish(Box::new(redfish::Redfish::new(management, credentials)?)),
        })
    }

    /// Whether the server has power.
    pub(crate) async fn state(&self) -> Result<PowerState, Trouble> {
        let state = self.look().await;
        self.close().await;
        state
    }

    /// Ends what the requests have opened.
    async fn close(&self) {
        if let Self::Redfish(redfish) = self {
            redfish.close().await;
        }
    }

    async fn look(&self) -> Result<PowerState, Trouble> {
        match self {
            Self::Ipmi(ipmi) => ipmi.state().await,
            Self::Redfish(redfish) => redfish.state().await,
        }
    }

    /// Has the next boot, and only that, be one from the network, if it shall; then does the action, and reads back what
    /// the power is. What is as it should be is left alone: a server that is on is not told to be on.
    pub(crate) async fn carry_out(&self, action: PowerAction, network_boot: bool) -> Result<PowerState, Trouble> {
        let done = self.act(action, network_boot).await;
        self.close().await;
        done
    }

    async fn act(&self, action: PowerAction, network_boot: bool) -> Result<PowerState, Trouble> {
        let found = self.look().await?;
        if network_boot {
            match self {
                Self::Ipmi(ipmi) => ipmi.boot_from_network_once().await?,
                Self::Redfish(redfish) => redfish.boot_from_network_once().await?,
            }
        }
        let wanted = if action == PowerAction::Off { PowerState::Off } else { PowerState::On };
        let action = match (action, found) {
            (PowerAction::On, PowerState::On) | (PowerAction::Off, PowerState::Off) => return Ok(found),
            (PowerAction::Cycle, PowerState::Off) => PowerAction::On,
            (action, _) => action,
        };
        let done = match self {
            Self::Ipmi(ipmi) => ipmi.set(action).await,
            Self::Redfish(redfish) => redfish.set(action).await,
        };
        if let Err(trouble) = done {
            // What is wanted may have come about in the meantime: controllers refuse to switch on what is on.
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
                    return Err(Trouble::uncertain(format!(
                        "the management controller {} took the order (power {}), and after {} s says that the power is {}",
                        self.address(),
                        action.as_str(),
                        READ_BACK.as_secs(),
                        state.as_str()
                    )));
                }
                Err(trouble) => return Err(Trouble { uncertain: true, ..trouble.clone() }),
            }
        }
    }

    /// The trouble of a controller that does not answer.
    fn silent(&self, reason: String) -> Trouble {
        let protocol = match self {
            Self::Ipmi(_) => "IPMI",
            Self::Redfish(_) => "Redfish",
        };
        Trouble { slow: true, ..Trouble::unanswered(self.address(), protocol, reason) }
    }

    fn address(&self) -> &Host {
        match self {
            Self::Ipmi(ipmi) => ipmi.host(),
            Self::Redfish(redfish) => redfish.host(),
        }
    }
}
