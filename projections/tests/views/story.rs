//! One deployment from its start to its end, and what each view shows of it.

use crate::fixture::{Fixture, deployment_id, device_id, mac, v};
use crate::history::{History, beginning};
use anyhow::{Context, Result};
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::deployment::event::DoneBy;
use bootledger_aggregates::device::command::DeviceCommand;
use bootledger_aggregates::device::register::DeviceChange;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::database::log::{self, Filter};
use bootledger_projections::database::pool::Connection;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::deployments::{self, Status};
use bootledger_projections::rows::{
    boot_targets, catalogue, devices, dhcp_entries, dhcp_sites, dns_records, holdings, statistics, timeline,
};

struct Story {
    history: History,
    /// The positions right after its start, when it was in progress, and at its end.
    started: i64,
    in_progress: i64,
    done: i64,
}

async fn story() -> Result<Story> {
    let mut fixture = Fixture::furnished();
    fixture.register(1, "dc1")?;
    fixture.start(deployment_id(1), 1, 11, 200)?;
    let end = |fixture: &Fixture| i64::try_from(fixture.log.len());
    let started = end(&fixture)?;
    (0..4).try_for_each(|_| fixture.run_next(deployment_id(1)))?;
    let in_progress = end(&fixture)?;
    fixture.run_next(deployment_id(1))?;
    fixture.done(deployment_id(1))?;
    let done = end(&fixture)?;
    let history = History::new(&fixture.log).await?;
    history.advance(1000).await?;
    Ok(Story { history, started, in_progress, done })
}

#[tokio::test]
async fn the_deployment_its_records_and_its_boot_target_appear_and_disappear() -> Result<()> {
    let Story { history, started, in_progress, done } = story().await?;
    let (pool, id, device) = (&history.pool, deployment_id(1), device_id(1));
    let status = async |at| deployments::find(pool, id, at).await.map(|found| found.map(|row| row.status));
    assert_eq!(status(At::Position(started - 1)).await?, None);
    assert_eq!(status(At::Position(started)).await?, Some(Status::Open));
    assert_eq!(status(At::Position(in_progress)).await?, Some(Status::InProgress));
    assert_eq!(status(At::Now).await?, Some(Status::Done));
    let row = deployments::find(pool, id, At::Now).await?.expect("the deployment");
    let by = DoneBy::Ip { address: v("10.0.0.20") };
    assert_eq!((row.ended_by, row.started_by.as_str()), (Some(by), "token ops"));
    assert!(deployments::live_of_device(pool, device, At::Position(in_progress)).await?.is_some());
    assert!(deployments::live_of_device(pool, device, At::Now).await?.is_none());

    let targets = boot_targets::all(pool, At::Position(in_progress)).await?;
    assert_eq!(targets.iter().map(|target| target.ip.to_string()).collect::<Vec<_>>(), ["10.0.0.11"]);
    assert_eq!(boot_targets::all(pool, At::Now).await?, vec![]);
    let changes = boot_targets::changed_since(pool, in_progress).await?;
    assert_eq!(changes.iter().map(|change| change.present).collect::<Vec<_>>(), [false]);
    assert_eq!(boot_targets::changed_since(pool, done).await?, vec![]);

    let records = dns_records::of_zone(pool, &v("dc1.example"), At::Now).await?;
    assert_eq!(records.len(), 1);
    assert_eq!((records[0].name.as_str(), records[0].value.as_str()), ("h200.dc1.example", "10.0.0.11"));
    let records = dns_records::of_zone(pool, &v("0.0.10.in-addr.arpa"), At::Now).await?;
    assert_eq!(records.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["11.0.0.10.in-addr.arpa"]);
    assert_eq!(dns_records::of_zone(pool, &v("c1.example"), At::Now).await?, vec![]);

    let live =
        async |at| dhcp_entries::of_site(pool, &v("dc1"), at).await.map(|all| all.iter().map(|e| e.live).collect::<Vec<_>>());
    assert_eq!(live(At::Position(started)).await?, Vec::<bool>::new());
    assert_eq!(live(At::Position(in_progress)).await?, [true]);
    assert_eq!(live(At::Now).await?, [false]);
    assert_eq!(dhcp_entries::of_site(pool, &v("dc2"), At::Now).await?, vec![]);
    assert_eq!(dhcp_sites::changed_at(pool, &v("dc1")).await?, done);
    assert!(dhcp_sites::changed_at(pool, &v("dc2")).await? < started);
    Ok(())
}

