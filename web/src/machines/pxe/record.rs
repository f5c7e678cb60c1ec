//! Decides what is recorded as served: not what was recorded within the last minute, and not a loader that looks like a file of
//! the boot image.

use super::recorder::Served;
use super::service::BootService;
use super::table::Lookup;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use sha2::Digest;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

/// Queues the record of a file that a server received, unless the same was recorded within the last minute.
pub(super) async fn given(service: &BootService, served: Served) {
    let recorder = &service.table.recorder;
    let news = recorder.is_news(served.deployment, &served.file, served.sha256, service.table.seconds());
    if news || served.then_disk {
        recorder.enqueue(served).await;
    }
}

/// Records a boot loader that the server at this address received, if its deployment is in progress, like any other file:
/// firmware that fetches a loader and refuses to start it is noticed only by what it does not fetch afterwards.
pub(super) async fn loader_given(service: &BootService, client: Ipv4Addr, name: &str, file: &Arc<File>) {
    let Lookup::Target(target) = service.table.of_ip(client) else { return };
    // The name without its folder; a name that the log cannot store is not recorded.
    let Ok(name) = name.rsplit('/').next().unwrap_or(name).parse::<Name>() else { return };
    if target.image.files.contains_key(&name) {
        // The record would look like one of the image's own file.
        return;
    }
    let file = Arc::clone(file);
    let Ok(Ok(sha256)) = tokio::task::spawn_blocking(move || hash_of(&file)).await else { return };
    let (deployment, at) = (target.identity.deployment, (service.application.now)());
    given(service, Served { deployment, file: name, sha256, client, at, then_disk: false }).await;
}

/// How many hashes of loaders are kept.
const HASHES: usize = 64;

/// The hash of a loader. Hundreds of servers may fetch the same one in a minute, so it is kept while the file does not change.
fn hash_of(file: &File) -> io::Result<Sha256> {
    type Key = (u64, u64, SystemTime, u64);
    static KNOWN: LazyLock<Mutex<HashMap<Key, Sha256>>> = LazyLock::new(Mutex::default);
    let metadata = file.metadata()?;
    let key = (metadata.dev(), metadata.ino(), metadata.modified()?, metadata.len());
    if let Some(known) = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(*known);
    }
    let (mut hash, mut part, mut place) = (sha2::Sha256::new(), vec![0; 64 * 1024], 0);
    loop {
        let read = file.read_at(&mut part, place)?;
        if read == 0 {
            break;
        }
        hash.update(part.get(..read).unwrap_or_default());
        place += read as u64;
    }
    let sha256 = Sha256::new(hash.finalize().into());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= HASHES {
        known.clear();
    }
    known.insert(key, sha256);
    Ok(sha256)
}
