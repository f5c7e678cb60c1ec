//! The catalogue: reservations of addresses, networks, racks, sites, zones, DHCP servers, ventures, roles, boot images, webhooks and users.
//!
//! It is small, so its current rows are read in full. Only fields that people know objects by are searched, never settings, the
//! URLs of webhooks or the names of JSON fields.

use super::{Extent, Group, Hit, Kind, MOST, Terms};
use crate::database::pool::Connection;
use crate::error::Result;
use crate::rows::at::At;
use ipnet::IpNet;

/// The kinds as the table contains them. Zones are parts of sites, and roles are parts of ventures. A reservation that ended is
/// not found: the page of its address shows it.
const KINDS: [(&str, Kind); 11] = [
    ("reservation", Kind::Reservation),
    ("network", Kind::Network),
    ("rack", Kind::Rack),
    ("site", Kind::Site),
    ("zone", Kind::Zone),
    ("dhcp_server", Kind::DhcpServer),
    ("venture", Kind::Venture),
    ("role", Kind::Role),
    ("boot_image", Kind::BootImage),
    ("webhook", Kind::Webhook),
    ("user", Kind::User),
];

/// The groups of objects with the text in their keys or descriptions, and the networks that contain or are within an address
/// range, the smallest first.
pub(super) async fn find(connection: &mut Connection, terms: &Terms, at: At, extent: Extent) -> Result<Vec<Group>> {
    let kinds: Vec<String> =
        KINDS.iter().filter(|(_, kind)| extent.users || *kind != Kind::User).map(|(text, _)| (*text).to_owned()).collect();
    let rows = sqlx::query!(
        r#"WITH current AS (
             SELECT kind, key, spec FROM catalogue
              WHERE (($1::bigint IS NULL AND valid_to IS NULL) OR (valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)))
                AND kind = ANY($2) AND (kind <> 'reservation' OR NOT retired)
           ), entries AS (
             SELECT kind, key, CASE WHEN kind = 'reservation' THEN spec ->> 'network' END AS parent,
                    CASE kind
                      WHEN 'reservation' THEN spec -> 'spec' ->> 'note'
                      WHEN 'rack' THEN concat_ws(', ', spec ->> 'site', nullif(spec ->> 'description', ''))
                      WHEN 'network' THEN concat_ws(', ', spec ->> 'cidr', 'VLAN ' || (spec ->> 'vlan'), spec ->> 'site')
                      WHEN 'user' THEN spec ->> 'display_name'
                      ELSE concat_ws(', ', spec ->> 'name', spec ->> 'domain', spec -> 'spec' ->> 'address',
                                     spec -> 'spec' ->> 'site',
                                     nullif(coalesce(spec ->> 'description', spec -> 'spec' ->> 'description'), ''))
                    END AS detail,
                    CASE WHEN kind = 'network' THEN (spec ->> 'cidr')::inet END AS cidr,
                    CASE WHEN kind = 'network' THEN spec ->> 'vlan' END AS vlan
               FROM current
             UNION ALL
             SELECT 'role', role.key, c.key, coalesce(role.value ->> 'description', ''), NULL, NULL
               FROM current AS c CROSS JOIN LATERAL jsonb_each(c.spec -> 'roles') AS role WHERE c.kind = 'venture'
             UNION ALL
             SELECT 'zone', coalesce(zone.value ->> 'name', zone.value #>> '{}'), c.key, '', NULL, NULL
               FROM current AS c CROSS JOIN LATERAL jsonb_array_elements(c.spec -> 'zones') AS zone WHERE c.kind = 'site'
           ), matching AS (
             SELECT kind, key, parent, detail, cidr,
                    CASE WHEN lower(key) = $3 OR cidr = $4::inet OR vlan = $3 THEN 0
                         WHEN starts_with(lower(key), $3) OR cidr && $4::inet THEN 1 ELSE 2 END AS rank
               FROM entries
              WHERE strpos(lower(key || ' ' || detail), $3) > 0 OR cidr && $4::inet
           ), placed AS (
             SELECT *, count(*) OVER (PARTITION BY kind) AS matches,
                    row_number() OVER (PARTITION BY kind ORDER BY rank, masklen(cidr) DESC NULLS LAST, key) AS place
               FROM matching
           )
           SELECT kind AS "kind!", key AS "key!", parent, detail AS "detail!", rank AS "rank!", matches AS "matches!"
             FROM placed WHERE place <= $5 ORDER BY kind, place"#,
        at.position(),
        &kinds,
        terms.lower,
        terms.addresses().map(IpNet::V4),
        i64::try_from(extent.each).unwrap_or(MOST)
    );
    let rows = rows.fetch_all(connection).await?;
    let mut groups = vec![];
    for (text, kind) in KINDS {
        let of_kind = rows.iter().filter(|row| row.kind == text);
        let matches = of_kind.clone().next().map_or(0, |row| row.matches);
        let hits = of_kind.map(|row| Hit {
            kind,
            key: row.key.clone(),
            parent: row.parent.clone(),
            label: row.key.clone(),
            detail: row.detail.clone(),
            exact: row.rank == 0,
        });
        groups.extend(Group::of(kind, hits.collect(), usize::try_from(matches).unwrap_or(0), extent.each));
    }
    Ok(groups)
}
