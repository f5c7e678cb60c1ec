//! The secrets that other entries refer to, by name. Their contents are not in the database.

use crate::error::Result;
use bootledger_aggregates::values::name::Name;
use sqlx::PgExecutor;

/// A secret that is referred to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The secret's name.
    pub secret: Name,
    /// What uses the secret, such as `site dc1`, `webhook chat` or `12 devices`.
    pub used_by: String,
}

impl Reference {
    /// Whether the secret holds the credentials of management controllers.
    pub fn is_of_devices(&self) -> bool {
        self.used_by
            .split_once(' ')
            .is_some_and(|(count, what)| count.bytes().all(|byte| byte.is_ascii_digit()) && matches!(what, "device" | "devices"))
    }
}

/// Every secret that is currently in use, by name.
///
/// # Errors
/// Returns `Error::Database` if the query fails, and `Error::Damaged` if a row cannot be parsed.
pub async fn in_use(executor: impl PgExecutor<'_>) -> Result<Vec<Reference>> {
    let rows = sqlx::query!(
        r#"SELECT spec #>> '{dns_updates,key,secret}' AS "secret!", 'site ' || key AS "used_by!"
             FROM catalogue
            WHERE kind = 'site' AND valid_to IS NULL AND NOT retired AND spec #>> '{dns_updates,key,secret}' IS NOT NULL
           UNION ALL
           SELECT spec #>> '{spec,secret}', 'webhook ' || key
             FROM catalogue
            WHERE kind = 'webhook' AND valid_to IS NULL AND NOT retired
           UNION ALL
           SELECT management_credentials, count(*) || CASE count(*) WHEN 1 THEN ' device' ELSE ' devices' END
             FROM devices
            WHERE valid_to IS NULL AND management_credentials IS NOT NULL AND NOT decommissioned
            GROUP BY management_credentials
           UNION ALL
           SELECT secret, 'setting ' || setting || ' of ' || owner
             FROM (SELECT s.value ->> 'secret' AS secret, s.key AS setting, 'site ' || c.key AS owner
                     FROM catalogue c, jsonb_each(c.spec -> 'settings') s
                    WHERE c.kind = 'site' AND c.valid_to IS NULL AND NOT c.retired
                   UNION ALL
                   SELECT s.value ->> 'secret', s.key, 'venture ' || c.key
                     FROM catalogue c, jsonb_each(c.spec #> '{spec,settings}') s
                    WHERE c.kind = 'venture' AND c.valid_to IS NULL AND NOT c.retired
                   UNION ALL
                   SELECT s.value ->> 'secret', s.key, 'role ' || c.key || '/' || r.key
                     FROM catalogue c, jsonb_each(c.spec -> 'roles') r, jsonb_each(r.value -> 'settings') s
                    WHERE c.kind = 'venture' AND c.valid_to IS NULL AND NOT c.retired
                   UNION ALL
                   SELECT s.value #>> '{default,secret}', s.key, 'boot image ' || c.key
                     FROM catalogue c, jsonb_each(c.spec #> '{spec,settings}') s
                    WHERE c.kind = 'boot_image' AND c.valid_to IS NULL AND NOT c.retired
                   UNION ALL
                   SELECT s.value ->> 'secret', s.key, count(*) || CASE count(*) WHEN 1 THEN ' device' ELSE ' devices' END
                     FROM devices d, jsonb_each(d.settings) s
                    WHERE d.valid_to IS NULL AND d.settings IS NOT NULL AND NOT d.decommissioned
                    GROUP BY 1, 2) AS referred
            WHERE secret IS NOT NULL
           ORDER BY 1, 2"#
    );
    let rows = rows.fetch_all(executor).await?;
    rows.into_iter().map(|row| Ok(Reference { secret: row.secret.parse()?, used_by: row.used_by })).collect()
}
