//! Tests of plans: which ones a deployment can complete.

use crate::deployment::plan::{Plan, PlannedPlugin, PluginStage};
use crate::samples::parsed;

fn plan(plugins: &[(&str, &[&str], PluginStage)]) -> Plan {
    let planned = plugins.iter().map(|(name, requires, stage)| PlannedPlugin {
        name: parsed(name),
        requires: requires.iter().map(|name| parsed(name)).collect(),
        stage: *stage,
    });
    Plan(planned.collect())
}

#[test]
fn the_standard_plan_is_that_of_the_document() {
    let expected = plan(&[
        ("clean", &[], PluginStage::Preparing),
        ("role", &["clean"], PluginStage::Preparing),
        ("dns", &["role", "clean"], PluginStage::Preparing),
        ("dhcp", &["dns", "clean"], PluginStage::Preparing),
        ("reboot", &["clean", "role", "dns", "dhcp"], PluginStage::InProgress),
    ]);
    assert_eq!(Plan::standard(), Ok(expected.clone()));
    assert_eq!(expected.broken(), None);
}

#[test]
fn plans_that_never_end_are_refused() {
    use PluginStage::{InProgress, Preparing};
    let nothing_prepares = plan(&[("reboot", &[], InProgress)]);
    let twice = plan(&[("clean", &[], Preparing), ("clean", &[], Preparing)]);
    let unknown = plan(&[("clean", &["other"], Preparing)]);
    let backwards = plan(&[("role", &["clean"], Preparing), ("clean", &[], Preparing)]);
    let of_itself = plan(&[("clean", &["clean"], Preparing)]);
    let later_stage = plan(&[("reboot", &[], InProgress), ("clean", &["reboot"], Preparing)]);
    for plan in [Plan::default(), nothing_prepares, twice, unknown, backwards, of_itself, later_stage] {
        assert!(plan.broken().is_some(), "{plan:?}");
    }
}
