//! How long the deployments of a boot image usually take.

use crate::fixture::{Fixture, deployment_id, v};
use crate::history::History;
use anyhow::Result;
use bootledger_projections::rows::durations::{self, Part};

/// Deploys device `n` for the usual boot image, from its start to DONE.
fn deployed(fixture: &mut Fixture, n: u8) -> Result<()> {
    fixture.register(n, "dc1")?;
    fixture.start(deployment_id(n), n, 10 + n, 200 + u16::from(n))?;
    (0..5).try_for_each(|_| fixture.run_next(deployment_id(n)))?;
    Ok(fixture.done(deployment_id(n))?)
}

#[tokio::test]
async fn durations_are_known_from_five_deployments_on_for_the_whole_and_each_part() -> Result<()> {
    let mut fixture = Fixture::furnished();
    for n in 1..=6 {
        deployed(&mut fixture, n)?;
    }
    let history = History::new(&fixture.log).await?;
    history.advance(10_000).await?;
    let (image, none) = (v("debian-12"), deployment_id(99));
    let found = durations::of_image(&history.pool, &image, none, None).await?;
    let plugins = ["clean", "role", "dns", "dhcp", "reboot"].map(|name| Part::Plugin(v(name)));
    for part in plugins.iter().chain(&[Part::Whole, Part::Install]) {
        let usual = found.get(part).unwrap_or_else(|| panic!("{part:?} of {found:?}"));
        assert!(usual.samples == 6 && usual.median <= usual.p95 && usual.median >= 0, "{part:?}: {usual:?}");
    }
    assert!(!found.contains_key(&Part::Configure), "Puppet ended none of them");
    assert!(found[&Part::Whole].median >= found[&Part::Install].median);
    let without = durations::of_image(&history.pool, &image, deployment_id(1), None).await?;
    assert_eq!(without[&Part::Whole].samples, 5);
    let started = fixture.now().plus_seconds(-1_000_000_000);
    assert!(durations::of_image(&history.pool, &image, none, Some(started)).await?.is_empty(), "the past knows what came later");
    assert!(durations::of_image(&history.pool, &v("debian-13"), none, None).await?.is_empty());
    Ok(())
}
