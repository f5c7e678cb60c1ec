//! The service itself cannot change anything in the log, and a change by other means is detected.

use super::{batch, event, log_of};
use anyhow::Result;
use bootledger::event_log::verify::{self, Tampered};
use bootledger_test_cluster::TestDatabase;
use std::io::Cursor;

#[tokio::test]
async fn the_database_refuses_update_delete_and_truncate() -> Result<()> {
    let database = TestDatabase::create().await?;
    let log = log_of(&database).await?;
    log.append(batch(vec![event("a", 1)])).await?;
    for statement in ["UPDATE events SET payload = '{}'", "DELETE FROM events", "TRUNCATE events", "TRUNCATE events CASCADE"] {
        let error = sqlx::query(statement).execute(log.pool()).await.expect_err(statement);
        assert!(error.to_string().contains("the event log is append-only"), "{statement}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn one_altered_byte_anywhere_is_found_and_located() -> Result<()> {
    let database = TestDatabase::create().await?;
    let log = log_of(&database).await?;
    for n in 1..=30 {
        log.append(batch(vec![event(format!("r{n}"), 1)])).await?;
    }
    assert_eq!(verify::database(log.pool(), |_| {}).await?, Ok(30));
    // As the owner of the database could do it: with the trigger disabled.
    let mut forger = log.pool().acquire().await?;
    sqlx::query("SET session_replication_role = replica").execute(&mut forger).await?;
    let altered = [
        ("payload = '{\"type\":\"RackRetireD\"}'", Tampered::Altered(17)),
        ("metadata = '{\"actor\":\"tesT\"}'", Tampered::Altered(17)),
        ("event_type = 'RackRetireD'", Tampered::Altered(17)),
        ("event_version = '2'", Tampered::Altered(17)),
        ("aggregate_id = 'r17x'", Tampered::Altered(17)),
        ("aggregate_type = 'racK'", Tampered::Altered(17)),
        ("sequence = 2", Tampered::Altered(17)),
        ("recorded_at = recorded_at + interval '1 microsecond'", Tampered::Altered(17)),
        ("chain = set_byte(chain, 31, get_byte(chain, 31) # 1)", Tampered::Altered(17)),
        ("position = 31", Tampered::Gap { after: 16, found: 18 }),
    ];
    for (change, found) in altered {
        sqlx::query("BEGIN").execute(&mut forger).await?;
        sqlx::query("CREATE TEMP TABLE kept ON COMMIT PRESERVE ROWS AS SELECT * FROM events WHERE position = 17")
            .execute(&mut forger)
            .await?;
        sqlx::query(&format!("UPDATE events SET {change} WHERE position = 17")).execute(&mut forger).await?;
        sqlx::query("COMMIT").execute(&mut forger).await?;
        assert_eq!(verify::database(log.pool(), |_| {}).await?, Err(found), "{change}");
        sqlx::query("DELETE FROM events WHERE position = 17 OR position > 30").execute(&mut forger).await?;
        sqlx::query("INSERT INTO events SELECT * FROM kept").execute(&mut forger).await?;
        sqlx::query("DROP TABLE kept").execute(&mut forger).await?;
        assert_eq!(verify::database(log.pool(), |_| {}).await?, Ok(30), "put right again after {change}");
    }
    sqlx::query("DELETE FROM events WHERE position = 30").execute(&mut forger).await?;
    assert_eq!(verify::database(log.pool(), |_| {}).await?, Err(Tampered::Cut { ends: 29, head: 30 }));
    Ok(())
}

#[tokio::test]
async fn an_export_can_be_verified_and_reveals_a_changed_line() -> Result<()> {
    let database = TestDatabase::create().await?;
    let log = log_of(&database).await?;
    for n in 1..=5 {
        log.append(batch(vec![event(format!("r{n}"), 1)])).await?;
    }
    let events = verify::export_after(log.pool(), 0).await?;
    let lines: Vec<String> = events.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    assert_eq!(verify::file(Cursor::new(lines.join("\n")), |_| {})?, Ok(5));
    let forged = lines.join("\n").replacen("\"r3\"", "\"r9\"", 1);
    assert_eq!(verify::file(Cursor::new(forged), |_| {})?, Err(Tampered::Altered(3)));
    let short = [&lines[..2], &lines[3..]].concat().join("\n");
    assert_eq!(verify::file(Cursor::new(short), |_| {})?, Err(Tampered::Gap { after: 2, found: 4 }));
    Ok(())
}
