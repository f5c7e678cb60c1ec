//! Sites, racks, networks, DHCP servers, ventures, boot images, access tokens and webhooks.

use crate::at::At;
use crate::convert::inet;
use crate::error::{Error, Result};
use crate::pool::Connection;
use bootledger_aggregates::boot_image::BootImage;
use bootledger_aggregates::dhcp_server::DhcpServerSpec;
use bootledger_aggregates::network::NetworkSpec;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::secret::SecretSpec;
use bootledger_aggregates::site::SiteSpec;
use bootledger_aggregates::token::Scope;
use bootledger_aggregates::values::ParseError;
use bootledger_aggregates::values::ids::TokenId;
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::values::timestamp::Timestamp;
use bootledger_aggregates::venture::{RoleSpec, VentureSpec};
use bootledger_aggregates::webhook::WebhookSpec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::str::FromStr;
use utoipa::ToSchema;

/// Something of the catalogue, its description as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Item {
    /// Its key among those of its kind.
    pub key: String,
    /// How many events it has had.
    pub sequence: i64,
    /// Its description; the kind says of which form.
    #[schema(value_type = Object)]
    pub spec: serde_json::Value,
    /// Whether it is out of use.
    pub retired: bool,
}

/// Something of the catalogue, its description read.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Entry<T, K = Name> {
    /// Its key among those of its kind.
    pub key: K,
    /// How many events it has had.
    pub sequence: i64,
    /// Whether it is out of use.
    pub retired: bool,
    /// Its description.
    pub spec: T,
}

/// A venture with its roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VentureView {
    /// The venture.
    pub spec: VentureSpec,
    /// Its roles by name.
    pub roles: BTreeMap<Name, RoleSpec>,
}

/// A DHCP server with what it last reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DhcpServerView {
    /// The server.
    pub spec: DhcpServerSpec,
    /// The configuration that it runs.
    pub confirmed: Option<Confirmed>,
    /// The configuration that it could not use, since its last confirmation.
    pub failing: Option<Failing>,
}

/// The configuration that a DHCP server runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Confirmed {
    /// Hash of its bytes.
    pub revision: Sha256,
    /// The position of the log that it was rendered at.
    pub position: i64,
    /// When the server said so.
    pub at: Timestamp,
}

/// A configuration that a DHCP server could not use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failing {
    /// Hash of its bytes, where it was fetched.
    pub revision: Option<Sha256>,
    /// What was said.
    pub message: Text,
    /// When the server said so.
    pub at: Timestamp,
}

/// An access token; its secret is nowhere in the views.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// For people; the actor's name in events.
    pub name: Text,
    /// What its bearer may do.
    pub scope: Scope,
    /// When it ends; never, where `None`.
    pub expires: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A webhook; how far it is, [`crate::webhooks`] tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WebhookView {
    /// The webhook.
    pub spec: WebhookSpec,
    /// Where it begins.
    pub begins: Beginning,
    /// Since when it is told nothing; `None` where it is.
    pub paused: Option<Paused>,
}

/// Where a webhook begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Beginning {
    /// Behind this position.
    pub after: i64,
    /// The position of the event that said so.
    pub set_at: i64,
}

/// A webhook is told nothing for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Paused {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: Text,
}

impl Item {
    /// The item with its description read.
    pub fn read<T: DeserializeOwned>(self) -> Result<Entry<T>> {
        self.read_as()
    }

    /// The same, for a kind whose keys are no names.
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

/// The item of a kind (`site`, `rack`, `network`, `dhcp_server`, `venture`, `boot_image`, `token`, `user`, `session`, `webhook`, `secret`)
/// with a key.
pub async fn find(executor: impl PgExecutor<'_>, kind: &str, key: &str, at: At) -> Result<Option<Item>> {
    Ok(items!(at, "kind = $2 AND key = $3", kind, key).fetch_optional(executor).await?)
}

/// Up to `limit` items of a kind by key, behind `after`, with `q` in key or description. Retired ones are among them.
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
        pub async fn $function(executor: impl PgExecutor<'_>, key: &Name, at: At) -> Result<Option<Entry<$spec>>> {
            find(executor, $kind, key.as_str(), at).await?.map(Item::read).transpose()
        }
    };
}

typed!(
    /// The site of this code.
    site, "site", SiteSpec
);
typed!(
    /// The rack of this name.
    rack, "rack", RackSpec
);
typed!(
    /// The network of this name.
    network, "network", NetworkSpec
);
typed!(
    /// The DHCP server of this name.
    dhcp_server, "dhcp_server", DhcpServerView
);
typed!(
    /// The venture of this name.
    venture, "venture", VentureView
);
typed!(
    /// The boot image of this name, at its latest revision.
    boot_image, "boot_image", BootImage
);

typed!(
    /// The webhook of this name.
    webhook, "webhook", WebhookView
);
typed!(
    /// The scope of the secret of this name.
    secret, "secret", SecretSpec
);

