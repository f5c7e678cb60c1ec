//! A webhook with its progress, as the pages show it.

use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_projections::progress::webhooks::{self, Delivery};
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue::{self, Entry, Item, WebhookView};

/// The path of the list.
pub(super) const PATH: &str = "/settings/webhooks";

/// A webhook and the progress of its deliveries, which is known only for the present and for webhooks in use.
pub(super) struct Shown {
    pub(super) entry: Entry<WebhookView>,
    pub(super) delivery: Option<Delivery>,
}

impl Shown {
    pub(super) async fn of(item: Item, snapshot: &mut Snapshot<'_>, now: Timestamp) -> Result<Self, Error> {
        let entry: Entry<WebhookView> = item.read()?;
        let mut delivery = None;
        if !entry.retired && snapshot.at == At::Now {
            let position = snapshot.position;
            delivery = Some(webhooks::delivery(snapshot.connection(), &entry.key, &entry.spec, position, now).await?);
        }
        Ok(Self { entry, delivery })
    }

    pub(super) async fn find(key: &Name, snapshot: &mut Snapshot<'_>, now: Timestamp) -> Result<Self, Error> {
        let at = snapshot.at;
        let item = catalogue::find(snapshot.connection(), "webhook", key.as_str(), at).await?;
        Self::of(item.ok_or_else(|| Error::NotFound(format!("there is no webhook {key}")))?, snapshot, now).await
    }
}
