//! PostgreSQL servers of a test's own: on a disk that can be filled, as a primary with a standby, or behind `PgBouncer`.

use anyhow::{Context, Result, ensure};
use nix::unistd::{Uid, User, chown};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A server over a folder. It is stopped when dropped; the folder belongs to the test.
pub(crate) struct Postgres {
    folder: PathBuf,
}

impl Postgres {
    /// Creates a cluster in an empty folder, with these options and lines of configuration, and starts it.
    pub(crate) fn create(folder: &Path, options: &[&str], configuration: &str) -> Result<Self> {
        prepare(folder)?;
        let data = folder.join("data");
        run(command("initdb")?
            .arg("--pgdata")
            .arg(&data)
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"])
            .args(options))?;
        Self::start(folder, configuration)
    }

    /// Copies a running server into an empty folder as its standby, and starts that.
    pub(crate) fn standby_of(primary: &Self, folder: &Path) -> Result<Self> {
        prepare(folder)?;
        let data = folder.join("data");
        run(command("pg_basebackup")?
            .arg("--pgdata")
            .arg(&data)
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"])
            .args(["--username=postgres", "--host"])
            .arg(&primary.folder))?;
        Self::start(folder, "")
    }

    fn start(folder: &Path, configuration: &str) -> Result<Self> {
        let data = folder.join("data");
        let file = data.join("postgresql.conf");
        let mut text = std::fs::read_to_string(&file)?;
        let socket = folder.display();
        text = format!("{text}\nlisten_addresses = ''\nunix_socket_directories = '{socket}'\nfsync = off\n{configuration}");
        std::fs::write(&file, text)?;
        let server = Self { folder: folder.to_owned() };
        run(command("pg_ctl")?
            .arg("--pgdata")
            .arg(&data)
            .arg("--log")
            .arg(folder.join("log"))
            .args(["--silent", "--wait", "start"]))?;
        Ok(server)
    }

    /// Promotes a standby to a primary.
    pub(crate) fn promote(&self) -> Result<()> {
        run(command("pg_ctl")?.arg("--pgdata").arg(self.folder.join("data")).args(["--silent", "--wait", "promote"]))
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=postgres", self.folder.display())
    }

    /// Runs a statement in a database.
    pub(crate) async fn execute(&self, database: &str, statement: &str) -> Result<()> {
        execute(&self.url(database), statement).await
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Ok(mut stop) = command("pg_ctl") {
            stop.arg("--pgdata").arg(self.folder.join("data")).args(["--mode=immediate", "--silent", "stop"]);
            drop(stop.stdout(Stdio::null()).stderr(Stdio::null()).status());
        }
    }
}

/// Runs statements in the database at this URL.
pub(crate) async fn execute(url: &str, statements: &str) -> Result<()> {
    let mut connection = url.parse::<PgConnectOptions>()?.connect().await?;
    sqlx::raw_sql(statements).execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// The user that runs the servers, since PostgreSQL refuses to run as root; `None` if the test does not run as root.
pub(crate) fn owner() -> Result<Option<User>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let user = User::from_name("postgres")?.map_or_else(|| User::from_name("nobody"), |user| Ok(Some(user)))?;
    Ok(Some(user.context("neither a user postgres nor nobody")?))
}

/// Makes that user the owner of a folder.
pub(crate) fn prepare(folder: &Path) -> Result<()> {
    if let Some(owner) = owner()? {
        chown(folder, Some(owner.uid), Some(owner.gid))?;
    }
    Ok(std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?)
}

/// A command that runs a program as that user.
pub(crate) fn unprivileged(program: &Path) -> Result<Command> {
    let mut command = match owner()? {
        None => Command::new(program),
        Some(owner) => {
            let mut command = Command::new("setpriv");
            command
                .arg(format!("--reuid={}", owner.uid))
                .arg(format!("--regid={}", owner.gid))
                .arg("--clear-groups")
                .arg(program);
            command
        }
    };
    command.current_dir("/").stdin(Stdio::null());
    Ok(command)
}

/// The command for a program of the newest installed PostgreSQL.
fn command(program: &str) -> Result<Command> {
    let mut folders: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")?.flatten().map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    let folder = folders.pop().context("no PostgreSQL in /usr/lib/postgresql")?;
    unprivileged(&folder.join(program))
}

fn run(command: &mut Command) -> Result<()> {
    // The server inherits the streams. With a pipe, waiting for its end would mean waiting for the server's end, so this uses a
    // file.
    let output = tempfile::tempfile()?;
    let status = command.stdout(output.try_clone()?).stderr(output.try_clone()?).status()?;
    let mut text = String::new();
    std::io::Seek::rewind(&mut &output)?;
    std::io::Read::read_to_string(&mut &output, &mut text)?;
    ensure!(status.success(), "{command:?} failed: {text}");
    Ok(())
}
