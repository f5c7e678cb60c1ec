//! Boot images and their revisions.

use super::views::VentureView;
use super::{Entry, Item};
use crate::error::{Error, Result};
use crate::rows::at::At;
use bootledger_aggregates::boot_image::BootImage;
use bootledger_aggregates::values::name::Name;
use sqlx::PgExecutor;

/// The boot image for servers of a role: the role's default image, otherwise the venture's, otherwise its nearest ancestor's.
pub fn inherited_image(lineage: &[Entry<VentureView>], role: Option<&Name>) -> Option<Name> {
    let of_role = role.and_then(|role| lineage.first()?.spec.roles.get(role)?.default_boot_image.clone());
    of_role.or_else(|| lineage.iter().find_map(|entry| entry.spec.spec.default_boot_image.clone()))
}

/// A boot image as it was at a revision, regardless of later ones.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
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

/// Up to `limit` revisions of a boot image with their positions, the newest first.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` or `Error::DamagedJson` if a row cannot be parsed.
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
