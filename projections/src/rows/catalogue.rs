//! The catalogue: sites, racks, networks, DHCP servers, ventures, boot images, access tokens, users and webhooks.

mod boot_images;
mod views;

pub use boot_images::{boot_image_revision, boot_image_revisions, inherited_image};
pub use views::{Beginning, Confirmed, DhcpServerView, Failing, Paused, SavedViewView, TokenView, VentureView, WebhookView};

use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;
use crate::rows::convert::inet;
use bootledger_aggregates::boot_image::BootImage;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::secret::SecretSpec;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::values::ParseError;
use bootledger_aggregates::values::ids::{SavedViewId, TokenId};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::text::Text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgExecutor;
use std::net::Ipv4Addr;
use std::str::FromStr;
use utoipa::ToSchema;

/// An entry of the catalogue, with its description as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Item {
    /// The entry's key, unique among entries of its kind.
    pub key: String,
    /// How many events the entry has.
    pub sequence: i64,
    /// The entry's description; its form depends on the kind.
    #[schema(value_type = Object)]
    pub spec: serde_json::Value,
    /// Whether the entry is retired.
    pub retired: bool,
}

/// An entry of the catalogue, with its description parsed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Entry<T, K = Name> {
    /// The entry's key, unique among entries of its kind.
    pub key: K,
    /// How many events the entry has.
    pub sequence: i64,
    /// Whether the entry is retired.
    pub retired: bool,
    /// The entry's description.
    pub spec: T,
}

impl Item {
    /// The item, with its description parsed.
    ///
    /// # Errors
    /// Returns `Error::DamagedJson` if the description is not that of a `T`, and `Error::Damaged` if the key is not a name.
    pub fn read<T: DeserializeOwned>(self) -> Result<Entry<T>> {
        self.read_as()
    }

    /// The same as [`read`](Self::read), for a kind whose keys are not names.
    ///
    /// # Errors
    /// Returns `Error::DamagedJson` if the description is not that of a `T`, and `Error::Damaged` if the key is not a `K`.
    pub fn read_as<T: DeserializeOwned, K: FromStr<Err = ParseError>>(self) -> Result<Entry<T, K>> {
        let spec = serde_json::from_value(self.spec)?;
        Ok(Entry { key: self.key.parse()?, sequence: self.sequence, retired: self.retired, spec })
    }
}

macro_rules! items {
    ($at:expr, $condition:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Item,
            "SELECT key, sequence, spec, retired FROM catalogue
             WHERE (($1::bigint IS NULL AND valid_to IS NULL)
                    OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1))) AND " + $condition,
            $at.position() $(, $argument)*
        )
    };
}

fn read_all<T: DeserializeOwned>(items: Vec<Item>) -> Result<Vec<Entry<T>>> {
    items.into_iter().map(Item::read).collect()
}

/// The item with this key of a kind: `site`, `rack`, `network`, `dhcp_server`, `venture`, `boot_image`, `token`, `user`,
/// `session`, `webhook`, `secret` or `saved_view`.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn find(executor: impl PgExecutor<'_>, kind: &str, key: &str, at: At) -> Result<Option<Item>> {
    Ok(items!(at, "kind = $2 AND key = $3", kind, key).fetch_optional(executor).await?)
}

/// Up to `limit` items of a kind by key, after the cursor `after`, with `q` in key or description. The list includes retired
/// items.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn list(
    executor: impl PgExecutor<'_>,
    kind: &str,
    at: At,
    after: Option<&str>,
    limit: i64,
    q: Option<&str>,
) -> Result<Vec<Item>> {
    let rows = items!(
        at,
        "kind = $2 AND ($3::text IS NULL OR key > $3)
         AND ($5::text IS NULL OR strpos(lower(key || ' ' || spec::text), lower($5)) > 0)
         ORDER BY key LIMIT $4",
        kind,
        after,
        limit,
        q
    );
    Ok(rows.fetch_all(executor).await?)
}

macro_rules! typed {
    ($(#[$doc:meta])* $function:ident, $kind:literal, $spec:ty) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if the row cannot be parsed.
        pub async fn $function(executor: impl PgExecutor<'_>, key: &Name, at: At) -> Result<Option<Entry<$spec>>> {
            find(executor, $kind, key.as_str(), at).await?.map(Item::read).transpose()
        }
    };
}

typed!(
    /// The site with this code.
    site, "site", SiteSpec
);
typed!(
    /// The rack with this name.
    rack, "rack", RackSpec
);
typed!(
    /// The network with this name.
    network, "network", NetworkSpec
);
typed!(
    /// The DHCP server with this name.
    dhcp_server, "dhcp_server", DhcpServerView
);
typed!(
    /// The venture with this name.
    venture, "venture", VentureView
);
typed!(
    /// The boot image with this name, at its latest revision.
    boot_image, "boot_image", BootImage
);
typed!(
    /// The webhook with this name.
    webhook, "webhook", WebhookView
);
typed!(
    /// The scope of the secret with this name.
    secret, "secret", SecretSpec
);

/// The access token with this id.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn token(executor: impl PgExecutor<'_>, id: TokenId, at: At) -> Result<Option<Entry<TokenView>>> {
    find(executor, "token", &id.to_string(), at).await?.map(Item::read).transpose()
}

