//! What tests rely on: migrated databases, separate from each other, whichever test runs first.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use bootledger_test_cluster::TestDatabase;
use tempfile::TempDir;

/// Migrations in the shape of the service's own; `marker` makes them different from those of other tests.
fn migrations(marker: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let sql =
        format!("-- {marker}\nCREATE TABLE events (id bigint);\nCREATE SCHEMA views;\nCREATE TABLE views.devices (id bigint);");
    std::fs::write(directory.path().join("20260101000000_start.sql"), sql).unwrap();
    directory
}

async fn count(pool: &sqlx::PgPool, table: &str) -> i64 {
    let statement = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(&statement).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn tables_of_both_schemas_are_found_by_their_bare_names() {
    let migrations = migrations("bare names");
    let database = TestDatabase::create_with(migrations.path()).await.unwrap();
    let pool = database.pool(2).await.unwrap();
    assert_eq!(count(&pool, "events").await, 0);
    assert_eq!(count(&pool, "devices").await, 0);
    let by_url = sqlx::PgPool::connect(&database.url()).await.unwrap();
    assert_eq!(count(&by_url, "devices").await, 0);
}

#[tokio::test]
async fn many_tests_that_begin_at_once_get_databases_of_their_own() {
    let migrations = migrations(&format!("at once {}", uuid::Uuid::now_v7()));
    let created = (0..8).map(|_| TestDatabase::create_with(migrations.path()));
    for database in futures::future::try_join_all(created).await.unwrap() {
        let pool = database.pool(1).await.unwrap();
        assert_eq!(count(&pool, "devices").await, 0);
        sqlx::query("INSERT INTO devices VALUES (1)").execute(&pool).await.unwrap();
    }
}

#[tokio::test]
async fn a_changed_migration_makes_another_template() {
    let old = migrations("changed");
    TestDatabase::create_with(old.path()).await.unwrap();
    let second = old.path().join("20260102000000_more.sql");
    std::fs::write(second, "CREATE TABLE more (id bigint)").unwrap();
    let database = TestDatabase::create_with(old.path()).await.unwrap();
    let pool = database.pool(1).await.unwrap();
    assert_eq!(count(&pool, "more").await, 0);
}

#[tokio::test]
async fn a_database_is_dropped_with_its_value_even_while_connected() {
    let migrations = migrations("goes");
    let database = TestDatabase::create_with(migrations.path()).await.unwrap();
    let other = TestDatabase::create_with(migrations.path()).await.unwrap();
    let pool = other.pool(1).await.unwrap();
    let name = database.connect_options().get_database().unwrap().to_owned();
    let _still_connected = database.pool(1).await.unwrap();
    let exists = "SELECT count(*) FROM pg_database WHERE datname = $1";
    let before: i64 = sqlx::query_scalar(exists).bind(&name).fetch_one(&pool).await.unwrap();
    drop(database);
    let after: i64 = sqlx::query_scalar(exists).bind(&name).fetch_one(&pool).await.unwrap();
    assert_eq!((before, after), (1, 0));
}

#[tokio::test]
async fn a_broken_migration_is_named() {
    let broken = tempfile::tempdir().unwrap();
    std::fs::write(broken.path().join("20260101000000_broken.sql"), "CREATE TABEL x ()").unwrap();
    let error = TestDatabase::create_with(broken.path()).await.unwrap_err();
    assert!(format!("{error:#}").contains("20260101000000"), "{error:#}");
}

#[tokio::test]
async fn the_services_own_migrations_apply() {
    let database = TestDatabase::create().await.unwrap();
    let pool = database.pool(1).await.unwrap();
    assert_eq!(count(&pool, "events").await, 0);
    assert_eq!(count(&pool, "devices").await, 0);
}
