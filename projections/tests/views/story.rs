//! One deployment from its start to its end, and what each view shows of it.

use crate::history::{History, beginning};
use crate::world::{World, deployment_id, device_id, mac, v};
use anyhow::Result;
use bootledger_aggregates::claims::Holder;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::at::At;
use bootledger_projections::deployments::Status;
use bootledger_projections::log::{self, Filter};
use bootledger_projections::{
    boot_targets, catalogue, deployments, devices, dhcp_entries, dhcp_sites, dns_records, holdings, statistics, timeline,
};

struct Story {
    history: History,
    /// The positions right after its start, when it was in progress, and at its end.
    started: i64,
    in_progress: i64,
    done: i64,
}

async fn story() -> Result<Story> {
    let mut world = World::furnished();
    world.register(1, "dc1")?;
    world.start(deployment_id(1), 1, 11, 200)?;
    let end = |world: &World| i64::try_from(world.log.len());
    let started = end(&world)?;
    (0..4).try_for_each(|_| world.run_next(deployment_id(1)))?;
    let in_progress = end(&world)?;
    world.run_next(deployment_id(1))?;
    world.done(deployment_id(1))?;
    let done = end(&world)?;
    let history = History::new(&world.log).await?;
    history.advance(1000).await?;
    Ok(Story { history, started, in_progress, done })
}

#[tokio::test]
async fn the_deployment_its_records_and_its_boot_target_come_and_go() -> Result<()> {
    let Story { history, started, in_progress, done } = story().await?;
    let (pool, id, device) = (&history.pool, deployment_id(1), device_id(1));
    let status = async |at| deployments::find(pool, id, at).await.map(|found| found.map(|row| row.status));
    assert_eq!(status(At::Position(started - 1)).await?, None);
    assert_eq!(status(At::Position(started)).await?, Some(Status::Open));
    assert_eq!(status(At::Position(in_progress)).await?, Some(Status::InProgress));
    assert_eq!(status(At::Now).await?, Some(Status::Done));
    let row = deployments::find(pool, id, At::Now).await?.expect("the deployment");
    assert_eq!((row.ended_by.as_deref(), row.started_by.as_str()), (Some("server 10.0.0.20"), "token ops"));
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
async fn holdings_devices_and_networks_are_found_by_what_people_know() -> Result<()> {
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
    let lines = timeline::list(&history.pool, &filter, timeline::Order::OldestFirst, 100).await?;
    let sentences: Vec<&str> = lines.iter().map(|line| line.sentence.as_str()).collect();
    insta::assert_snapshot!(sentences.join("\n"), @r"
    Deployment of h200.dc1.example to 10.0.0.11 began by token ops: venture shop, role db, image debian-12
    server 1: Remarks below are for shop/web until 2027-01-15
    server 1 has the address 10.0.0.11
    h200.dc1.example: clean succeeded
    server 1 now belongs to venture shop, role db
    h200.dc1.example: role succeeded
    server 1: DNS entry h200.dc1.example at 10.0.0.11 created
    h200.dc1.example: dns succeeded
    server 1: DHCP entry 10.0.0.11 for 52:54:00:00:00:01 created
    h200.dc1.example: dhcp succeeded
    h200.dc1.example is prepared and may boot its image
    h200.dc1.example: reboot succeeded
    Deployment of h200.dc1.example is done, says server 10.0.0.20
    ");
    let newest = timeline::list(&history.pool, &filter, timeline::Order::NewestFirst, 1).await?;
    assert_eq!(newest.last(), lines.last());
    assert_eq!(lines[0].position, started);

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