/// The access tokens with this name that are not revoked.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn tokens_called(executor: impl PgExecutor<'_>, name: &str, at: At) -> Result<Vec<Entry<TokenView>>> {
    read_all(items!(at, "kind = 'token' AND NOT retired AND spec ->> 'name' = $2", name).fetch_all(executor).await?)
}

/// Every site in use, by code.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn sites(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<SiteSpec>>> {
    read_all(items!(at, "kind = 'site' AND NOT retired ORDER BY key").fetch_all(executor).await?)
}

/// Every webhook in use, by name.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn webhooks(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<WebhookView>>> {
    read_all(items!(at, "kind = 'webhook' AND NOT retired ORDER BY key").fetch_all(executor).await?)
}

/// The scope of every secret in use, by name.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn secrets(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<SecretSpec>>> {
    read_all(items!(at, "kind = 'secret' AND NOT retired ORDER BY key").fetch_all(executor).await?)
}

/// The saved views of a list that are offered to a user or token: its own ones first, then those that others share. By name.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn saved_views(
    executor: impl PgExecutor<'_>,
    list: &str,
    owner: &Text,
    at: At,
) -> Result<Vec<Entry<SavedViewView, SavedViewId>>> {
    let rows = items!(
        at,
        "kind = 'saved_view' AND NOT retired AND spec -> 'spec' ->> 'list' = $2
         AND (spec ->> 'owner' = $3 OR spec -> 'spec' ->> 'shared' = 'true')
         ORDER BY spec ->> 'owner' <> $3, lower(spec -> 'spec' ->> 'name'), key LIMIT 500",
        list,
        owner.as_str()
    );
    rows.fetch_all(executor).await?.into_iter().map(Item::read_as).collect()
}

/// Every saved view of a user or token.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn saved_views_of(
    executor: impl PgExecutor<'_>,
    owner: &Text,
    at: At,
) -> Result<Vec<Entry<SavedViewView, SavedViewId>>> {
    let rows = items!(at, "kind = 'saved_view' AND NOT retired AND spec ->> 'owner' = $2 ORDER BY key", owner.as_str());
    rows.fetch_all(executor).await?.into_iter().map(Item::read_as).collect()
}

/// Every network in use, by name.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn networks(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<NetworkSpec>>> {
    read_all(items!(at, "kind = 'network' AND NOT retired ORDER BY key").fetch_all(executor).await?)
}

/// Every rack in use, by name.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn racks(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<RackSpec>>> {
    read_all(items!(at, "kind = 'rack' AND NOT retired ORDER BY key").fetch_all(executor).await?)
}

/// Every venture in use, by name.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn ventures(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<VentureView>>> {
    read_all(items!(at, "kind = 'venture' AND NOT retired ORDER BY key").fetch_all(executor).await?)
}

/// The venture and its ancestors that are in use, nearest first; empty if the venture is not in use.
///
/// # Errors
/// Returns `Error::Database` if a query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn lineage(connection: &mut Connection, venture: &Name, at: At) -> Result<Vec<Entry<VentureView>>> {
    let mut lineage: Vec<Entry<VentureView>> = vec![];
    let mut next = Some(venture.clone());
    while let Some(name) = next.filter(|name| lineage.iter().all(|entry| entry.key != *name)) {
        let Some(entry) = self::venture(&mut *connection, &name, at).await?.filter(|entry| !entry.retired) else { break };
        let parent = entry.spec.spec.parent.clone();
        lineage.push(entry);
        next = parent;
    }
    Ok(lineage)
}

/// Every boot image at its latest revision, by name, including retired images.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn boot_images(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<BootImage>>> {
    read_all(items!(at, "kind = 'boot_image' ORDER BY key").fetch_all(executor).await?)
}

/// The DHCP servers in use at a site, by name.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn dhcp_servers_of(executor: impl PgExecutor<'_>, site: &Name, at: At) -> Result<Vec<Entry<DhcpServerView>>> {
    let rows = items!(at, "kind = 'dhcp_server' AND NOT retired AND spec -> 'spec' ->> 'site' = $2 ORDER BY key", site.as_str());
    read_all(rows.fetch_all(executor).await?)
}

/// Every DHCP server in use, by name.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn dhcp_servers(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<DhcpServerView>>> {
    read_all(items!(at, "kind = 'dhcp_server' AND NOT retired ORDER BY key").fetch_all(executor).await?)
}

/// The network in use that contains an address.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
pub async fn network_of(executor: impl PgExecutor<'_>, ip: Ipv4Addr, at: At) -> Result<Option<Entry<NetworkSpec>>> {
    let row = items!(
        at,
        "kind = 'network' AND NOT retired AND (spec ->> 'cidr')::inet >>= $2
         ORDER BY masklen((spec ->> 'cidr')::inet) DESC LIMIT 1",
        inet(ip)
    );
    row.fetch_optional(executor).await?.map(Item::read).transpose()
}

/// Whether a site or network changed after a position.
///
/// # Errors
/// Returns `Error::Database` if the query fails.
pub async fn places_changed_since(executor: impl PgExecutor<'_>, position: i64) -> Result<bool> {
    let changed = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM catalogue WHERE kind IN ('site', 'network') AND valid_from > $1) AS "changed!""#,
        position
    );
    Ok(changed.fetch_one(executor).await?)
}
