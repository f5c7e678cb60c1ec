//! Which databases the service starts on: one that would fail or lose data later is refused at the start, with what to do.

use crate::support::postgres::{execute, unprivileged};
use crate::support::process::{Process, wait_for};
use anyhow::{Context, Result, ensure};
use bootledger_test_cluster::TestDatabase;
use serde_json::json;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the program over a database until it ends. Returns whether it succeeded, and its output.
async fn run(url: &str, data: &Path, arguments: &[&str]) -> Result<(bool, String)> {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_bootledger"));
    command.args(arguments).env("DATABASE_URL", url).env("BOOTLEDGER_DATA_DIR", data).env_remove("BOOTLEDGER_KEY_FILE");
    let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await.context("it does not end")??;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// The service refuses to start, with these words.
async fn is_refused(url: &str, words: &[&str]) -> Result<()> {
    let data = tempfile::tempdir()?;
    let (done, said) = run(url, data.path(), &["serve", "--listen", "127.0.0.1:0"]).await?;
    ensure!(!done, "it started: {said}");
    for words in words {
        ensure!(said.contains(words), "{words:?} is missing: {said}");
    }
    Ok(())
}

/// Creates an empty database in the run's cluster with these options.
async fn empty_database(options: &str) -> Result<String> {
    let cluster = std::env::var(bootledger_test_cluster::VARIABLE)?;
    let name = format!("bare_{}", uuid::Uuid::now_v7().simple());
    execute(&cluster, &format!("CREATE DATABASE {name} TEMPLATE template0 {options}")).await?;
    Ok(cluster.replacen("postgres:///postgres?", &format!("postgres:///{name}?"), 1))
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_name_is_refused_with_the_command_that_makes_one() -> Result<()> {
    for encoding in ["SQL_ASCII", "LATIN1"] {
        let url = empty_database(&format!("ENCODING '{encoding}' LOCALE 'C'")).await?;
        is_refused(&url, &[encoding, "createdb -E UTF8 -T template0"]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_database_of_another_program_or_a_newer_one_is_refused() -> Result<()> {
    let url = empty_database("ENCODING 'UTF8'").await?;
    execute(&url, "CREATE TABLE events (id int)").await?;
    is_refused(&url, &["tables named like Bootledger's", "createdb"]).await?;

    let url = empty_database("ENCODING 'UTF8'").await?;
    execute(&url, "CREATE TABLE _sqlx_migrations (version bigint); INSERT INTO _sqlx_migrations VALUES (1)").await?;
    is_refused(&url, &["belongs to another program"]).await?;

    let database = TestDatabase::create().await?;
    let newer = "INSERT INTO public._sqlx_migrations SELECT 29990101000000, description, now(), success, checksum, execution_time \
                 FROM public._sqlx_migrations LIMIT 1";
    execute(&database.url(), newer).await?;
    is_refused(&database.url(), &["newer than this program", "29990101000000"]).await
}

fn key_file(folder: &TempDir, digit: &str) -> Result<PathBuf> {
    let file = folder.path().join(format!("key-{digit}"));
    std::fs::write(&file, digit.repeat(64))?;
    Ok(file)
}

async fn start_with_key(database: &TestDatabase, key: &Path) -> Result<Process> {
    let options = vec!["--key-file".to_owned(), key.display().to_string()];
    Process::start_with(Ipv4Addr::LOCALHOST, database.url(), PathBuf::from(env!("CARGO_BIN_EXE_bootledger")), options).await
}

#[tokio::test]
async fn an_instance_with_another_key_is_refused_until_the_key_is_replaced() -> Result<()> {
    let (database, folder) = (TestDatabase::create().await?, tempfile::tempdir()?);
    let (first, other) = (key_file(&folder, "1")?, key_file(&folder, "2")?);
    let running = start_with_key(&database, &first).await?;
    let second = start_with_key(&database, &first).await.context("the same key")?;
    drop((running, second));

    // An instance without the key does not create one.
    is_refused(&database.url(), &["service.key", "does not exist", "copy the key of a running instance"]).await?;
    let other_path = other.display().to_string();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--key-file", &other_path];
    let (done, said) = run(&database.url(), folder.path(), &serve).await?;
    ensure!(!done && said.contains("is not that of the other instances") && said.contains("bootledger key replace"), "{said}");
    ensure!(!said.contains(&"2".repeat(16)) && !said.contains(&"1".repeat(16)), "a key is shown: {said}");

    let (done, said) = run(&database.url(), folder.path(), &["key", "--key-file", &other_path, "check"]).await?;
    ensure!(!done && said.contains("fingerprint"), "{said}");
    let (done, said) = run(&database.url(), folder.path(), &["key", "--key-file", &other_path, "replace"]).await?;
    ensure!(!done && said.contains("become invalid") && said.contains("--yes"), "{said}");
    let (done, said) = run(&database.url(), folder.path(), &["key", "--key-file", &other_path, "replace", "--yes"]).await?;
    ensure!(done, "{said}");
    drop(start_with_key(&database, &other).await.context("the new key")?);
    ensure!(start_with_key_is_refused(&database, &first).await?, "the old key still starts");
    Ok(())
}

async fn start_with_key_is_refused(database: &TestDatabase, key: &Path) -> Result<bool> {
    let data = tempfile::tempdir()?;
    let serve = ["serve", "--listen", "127.0.0.1:0", "--key-file", &key.display().to_string()];
    Ok(!run(&database.url(), data.path(), &serve).await?.0)
}

#[tokio::test]
async fn of_two_first_starts_at_once_with_different_keys_one_succeeds() -> Result<()> {
    let database = TestDatabase::create().await?;
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?];
    let mut starts = vec![];
    for folder in &folders {
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bootledger"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).env("DATABASE_URL", database.url());
        command.env("BOOTLEDGER_DATA_DIR", folder.path()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        starts.push(Running(command.spawn()?));
    }
    let said = |place: usize| std::fs::read_to_string(folders[place].path().join("log")).unwrap_or_default();
    let listens = |place| said(place).contains("Bootledger listens on");
    let refused = |place| said(place).contains("copy the key of a running instance");
    let decided = async || ((listens(0) && refused(1)) || (listens(1) && refused(0))).then_some(());
    wait_for("one of them goes on and the other one is refused", PATIENCE, decided).await
}

/// A process that is killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts `PgBouncer` in front of the run's cluster, in this pool mode. Returns it and the database's URL through it.
fn pgbouncer(folder: &Path, mode: &str, database: &TestDatabase) -> Result<(Running, String)> {
    crate::support::postgres::prepare(folder)?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let url = url::Url::parse(&database.url())?;
    let (_, host) = url.query_pairs().find(|(name, _)| name == "host").context("a socket")?;
    let name = url.path().trim_start_matches('/');
    let configuration = format!(
        "[databases]\n* = host={host}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
         auth_type = any\npool_mode = {mode}\ndefault_pool_size = 40\nmax_client_conn = 200\n"
    )
    .replace("* = host=", &format!("{name} = user=postgres host="));
    let file = folder.join("pgbouncer.ini");
    std::fs::write(&file, configuration)?;
    let log = std::fs::File::create(folder.join("log"))?;
    let mut command = unprivileged(Path::new("/usr/sbin/pgbouncer"))?;
    let child = command.arg(&file).stdout(log.try_clone()?).stderr(log).spawn().context("Debian's package pgbouncer")?;
    Ok((Running(child), format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=disable")))
}

async fn listens(url: &str) -> Result<()> {
    let address = url::Url::parse(url)?.socket_addrs(|| None)?;
    let connects = async || tokio::net::TcpStream::connect(&address[..]).await.ok().map(drop);
    wait_for("PgBouncer listens", PATIENCE, connects).await
}

#[tokio::test]
async fn pgbouncer_that_shares_sessions_is_refused_and_one_that_does_not_is_used() -> Result<()> {
    let database = TestDatabase::create().await?;
    for mode in ["transaction", "statement"] {
        let folder = tempfile::tempdir()?;
        let (_running, url) = pgbouncer(folder.path(), mode, &database)?;
        listens(&url).await?;
        is_refused(&url, &["transaction or statement mode", "pool_mode = session"]).await?;
        let options = format!("{url}&options=-c%20work_mem%3D8MB");
        is_refused(&options, &["refuses the startup parameter options", "remove it from DATABASE_URL"]).await?;
    }
    let folder = tempfile::tempdir()?;
    let (_running, url) = pgbouncer(folder.path(), "session", &database)?;
    listens(&url).await?;
    let service = Process::start(Ipv4Addr::LOCALHOST, url).await?;
    service.put("/api/v1/sites/dc1", &json!({"name": "Łódź", "domain": "dc1.example", "zones": ["dc1.example"]})).await?;
    assert_eq!(service.get("/api/v1/sites/dc1").await?["spec"]["name"], "Łódź");
    Ok(())
}
