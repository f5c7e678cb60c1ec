//! The API for programs: `/api/v1`, JSON. [`crate::server::openapi`] generates its description. Each file has the routes of one noun.
//! Routes are written as full paths, so that they can be searched for.

pub mod boot_image_files;
pub mod boot_images;
pub mod boot_targets;
pub mod bulk_actions;
pub mod catalogue;
pub mod compare;
pub mod deployments;
pub mod devices;
pub mod dhcp_entries;
pub mod dhcp_servers;
pub mod dns_records;
pub mod dns_updates;
pub mod drift;
pub mod events;
pub mod image_library;
pub mod imports;
pub mod installer;
pub mod networks;
pub mod power;
pub mod racks;
pub mod reservations;
pub mod search;
pub mod secrets;
pub mod sessions;
pub mod sites;
pub mod tokens;
pub mod users;
pub mod ventures;
pub mod webhooks;

use actix_web::web::ServiceConfig;

/// Mounts every route of the API.
pub(crate) fn configure(config: &mut ServiceConfig) {
    devices::configure(config);
    power::configure(config);
    deployments::configure(config);
    installer::configure(config);
    sites::configure(config);
    drift::configure(config);
    racks::configure(config);
    networks::configure(config);
    reservations::configure(config);
    ventures::configure(config);
    boot_images::configure(config);
    boot_image_files::configure(config);
    image_library::configure(config);
    dhcp_servers::configure(config);
    bulk_actions::configure(config);
    imports::configure(config);
    dns_records::configure(config);
    dns_updates::configure(config);
    dhcp_entries::configure(config);
    boot_targets::configure(config);
    events::configure(config);
    compare::configure(config);
    tokens::configure(config);
    users::configure(config);
    sessions::configure(config);
    webhooks::configure(config);
    secrets::configure(config);
    search::configure(config);
}
