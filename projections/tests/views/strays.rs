//! DHCP entries that no network serves are found among 40,000 without reading all of them, because monitoring runs this query
//! every second.

use bootledger_projections::questions::strays;
use bootledger_projections::rows::at::At;
use bootledger_test_cluster::TestDatabase;
use sqlx::Row;

/// 50 networks with 40,000 entries, each entry of a device of its own.
const SEED: &str = "
INSERT INTO views.catalogue (kind, key, sequence, spec, retired, valid_from)
SELECT 'network', 'n' || i, 1, jsonb_build_object('site', 'dc' || i % 3, 'cidr', '10.' || i || '.0.0/16', 'dhcp', true), false, 1
  FROM generate_series(0, 49) i;
INSERT INTO views.devices (id, sequence, kind, name, site, macs, verified, decommissioned, addresses, hostnames, software, disk_shares,
                           sub_devices, remarks, registered_at, changed_at, valid_from)
SELECT ('00000000-0000-0000-0000-' || lpad(to_hex(i), 12, '0'))::uuid, 1, 'server', 'd' || i, 'dc1', ARRAY['52:54:00:00:00:01'], true,
       false, '{}', '{}', '{}', '{}', '{}', '[]', now(), now(), 1 FROM generate_series(1, 40000) i;
INSERT INTO views.dhcp_entries (ip, mac, network, device, valid_from)
SELECT ('10.' || i % 50 || '.' || i / 50 / 250 || '.' || i / 50 % 250)::inet, '52:54:00:00:00:01', 'n' || i % 50,
       ('00000000-0000-0000-0000-' || lpad(to_hex(i), 12, '0'))::uuid, 1 FROM generate_series(1, 40000) i;
-- An autovacuum in the middle of the test would count as reads.
ALTER TABLE views.dhcp_entries SET (autovacuum_enabled = false); ALTER TABLE views.devices SET (autovacuum_enabled = false);
ANALYZE views.catalogue; ANALYZE views.devices; ANALYZE views.dhcp_entries;
";

/// Every kind of stray entry: below and above a network, in a network without DHCP, and in one that is retired or unknown.
const STRAY: &str = r#"
UPDATE views.catalogue SET spec = spec || '{"cidr": "10.3.0.8/29"}' WHERE key = 'n3';
UPDATE views.catalogue SET spec = spec || '{"dhcp": false}' WHERE key = 'n4';
UPDATE views.catalogue SET retired = true WHERE key = 'n5';
DELETE FROM views.catalogue WHERE key = 'n6';
DELETE FROM views.dhcp_entries WHERE network IN ('n3', 'n4', 'n5', 'n6') AND ip::text NOT LIKE '%.0._/32' AND ip::text NOT LIKE '%.0.1_/32';
"#;

#[tokio::test]
async fn strays_are_found_among_40_000_entries_without_reading_them() {
    let database = TestDatabase::create().await.expect("a database");
    let pool = database.pool(2).await.expect("a pool");
    sqlx::raw_sql(SEED).execute(&pool).await.expect("an answer");
    let read = async || {
        let mut connection = pool.acquire().await.expect("an answer");
        let blocks = "SELECT sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)::bigint AS blocks FROM pg_statio_user_tables \
                      WHERE schemaname = 'views' AND relname IN ('dhcp_entries', 'devices')";
        let flushed = async |connection: &mut sqlx::PgConnection| {
            sqlx::query("SELECT pg_stat_force_next_flush()").execute(&mut *connection).await.expect("an answer");
            sqlx::query("SELECT pg_stat_clear_snapshot()").execute(&mut *connection).await.expect("an answer");
            sqlx::query(blocks).fetch_one(&mut *connection).await.expect("numbers").get::<i64, _>(0)
        };
        let before = flushed(&mut connection).await;
        strays::list(&mut *connection, None, At::Now).await.expect("an answer");
        flushed(&mut connection).await - before
    };
    assert!(strays::list(&pool, None, At::Now).await.expect("an answer").is_empty());
    let blocks = read().await;
    assert!(blocks < 900, "{blocks} blocks were read");
    sqlx::raw_sql(STRAY).execute(&pool).await.expect("an answer");
    for site in [None, Some("dc0".parse().expect("a site")), Some("dc1".parse().expect("a site"))] {
        let now = strays::list(&pool, site.as_ref(), At::Now).await.expect("an answer");
        assert!(now == strays::list(&pool, site.as_ref(), At::Position(1)).await.expect("an answer"), "{now:?}");
        assert!(!now.is_empty());
    }
    let all = strays::list(&pool, None, At::Now).await.expect("an answer");
    let of = |text: &str| all.iter().filter(|stray| stray.network.as_str() == text).count();
    assert!(of("n6") == 20 && of("n5") == 20 && of("n4") == 20, "{all:?}");
    assert!(of("n3") == 12, "{all:?}");
}
