//! Handles what a crash leaves behind: a guard that is still stopping the old server or, if the guard was killed too, a server.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cluster::Cluster;
use super::error::{Error, Result, io};
use super::lock;

/// How long the end of a server may take in total, including the checkpoint of a busy database.
const PATIENCE: Duration = Duration::from_secs(90);

/// Returns when no process of an earlier run is left, with the lock that the next server's processes will inherit.
pub(super) async fn wait_for_end(cluster: &Cluster) -> Result<File> {
    let path = cluster.lock_file();
    let file = lock::open(&path)?;
    let began = Instant::now();
    let mut message = false;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => {
                return Err(io(format!("lock {}", path.display()))(source));
            }
        }
        if began.elapsed() > PATIENCE {
            let pid = postmaster(&cluster.directory());
            return Err(Error::StillRunning {
                server: pid.map_or("of unknown id".to_owned(), |pid| format!("process {pid}")),
                directory: cluster.directory(),
                seconds: PATIENCE.as_secs(),
            });
        }
        // A guard that is alive has also stopped the server; a second signal changes nothing.
        message = message || stop(&cluster.directory());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    if began.elapsed() > Duration::from_millis(50) {
        tracing::info!(seconds = began.elapsed().as_secs_f32(), "waited for the previous PostgreSQL to stop");
    }
    forget_stale_pid(&cluster.directory())?;
    Ok(file)
}

/// Requests a fast shutdown if there is a process that can be the server. Returns whether there was one.
fn stop(cluster: &Path) -> bool {
    if let Some(pid) = postmaster(cluster)
        && works_in(pid, cluster) != Some(false)
    {
        tracing::info!(pid = pid.as_raw(), "stopping the PostgreSQL of the previous run");
        return kill(pid, Signal::SIGINT).is_ok();
    }
    false
}

/// Removes a `postmaster.pid` whose process id now belongs to another process, which PostgreSQL would take for a server.
///
/// In a container, the same process ids are used again at every start. A server that was started manually does not hold our
/// lock, but works in the cluster's folder; its file is kept.
fn forget_stale_pid(cluster: &Path) -> Result<()> {
    if let Some(pid) = postmaster(cluster)
        && works_in(pid, cluster) == Some(false)
    {
        let path = cluster.join("postmaster.pid");
        std::fs::remove_file(&path).map_err(io(format!("remove {}", path.display())))?;
    }
    Ok(())
}

/// The process that the cluster's `postmaster.pid` names.
fn postmaster(cluster: &Path) -> Option<Pid> {
    let content = std::fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
    let pid = content.lines().next()?.trim().parse().ok()?;
    (pid > 1).then(|| Pid::from_raw(pid))
}

/// Whether a process has the cluster as its working directory, as servers do; `None` if that cannot be determined.
fn works_in(pid: Pid, cluster: &Path) -> Option<bool> {
    let directory = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    Some(directory == cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_another_process_has_now_is_forgotten() {
        let cluster = tempfile::tempdir().expect("a folder");
        let file = cluster.path().join("postmaster.pid");
        std::fs::write(&file, format!("{}\n/else/where\n", std::process::id())).expect("a file");
        forget_stale_pid(cluster.path()).expect("removal");
        // On systems other than Linux, the owner of a process id cannot be determined.
        assert_eq!(file.exists(), !Path::new("/proc/self/cwd").exists());
    }

    #[test]
    fn the_file_of_a_manually_started_server_stays() {
        let cluster = std::env::current_dir().expect("a folder");
        assert_ne!(works_in(Pid::this(), &cluster), Some(false));
    }
}
