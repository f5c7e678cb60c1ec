//! An event that does not fit stops its own aggregate and no other.

use crate::fixture::{Fixture, deployment_id, device_id, v};
use crate::history::{History, Written};
use anyhow::Result;
use bootledger_aggregates::device::register::DeviceChange;
use bootledger_projections::projector::checkpoint;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::parked::ParkedReason;
use bootledger_projections::rows::{devices, parked, timeline};

#[tokio::test]
async fn an_unreadable_event_parks_its_aggregate_and_others_continue() -> Result<()> {
    let mut fixture = Fixture::furnished();
    fixture.register(1, "dc1")?;
    fixture.damage(1);
    let damaged = i64::try_from(fixture.log.len())?;
    fixture.change(1, DeviceChange { name: Some(v("never seen")), ..DeviceChange::default() })?;
    fixture.register(2, "dc1")?;
    let history = History::new(&fixture.log).await?;
    let end = history.advance(1000).await?;

    let parked = parked::list(&history.pool, 0, 10).await?;
    assert_eq!(parked.len(), 2, "{parked:?}");
    assert_eq!((parked[0].position, parked[0].event_type.as_str()), (damaged, "DeviceTeleported"));
    assert!(
        matches!(&parked[0].reason, ParkedReason::Unreadable { detail } if detail.contains("DeviceTeleported")),
        "{parked:?}"
    );
    assert_eq!(parked[1].reason, ParkedReason::Follows { position: damaged });
    assert!(parked::is_blocked(&history.pool, "device", &device_id(1).to_string()).await?);
    assert!(!parked::is_blocked(&history.pool, "device", &device_id(2).to_string()).await?);
    let blocked = devices::find(&history.pool, device_id(1), At::Now).await?.expect("the device");
    assert_eq!(blocked.name.as_str(), "server 1");
    assert!(devices::find(&history.pool, device_id(2), At::Now).await?.is_some_and(|device| device.verified));
    assert_eq!(checkpoint::position(&history.pool).await?, end);
    let filter = timeline::Filter { after: Some(damaged - 1), before: Some(damaged + 2), ..timeline::Filter::default() };
    let mut connection = history.pool.acquire().await?;
    assert_eq!(timeline::list(&mut connection, &filter, timeline::Order::OldestFirst, 10).await?, vec![]);

    // A later batch knows which aggregates an earlier one parked.
    fixture.log.clear();
    fixture.change(1, DeviceChange { name: Some(v("still not")), ..DeviceChange::default() })?;
    history.append(&fixture.log).await?;
    history.advance(1000).await?;
    assert_eq!(parked::count(&history.pool).await?, 3);
    assert_eq!(parked::list(&history.pool, end, 10).await?[0].reason, ParkedReason::Follows { position: damaged });
    Ok(())
}

#[tokio::test]
async fn events_that_contradict_the_views_are_parked_with_the_reason() -> Result<()> {
    let mut fixture = Fixture::furnished();
    fixture.register(1, "dc1")?;
    let registered = fixture.log.iter().find(|event| event.event_type == "DeviceRegistered").cloned().expect("a registration");
    let of = |aggregate_type, aggregate_id: String, payload: &str| Written {
        aggregate_type,
        aggregate_id,
        event_type: "Whatever".to_owned(),
        payload: payload.to_owned(),
        ..registered.clone()
    };
    let unknown = deployment_id(9);
    fixture.log.extend([
        of("device", device_id(2).to_string(), &registered.payload),
        of("device", device_id(3).to_string(), r#"{"type":"DeviceVerified"}"#),
        of("deployment", unknown.to_string(), r#"{"type":"PluginSucceeded","plugin":"clean"}"#),
        of("venture", "nobody".to_owned(), r#"{"type":"RoleRetired","role":"web"}"#),
        of("teapot", "1".to_owned(), r#"{"type":"Poured"}"#),
        of("device", "no-uuid".to_owned(), r#"{"type":"DeviceVerified"}"#),
    ]);
    let history = History::new(&fixture.log).await?;
    history.advance(1000).await?;
    let found = parked::list(&history.pool, 0, 10).await?;
    let ids: Vec<&str> = found.iter().map(|parked| parked.aggregate_id.as_str()).collect();
    let (known, other, deployment) = (device_id(2).to_string(), device_id(3).to_string(), unknown.to_string());
    assert_eq!(ids, [known.as_str(), &other, &deployment, "nobody", "1", "no-uuid"]);
    let reasons: Vec<ParkedReason> = found.into_iter().map(|parked| parked.reason).collect();
    let (second, first) = (format!("device {}", device_id(2)), format!("device {}", device_id(1)));
    assert!(
        matches!(&reasons[0], ParkedReason::Claimed { taker, holder, .. } if *taker == second && *holder == first),
        "{reasons:#?}"
    );
    assert!(reasons[1..4].iter().all(|reason| *reason == ParkedReason::Unknown {}), "{reasons:#?}");
    assert!(matches!(&reasons[4], ParkedReason::Unreadable { detail } if detail.contains("teapot")), "{reasons:#?}");
    assert!(matches!(&reasons[5], ParkedReason::Unreadable { detail } if detail.contains("key")), "{reasons:#?}");
    Ok(())
}
