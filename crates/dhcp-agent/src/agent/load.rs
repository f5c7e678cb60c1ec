//! How the server gets a new configuration: single hosts are changed, or the whole file is checked, replaced and read.

use super::super::disk::{self, Loaded};
use super::super::kea::Changes;
use super::Agent;
use anyhow::Result;
use bootledger_aggregates::values::sha256::Sha256;
use std::time::Duration;
use tokio::time::Instant;

/// The maximum number of hosts that are changed one by one. For more, reading the whole file takes less time.
const MOST_CHANGES: usize = 1_000;

/// The result of changing single hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changed {
    /// The server runs the new configuration.
    All,
    /// The server runs the same configuration as before.
    Nothing,
    /// It is unknown which configuration the server runs.
    Unclear,
}

impl Agent {
    /// Makes the server run these bytes. The inner error is why it does not; the server then runs what it ran before.
    pub(super) async fn load(&mut self, bytes: &[u8], revision: Sha256) -> Result<Result<(), String>> {
        let changed = self.change(bytes, revision).await?;
        if changed == Changed::All {
            return Ok(Ok(()));
        }
        let file = match self.server.file(bytes, revision).await? {
            Ok(file) => file,
            Err(said) => return self.refused(said, changed).await,
        };
        let candidate = self.disk.write_candidate(&file)?;
        if let Err(said) = self.server.check(&file, candidate).await? {
            self.disk.drop_candidate()?;
            return self.refused(said, changed).await;
        }
        // From here until the server has loaded a file, it is unknown what it runs.
        self.disk.forget()?;
        let before = self.disk.accept_candidate()?;
        let Err(said) = self.server.reload(Some(revision)).await? else {
            let loaded = Loaded { revision, file: disk::revision(&file), confirmed: None };
            self.disk.note(loaded)?;
            self.loaded = Some(loaded);
            self.server.serves(bytes, revision);
            return Ok(Ok(()));
        };
        let had = self.loaded.take();
        if !self.disk.restore(before)? {
            return Ok(Err(said));
        }
        // A file that was not known to be loaded before is not known to be a revision of the service either.
        let restored = self.disk.revision()?;
        let known = had.filter(|had| Some(had.file) == restored);
        if let Err(again) = self.server.reload(known.map(|known| known.revision)).await? {
            return Ok(Err(format!("{said}; and the old configuration cannot be loaded either: {again}")));
        }
        if let Some(known) = known {
            self.disk.note(known)?;
            self.loaded = Some(known);
        }
        Ok(Err(said))
    }

    /// Makes the server change single hosts, if only hosts have changed, and updates its file to match. The checker is not run:
    /// the rest of the file is unchanged, and the server has accepted each host.
    async fn change(&mut self, bytes: &[u8], revision: Sha256) -> Result<Changed> {
        let Some(had) = self.loaded else { return Ok(Changed::Nothing) };
        let Some(served) = self.server.served_text(had.revision) else { return Ok(Changed::Nothing) };
        let begun = Instant::now();
        let changes = std::str::from_utf8(bytes).ok().and_then(|new| Changes::between(&served, new));
        let Some(changes) = changes.filter(|changes| changes.count() <= MOST_CHANGES) else { return Ok(Changed::Nothing) };
        self.disk.forget_soon()?;
        if let Err(said) = self.server.change(&changes, revision).await {
            tracing::warn!(said, "the server refused a change of single reservations; it reads its whole file instead");
            return Ok(Changed::Unclear);
        }
        tracing::info!(
            changes = changes.count(),
            milliseconds = begun.elapsed().as_secs_f64() * 1e3,
            "the server runs changed reservations"
        );
        // If a later step fails, nothing is known to be loaded, and the whole file is loaded next.
        self.loaded = None;
        let Ok(file) = self.server.file(bytes, revision).await? else { return Ok(Changed::Unclear) };
        self.disk.write_candidate(&file)?;
        self.disk.accept_candidate()?;
        let loaded = Loaded { revision, file: disk::revision(&file), confirmed: None };
        self.disk.note(loaded)?;
        self.loaded = Some(loaded);
        self.server.serves(bytes, revision);
        self.settled = Duration::ZERO;
        Ok(Changed::All)
    }

    /// A configuration is rejected before it was put in place. If some hosts have changed by then, the server reads its old
    /// file again.
    async fn refused(&mut self, said: String, changed: Changed) -> Result<Result<(), String>> {
        if changed != Changed::Unclear {
            return Ok(Err(said));
        }
        let had = self.loaded.take();
        if let Err(again) = self.server.reload(had.map(|had| had.revision)).await? {
            return Ok(Err(format!("{said}; and the old configuration cannot be loaded either: {again}")));
        }
        if let Some(had) = had {
            self.disk.note(had)?;
            self.loaded = Some(had);
        }
        Ok(Err(said))
    }
}
