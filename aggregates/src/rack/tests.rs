//! Tests of the rules of a rack, one for each.

use super::*;
use crate::samples::{broken, outcome, parsed};

fn spec() -> RackSpec {
    RackSpec { site: parsed("dc1"), description: parsed("By the door"), units: 42 }
}

fn define(spec: RackSpec, site_exists: bool) -> RackCommand {
    RackCommand::DefineRack { spec, site_exists }
}

fn defined() -> Vec<RackEvent> {
    vec![RackEvent::RackDefined { spec: spec() }]
}

#[test]
fn a_rack_is_defined_once_and_changed() {
    assert_eq!(outcome::<Rack>(&[], define(spec(), true)), Ok(defined()));
    assert_eq!(outcome::<Rack>(&defined(), define(spec(), true)), Ok(vec![]));
    assert_eq!(outcome::<Rack>(&defined(), define(RackSpec { units: 47, ..spec() }, true)).map(|e| e.len()), Ok(1));
}

#[test]
fn a_rack_belongs_to_a_known_site_and_has_a_height() {
    assert_eq!(broken::<Rack>(&[], define(spec(), false)), ["site_unknown"]);
    assert_eq!(broken::<Rack>(&[], define(RackSpec { units: 0, ..spec() }, true)), ["units_range"]);
}

#[test]
fn a_rack_is_retired_once_and_may_be_restored() {
    assert_eq!(outcome::<Rack>(&[], RackCommand::RetireRack), Ok(vec![]));
    assert_eq!(outcome::<Rack>(&defined(), RackCommand::RetireRack), Ok(vec![RackEvent::RackRetired {}]));
    let retired: Vec<_> = defined().into_iter().chain([RackEvent::RackRetired {}]).collect();
    assert_eq!(outcome::<Rack>(&retired, RackCommand::RetireRack), Ok(vec![]));
    assert_eq!(outcome::<Rack>(&retired, define(spec(), true)), Ok(defined()));
}
