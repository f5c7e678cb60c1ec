//! Tests of deviations of each manufacturer's controllers from the specification, with references. docs/controllers.md lists
//! the names of these tests.

mod boot;
mod reset;
mod service;

use super::stub::{Bmc, Reply, Request, Stub};
use super::*;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv6Addr};

const SYSTEMS: &str = "/redfish/v1/Systems";
const SYSTEM: &str = super::stub::SYSTEM;

fn access(port: u16) -> Access {
    Access { port: Some(port), tls: Tls::Off, ..Access::default() }
}

// Orders one restart from the network.
async fn restart(stub: &Stub) -> Result<PowerState, Trouble> {
    redfish(stub.port, Tls::Off).carry_out(PowerAction::Cycle, true).await
}

// Starts a controller with a quirk, and orders one restart from the network, which must succeed.
async fn restarted(bmc: Bmc, quirk: impl FnMut(&mut Bmc, &Request) -> Option<Reply> + Send + 'static) -> Bmc {
    let stub = Stub::start(bmc, quirk).await;
    assert_eq!(restart(&stub).await, Ok(PowerState::On));
    stub.bmc()
}

fn network_once() -> Value {
    json!({"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe"})
}