#[tokio::test]
async fn holdings_devices_and_networks_are_found_by_names_and_numbers() -> Result<()> {
    let Story { history, .. } = story().await?;
    let (pool, device) = (&history.pool, Holder::Device(device_id(1)));
    assert_eq!(holdings::holder_of(pool, "ip", "10.0.0.11", At::Now).await?, Some(device));
    assert_eq!(holdings::ips_in(pool, v("10.0.0.0/24"), At::Now).await?, [(v("10.0.0.11"), device)]);
    assert_eq!(holdings::ips_in(pool, v("10.0.1.0/24"), At::Now).await?, vec![]);
    assert_eq!(holdings::hostnames_ending(pool, ".dc1.example", At::Now).await?, ["h200.dc1.example"]);
    assert_eq!(holdings::hostnames_ending(pool, ".dc2.example", At::Now).await?, Vec::<String>::new());
    let held = holdings::holders(pool, &[("mac", mac(1).to_string()), ("mac", mac(9).to_string())], At::Now).await?;
    assert_eq!(held.iter().map(|holding| holding.value.clone()).collect::<Vec<_>>(), [mac(1).to_string()]);

    for q in ["SERVER 1", "sn1", "00:00:01", "h200", "10.0.0.11"] {
        let filter = devices::Filter { q: Some(q.to_owned()), ..devices::Filter::default() };
        assert_eq!(devices::list(pool, &filter, At::Now, 10).await?.len(), 1, "{q}");
    }
    for q in ["server_1", "%", "10.0.0.12"] {
        let filter = devices::Filter { q: Some(q.to_owned()), ..devices::Filter::default() };
        assert_eq!(devices::list(pool, &filter, At::Now, 10).await?, vec![], "{q}");
    }
    assert_eq!(devices::by_macs(pool, &[mac(101)], At::Now).await?.len(), 1);
    let network = catalogue::network_of(pool, v("10.0.0.11"), At::Now).await?.expect("a network");
    assert_eq!(network.key.as_str(), "dc1-prod");
    assert_eq!(catalogue::network_of(pool, v("10.9.0.11"), At::Now).await?, None);
    let first = catalogue::boot_image_revision(pool, &v("debian-12"), 1).await?.expect("a revision");
    assert!(first.spec.files.is_empty());
    assert_eq!(catalogue::boot_image(pool, &v("debian-12"), At::Now).await?.expect("the image").spec.files.len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_timeline_shows_the_deployment_and_the_statistics_count_it() -> Result<()> {
    let Story { history, started, .. } = story().await?;
    let filter = timeline::Filter { deployment: Some(deployment_id(1)), ..timeline::Filter::default() };
    let mut connection = history.pool.acquire().await?;
    let lines = timeline::list(&mut connection, &filter, timeline::Order::OldestFirst, 100).await?;
    let shown: Vec<String> = lines.iter().map(|line| format!("{}: {:?}", line.event_type, line.subject)).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    DeploymentStarted: Some("h200.dc1.example")
    RemarkAdded: Some("server 1")
    AddressAssigned: Some("server 1")
    PluginSucceeded: Some("h200.dc1.example")
    RoleAssigned: Some("server 1")
    PluginSucceeded: Some("h200.dc1.example")
    DnsEntryCreated: Some("server 1")
    PluginSucceeded: Some("h200.dc1.example")
    DhcpEntryCreated: Some("server 1")
    PluginSucceeded: Some("h200.dc1.example")
    DeploymentInProgress: Some("h200.dc1.example")
    PluginSucceeded: Some("h200.dc1.example")
    DeploymentDone: Some("h200.dc1.example")
    "#);
    let newest = timeline::list(&mut connection, &filter, timeline::Order::NewestFirst, 1).await?;
    assert_eq!(newest.last(), lines.last());
    assert_eq!(timeline::at(&mut connection, &[lines[0].position, 1_000_000]).await?, lines[..1]);
    assert_eq!(lines[0].position, started);
    drop(connection);

    let day = beginning().date();
    let sums = statistics::list(&history.pool, day, day.next_day().expect("a day")).await?;
    let sums: Vec<String> = sums.iter().map(|s| format!("{} {} {} {}", s.day, s.site, s.measure, s.amount)).collect();
    insta::assert_snapshot!(sums.join("\n"), @r"
    2027-01-15 dc1 deployments_done 1
    2027-01-15 dc1 deployments_started 1
    2027-01-15 dc1 in_progress_seconds 2
    2027-01-15 dc1 open_seconds 8
    ");
    Ok(())
}

#[tokio::test]
async fn a_line_has_the_names_of_its_time() -> Result<()> {
    let mut fixture = Fixture::furnished();
    fixture.register(1, "dc1")?;
    fixture.register(2, "dc1")?;
    fixture.device(device_id(1), DeviceCommand::AttachDevice { parent: device_id(2) })?;
    for (n, name) in [(1, "blade"), (2, "")] {
        fixture.change(n, DeviceChange { name: Some(v(name)), ..DeviceChange::default() })?;
    }
    fixture.device(device_id(1), DeviceCommand::DetachDevice { parent: device_id(2), deployment: None })?;
    let history = History::new(&fixture.log).await?;
    history.advance(1000).await?;
    let mut connection = history.pool.acquire().await?;
    let mut names = async |event_type: &str| {
        let filter = timeline::Filter { event_types: vec![event_type.to_owned()], ..timeline::Filter::default() };
        let lines = timeline::list(&mut connection, &filter, timeline::Order::NewestFirst, 1).await?;
        let line = lines.into_iter().next().context("a line")?;
        anyhow::Ok((line.subject.unwrap_or_default(), line.parent.unwrap_or_default()))
    };
    assert_eq!(names("DeviceAttached").await?, ("server 1".to_owned(), "server 2".to_owned()));
    // Without a name, the label is the serial number.
    assert_eq!(names("DeviceDetached").await?, ("blade".to_owned(), "SN2".to_owned()));
    Ok(())
}

#[tokio::test]
async fn an_edit_has_the_states_around_it_and_an_object_can_be_read_as_of_any_position() -> Result<()> {
    let mut fixture = Fixture::furnished();
    fixture.register(1, "dc1")?;
    fixture.change(1, DeviceChange { name: Some(v("blade")), ..DeviceChange::default() })?;
    let history = History::new(&fixture.log).await?;
    history.advance(1000).await?;
    let pool = &history.pool;
    let mut connection = pool.acquire().await?;
    let last = async |connection: &mut Connection, event_type: &str| {
        let filter = timeline::Filter { event_types: vec![event_type.to_owned()], ..timeline::Filter::default() };
        timeline::list(connection, &filter, timeline::Order::NewestFirst, 1).await?.into_iter().next().context("a line")
    };
    let line = last(&mut connection, "DeviceChanged").await?;
    let states = line.states.context("the states")?;
    assert_eq!((states.before["name"].as_str(), states.after["name"].as_str()), (Some("server 1"), Some("blade")));
    let (id, position) = (line.aggregate_id.as_str(), line.position);
    let state = async |kind: &str, id: &str, position: i64| {
        anyhow::Ok(timeline::state(pool, kind, id, position).await?.map(|(state, _)| state))
    };
    assert_eq!(state("device", id, position - 1).await?, Some(states.before));
    assert_eq!(state("device", id, position).await?, Some(states.after));
    assert_eq!((state("device", id, 0).await?, state("device", "dc1", position).await?), (None, None));
    assert!(state("site", "dc1", position).await?.is_some() && state("site", "dc1", 0).await?.is_none());
    let (previous, next) = timeline::around(pool, "device", id, position, position).await?;
    assert_eq!((previous.is_some_and(|previous| previous < position), next), (true, None));
    // The first event of an object replaces nothing.
    assert_eq!(last(&mut connection, "SiteDefined").await?.states, None);
    Ok(())
}

#[tokio::test]
async fn the_log_is_read_by_position_time_and_kind() -> Result<()> {
    let Story { history, done, .. } = story().await?;
    let pool = &history.pool;
    let all = log::read_after(pool, 0, 1000, Filter::default()).await?;
    assert_eq!(all.iter().map(|stored| stored.position).collect::<Vec<_>>(), (1..=done).collect::<Vec<_>>());
    assert_eq!(log::read_after(pool, done - 2, 1, Filter::default()).await?[0].position, done - 1);
    let plugins = Filter { aggregate_type: Some("deployment"), event_type: Some("PluginSucceeded"), ..Filter::default() };
    assert_eq!(log::read_after(pool, 0, 1000, plugins).await?.len(), 5);
    assert_eq!(all[0].read_metadata().actor, "token root");

    assert_eq!(log::position_at(pool, Timestamp(beginning())).await?, 0);
    for stored in &all {
        let last = all.iter().filter(|other| other.recorded_at <= stored.recorded_at).map(|other| other.position).max();
        assert_eq!(Some(log::position_at(pool, Timestamp(stored.recorded_at)).await?), last);
    }
    assert_eq!(log::position_at(pool, Timestamp(beginning()).plus_seconds(1_000_000)).await?, done);
    Ok(())
}
