//! Finding free addresses and names where nearly everything is held.

use crate::fixture::v;
use crate::history::History;
use anyhow::Result;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_projections::questions::free;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::{holdings, tallies};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Every address from 10.0.0.0 to 10.0.9.255 is held except these, and so are the names h1 to h1200 except h700.
async fn crowded(free: &[&str]) -> Result<History> {
    let history = History::new(&[]).await?;
    sqlx::query(
        "INSERT INTO holdings (kind, value, holder, ip, valid_from)
         SELECT 'ip', host('10.0.0.0'::inet + n), 'device:x', '10.0.0.0'::inet + n, 1 FROM generate_series(0, 2559) AS n
          WHERE host('10.0.0.0'::inet + n) <> ALL($1)",
    )
    .bind(free)
    .execute(&history.pool)
    .await?;
    sqlx::query(
        "INSERT INTO holdings (kind, value, holder, valid_from)
         SELECT 'hostname', 'h' || n || '.dc1.example', 'device:x', 1 FROM generate_series(1, 1200) AS n WHERE n <> 700",
    )
    .execute(&history.pool)
    .await?;
    tallies::recount(&history.pool).await?;
    Ok(history)
}

#[tokio::test]
async fn the_next_addresses_are_found_behind_full_parts_of_a_network() -> Result<()> {
    let history = crowded(&["10.0.0.0", "10.0.3.77", "10.0.6.0", "10.0.6.255", "10.0.9.255"]).await?;
    let mut connection = history.pool.acquire().await?;
    let spec = |cidr: &str| -> Result<NetworkSpec> {
        Ok(serde_json::from_value(
            serde_json::json!({"cidr": cidr, "site": "dc1", "gateway": "10.0.12.9", "margin_bottom": 0, "margin_top": 0}),
        )?)
    };
    let mut next = async |cidr: &str, excluded: &[&str], count| {
        let excluded: BTreeSet<Ipv4Addr> = excluded.iter().copied().map(v).collect();
        anyhow::Ok(free::addresses(&mut connection, &spec(cidr)?, &excluded, At::Now, count).await?)
    };
    let ips = |texts: &[&str]| texts.iter().copied().map(v::<Ipv4Addr>).collect::<Vec<_>>();
    assert_eq!(next("10.0.0.0/16", &[], 2).await?, ips(&["10.0.3.77", "10.0.6.0"]));
    assert_eq!(next("10.0.0.0/16", &["10.0.3.77"], 4).await?, ips(&["10.0.6.0", "10.0.6.255", "10.0.9.255", "10.0.10.0"]));
    assert_eq!(next("10.0.0.0/20", &[], 9).await?.len(), 9);
    // The network's own addresses, the gateway and addresses outside the network are not free.
    assert_eq!(next("10.0.12.8/29", &["10.0.12.12"], 9).await?, ips(&["10.0.12.10", "10.0.12.11", "10.0.12.13", "10.0.12.14"]));
    assert_eq!(next("203.0.113.128/25", &[], 1).await?, ips(&["203.0.113.129"]));
    // The network's own address is the only one that is not held.
    assert_eq!(next("10.0.0.0/23", &[], 1).await?, ips(&[]));
    assert_eq!(next("10.0.3.64/27", &[], 2).await?, ips(&["10.0.3.77"]));
    let counts = holdings::count_in(&history.pool, &[v("10.0.0.0/8"), v("10.0.3.0/24"), v("10.0.3.64/27")], At::Now).await?;
    assert_eq!(counts, [2555, 255, 31]);
    assert_eq!(holdings::count_by_part(&history.pool, v("10.0.2.0/23")).await?, [(v("10.0.2.0"), 256), (v("10.0.3.0"), 255)]);
    Ok(())
}

#[tokio::test]
async fn the_next_names_are_behind_the_highest_and_then_in_the_gaps() -> Result<()> {
    let history = crowded(&[]).await?;
    let mut connection = history.pool.acquire().await?;
    let mut next = async |template: &str, count| {
        let names = free::hostnames(&mut connection, &v(template), &BTreeSet::new(), At::Now, count).await?;
        anyhow::Ok(names.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    // 1200 is the highest number, although 999 sorts after it as text.
    assert_eq!(next("h<1,5000>.dc1.example", 2).await?, ["h1201.dc1.example", "h1202.dc1.example"]);
    assert_eq!(next("h<1,1200>.dc1.example|k<1,2>.dc1.example", 1).await?, ["k1.dc1.example"]);
    assert_eq!(next("h<1,1200>.dc1.example", 2).await?, ["h700.dc1.example"]);
    assert_eq!(next("h<1,9000>.dc2.example", 1).await?, ["h1.dc2.example"]);
    assert_eq!(next("h1<0,9>.dc1.example", 1).await?, Vec::<String>::new());
    Ok(())
}
