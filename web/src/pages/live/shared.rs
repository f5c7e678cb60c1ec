//! The content of streams with the same path, rendered once for all of them.

use super::recent::Recent;
use super::{Region, Render, State};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use actix_web::HttpRequest;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex as Immediate, PoisonError};
use tokio::sync::Mutex;

/// How many paths are remembered before those without a reader are removed.
const MOST: usize = 500;
/// How many of the latest entries a page gets.
const TOUCHES: usize = 300;

/// The state of a page as of a position.
pub(super) struct Shown {
    pub(super) position: i64,
    pub(super) regions: Vec<(Region, u64)>,
    pub(super) rows: Vec<uuid::Uuid>,
}

type Slot = Arc<Mutex<Option<Arc<Shown>>>>;

/// The states by key.
#[derive(Default)]
pub(super) struct Sharing(Immediate<HashMap<String, Slot>>);

impl Sharing {
    /// The state of a page as of `wanted` or later.
    pub(super) async fn state(
        &self,
        backend: &mut Backend,
        recent: &Recent,
        key: &str,
        wanted: i64,
        render: &Render,
    ) -> Result<Arc<Shown>, Error> {
        let slot = self.slot(key);
        // The lock is held while the state is rendered: other streams of the same path wait for it instead of
        // repeating the queries.
        let mut held = slot.lock().await;
        if let Some(shown) = held.as_ref().filter(|shown| shown.position >= wanted) {
            return Ok(shown.clone());
        }
        let touches = recent.newest(TOUCHES).await;
        let snapshot = backend.read_now().await?;
        let position = snapshot.position;
        let State { regions, rows } = render(snapshot, touches).await?;
        let hashed =
            regions.into_iter().map(|region| (hash(&region.html.0), region)).map(|(hash, region)| (region, hash)).collect();
        let shown = Arc::new(Shown { position, regions: hashed, rows });
        *held = Some(shown.clone());
        Ok(shown)
    }

    fn slot(&self, key: &str) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() > MOST {
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        slots.entry(key.to_owned()).or_default().clone()
    }
}

/// The hash by which a region is compared.
pub(super) fn hash(html: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    html.hash(&mut hasher);
    hasher.finish()
}

/// The key of what a stream shows, independent of what its client has received: its path without the numbers at its end,
/// and its query.
pub(super) fn key(request: &HttpRequest) -> String {
    let path = request.path();
    let path = path.rsplit_once("/live").map_or(path, |(path, _)| path);
    format!("{path}?{}", request.query_string())
}