/// The access token of this id.
pub async fn token(executor: impl PgExecutor<'_>, id: TokenId, at: At) -> Result<Option<Entry<TokenView>>> {
    find(executor, "token", &id.to_string(), at).await?.map(Item::read).transpose()
}

/// Every site in use, by code.
pub async fn sites(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<SiteSpec>>> {
    read_all(items!(at, "kind = 'site' AND NOT retired ORDER BY key").fetch_all(executor).await?)
}

/// Every webhook in use, by name.
pub async fn webhooks(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<WebhookView>>> {
    read_all(items!(at, "kind = 'webhook' AND NOT retired ORDER BY key").fetch_all(executor).await?)
}

/// Every network in use, by name.
pub async fn networks(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<NetworkSpec>>> {
    read_all(items!(at, "kind = 'network' AND NOT retired ORDER BY key").fetch_all(executor).await?)
}

/// Every rack in use, by name.
pub async fn racks(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<RackSpec>>> {
    read_all(items!(at, "kind = 'rack' AND NOT retired ORDER BY key").fetch_all(executor).await?)
}

/// Every venture in use, by name.
pub async fn ventures(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<VentureView>>> {
    read_all(items!(at, "kind = 'venture' AND NOT retired ORDER BY key").fetch_all(executor).await?)
}

/// The venture and its ancestors that are in use, nearest first; empty where it is not.
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

/// What servers of a role boot: the role's default image, else the venture's, else its ancestors'.
pub fn inherited_image(lineage: &[Entry<VentureView>], role: Option<&Name>) -> Option<Name> {
    let of_role = role.and_then(|role| lineage.first()?.spec.roles.get(role)?.default_boot_image.clone());
    of_role.or_else(|| lineage.iter().find_map(|entry| entry.spec.spec.default_boot_image.clone()))
}

/// Every boot image at its latest revision, by name; retired ones are among them.
pub async fn boot_images(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<BootImage>>> {
    read_all(items!(at, "kind = 'boot_image' ORDER BY key").fetch_all(executor).await?)
}

/// The DHCP servers in use of a site, by name.
pub async fn dhcp_servers_of(executor: impl PgExecutor<'_>, site: &Name, at: At) -> Result<Vec<Entry<DhcpServerView>>> {
    let rows = items!(at, "kind = 'dhcp_server' AND NOT retired AND spec -> 'spec' ->> 'site' = $2 ORDER BY key", site.as_str());
    read_all(rows.fetch_all(executor).await?)
}

/// Every DHCP server in use, by name.
pub async fn dhcp_servers(executor: impl PgExecutor<'_>, at: At) -> Result<Vec<Entry<DhcpServerView>>> {
    read_all(items!(at, "kind = 'dhcp_server' AND NOT retired ORDER BY key").fetch_all(executor).await?)
}

/// The network in use that an address lies in.
pub async fn network_of(executor: impl PgExecutor<'_>, ip: Ipv4Addr, at: At) -> Result<Option<Entry<NetworkSpec>>> {
    let row = items!(
        at,
        "kind = 'network' AND NOT retired AND (spec ->> 'cidr')::inet >>= $2
         ORDER BY masklen((spec ->> 'cidr')::inet) DESC LIMIT 1",
        inet(ip)
    );
    row.fetch_optional(executor).await?.map(Item::read).transpose()
}

/// A boot image as it was at a revision, whatever came later.
pub async fn boot_image_revision(executor: impl PgExecutor<'_>, key: &Name, revision: i32) -> Result<Option<Entry<BootImage>>> {
    let row = sqlx::query_as!(
        Item,
        "SELECT key, sequence, spec, retired FROM catalogue
         WHERE kind = 'boot_image' AND key = $1 AND (spec ->> 'revision')::integer = $2
         ORDER BY valid_from LIMIT 1",
        key.as_str(),
        revision
    );
    row.fetch_optional(executor).await.map_err(Error::from)?.map(Item::read).transpose()
}

/// Every revision of a boot image with its position, the newest first, up to `limit`.
pub async fn boot_image_revisions(
    executor: impl PgExecutor<'_>,
    key: &Name,
    at: At,
    limit: i64,
) -> Result<Vec<(i64, Entry<BootImage>)>> {
    let rows = sqlx::query!(
        "SELECT key, sequence, spec, retired, valid_from FROM catalogue
         WHERE kind = 'boot_image' AND key = $1 AND ($2::bigint IS NULL OR valid_from <= $2) ORDER BY valid_from DESC LIMIT $3",
        key.as_str(),
        at.position(),
        limit
    );
    let item = |key, sequence, spec, retired| Item { key, sequence, spec, retired };
    let rows = rows.fetch_all(executor).await?.into_iter();
    rows.map(|row| Ok((row.valid_from, item(row.key, row.sequence, row.spec, row.retired).read()?))).collect()
}

/// Whether a site or network changed after a position.
pub async fn places_changed_since(executor: impl PgExecutor<'_>, position: i64) -> Result<bool> {
    let changed = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM catalogue WHERE kind IN ('site', 'network') AND valid_from > $1) AS "changed!""#,
        position
    );
    Ok(changed.fetch_one(executor).await?)
}
