//! What is known about the way of a server to its installer: the files that it fetched, and where it can fetch them.

use crate::http::application::Application;
use crate::http::error::Error;
use crate::http::request::snapshot::Snapshot;
use crate::machines::dhcp::boot_file::BootSource;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::database::pool::Connection;
use bootledger_projections::rows::at::At;
use bootledger_projections::rows::catalogue;
use bootledger_projections::rows::deployments::{Deployment, Status};
use bootledger_projections::rows::installations::{self, Installation};

/// Whether the server's installation is in progress.
pub(super) fn is_installing(deployment: &Deployment) -> bool {
    deployment.status == Status::InProgress && deployment.installed_at.is_none()
}

/// How many seconds an installation like this one usually takes from its last file to DONE; `None` if the page does
/// not show it.
pub(super) async fn usual(
    connection: &mut Connection,
    deployment: &Deployment,
    installation: &Installation,
    at: At,
) -> Result<Option<i64>, Error> {
    match &installation.last_file {
        Some(file) if at == At::Now && is_installing(deployment) => {
            Ok(installations::usual_seconds(connection, &deployment.boot_image, file).await?)
        }
        _ => Ok(None),
    }
}

/// Whether the last file that the server fetched is a boot loader, which is not part of any image and precedes the script.
pub(super) async fn fetched_a_loader(
    connection: &mut Connection,
    deployment: &Deployment,
    installation: &Installation,
) -> Result<bool, Error> {
    let named = |file: &&Name| [".efi", ".kpxe", ".pxe", ".0"].iter().any(|end| file.as_str().ends_with(end));
    let Some(file) = installation.last_file.as_ref().filter(named).filter(|_| is_installing(deployment)) else {
        return Ok(false);
    };
    let image = catalogue::boot_image_revision(connection, &deployment.boot_image, deployment.boot_image_revision).await?;
    Ok(image.is_some_and(|image| !image.spec.files.contains_key(file)))
}

/// The ways in which a server of the signed chain can fetch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ways {
    /// Over TFTP, from the site's next server.
    pub(super) tftp: bool,
    /// Over HTTP, from the service; the GRUB of most distributions cannot continue from there.
    pub(super) http: bool,
}

/// The ways to the signed chain, for a deployment that uses it and whose server has fetched only a loader so far.
pub(super) async fn ways(
    snapshot: &mut Snapshot<'_>,
    application: &Application,
    deployment: &Deployment,
    installation: &Installation,
    loader: bool,
) -> Result<Option<Ways>, Error> {
    let at_its_beginning = is_installing(deployment) && (loader || installation.last_file.is_none());
    if deployment.boot_chain.is_ipxe() || !at_its_beginning || snapshot.at != At::Now {
        return Ok(None);
    }
    let site = catalogue::site(snapshot.connection(), &deployment.site, At::Now).await?;
    let tftp = site.is_some_and(|site| site.spec.next_server.is_some());
    Ok(Some(Ways { tftp, http: BootSource::of(application).has_signed_over_http() }))
}
