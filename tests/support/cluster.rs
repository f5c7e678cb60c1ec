//! A PostgreSQL of a test's own, which the test may stop, restart and configure.

use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A cluster from `scripts/with-postgres`; it ends when this value is dropped.
pub(crate) struct OwnCluster {
    script: Child,
    folder: PathBuf,
}

impl OwnCluster {
    pub(crate) fn start() -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/with-postgres");
        let mut command = Command::new(script);
        command.args(["sh", "-c", "echo \"$BOOTLEDGER_TEST_POSTGRES\"; exec cat"]).env_remove(bootledger_test_cluster::VARIABLE);
        let mut script = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut url = String::new();
        BufReader::new(script.stdout.take().context("a standard output")?).read_line(&mut url)?;
        let folder = url.trim().split(['?', '&']).find_map(|part| part.strip_prefix("host="));
        let folder = PathBuf::from(folder.with_context(|| format!("no cluster was started: {url}"))?);
        Ok(Self { script, folder })
    }

    /// The URL of its only database, which the service migrates.
    pub(crate) fn url(&self) -> String {
        format!("postgres:///postgres?host={}&user=postgres", self.folder.display())
    }

    /// Restarts the server as after a crash.
    pub(crate) fn restart(&self) -> Result<()> {
        self.control("restart --mode=immediate --wait")
    }

    /// Adds this line to the configuration and reloads it.
    pub(crate) fn configure(&self, line: &str) -> Result<()> {
        use std::io::Write;
        let file = self.folder.join("data/postgresql.conf");
        writeln!(std::fs::OpenOptions::new().append(true).open(file)?, "{line}")?;
        self.control("reload")
    }

    /// Sends a signal to the server and all of its processes: `STOP` suspends them, `CONT` resumes them.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid"))?;
        let server = file.lines().next().context("a process id")?;
        let children = Command::new("ps").args(["-o", "pid=", "--ppid", server]).output()?.stdout;
        let children = String::from_utf8(children)?;
        let all = std::iter::once(server).chain(children.split_whitespace());
        // A process may have ended in between.
        Command::new("kill").args(["-s", name]).args(all).stderr(Stdio::null()).status()?;
        Ok(())
    }

    fn control(&self, order: &str) -> Result<()> {
        let data = self.folder.join("data");
        let script = format!(
            "cd /; bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1); \
             bin=${{BOOTLEDGER_POSTGRES_BIN:-${{bin:-$(pg_config --bindir)}}}}; as=; \
             [ $(id -u) != 0 ] || as=\"setpriv --reuid=$(stat -c %u {data}) --regid=$(stat -c %g {data}) --clear-groups --\"; \
             $as \"$bin/pg_ctl\" --pgdata={data} --log={log} --silent {order}",
            data = data.display(),
            log = self.folder.join("log").display(),
        );
        ensure!(Command::new("sh").args(["-c", &script]).status()?.success(), "pg_ctl {order} failed");
        Ok(())
    }
}

impl Drop for OwnCluster {
    fn drop(&mut self) {
        drop(self.signal("CONT"));
        // The command ends when its input does, and the cluster ends with the command.
        drop(self.script.stdin.take());
        drop(self.script.wait());
    }
}
