//! The description of the routes for machines: servers that boot, DHCP servers and their agents, and DNS servers.
//!
//! In these routes one handler serves several paths, and some paths differ from others only by a slash. So they are described
//! here and not at their handlers. A test compares these paths with the routes.

#![expect(dead_code, reason = "the macro makes a description of each function, and none is called")]

use crate::http::error::problem::Problem;
use crate::machines::dhcp::routes::Confirmation;
use bootledger_port::Receipt;
use utoipa::ToSchema;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder, Schema};

/// Returns the boot script of the server at the client's address: that of its deployment in progress, otherwise one that boots
/// the local disk
///
/// No sign-in is needed. The server is identified by the client's address or, behind a trusted proxy, by the address that
/// the proxy forwards.
#[utoipa::path(get, path = "/pxe/", tag = "boot", operation_id = "script",
    responses((status = 200, body = String, content_type = "text/plain", description = "An iPXE script")))]
fn script() {}

/// Returns the boot script of the deployment that the token in the path identifies
#[utoipa::path(get, path = "/pxe/t/{token}/", tag = "boot", operation_id = "script_by_token",
    params(("token" = String, Path, description = "The deployment's token, as templates get it in their URLs")),
    responses((status = 200, body = String, content_type = "text/plain", description = "An iPXE script")))]
fn script_by_token() {}

/// Returns a boot file of the server at the client's address, by its name or as `_` and its kind, such as `_kickstart`
#[utoipa::path(get, path = "/pxe/{name}", tag = "boot", operation_id = "file",
    params(("name" = String, Path, description = "The file's name, or `_` and its kind")),
    responses((status = 200, content((Vec<u8> = "application/octet-stream"), (String = "text/plain"))),
        (status = 206, content((Vec<u8> = "application/octet-stream"), (String = "text/plain")), description = "The requested `Range`"),
        (status = 304, description = "Not modified: see `If-None-Match`")))]
fn file() {}

/// Returns a boot file of the deployment that the token in the path identifies
#[utoipa::path(get, path = "/pxe/t/{token}/{name}", tag = "boot", operation_id = "file_by_token",
    params(("token" = String, Path, description = "The deployment's token"),
        ("name" = String, Path, description = "The file's name, or `_` and its kind")),
    responses((status = 200, content((Vec<u8> = "application/octet-stream"), (String = "text/plain"))),
        (status = 206, content((Vec<u8> = "application/octet-stream"), (String = "text/plain")), description = "The requested `Range`"),
        (status = 304, description = "Not modified: see `If-None-Match`")))]
fn file_by_token() {}

/// Reports that the server at the client's address is installed
///
/// This marks its deployment as done, unless the boot image leaves that to Puppet. GET does the same, for installers that
/// support only GET. Repeated requests get the same response. If the server's network does not allow this by address alone, the
/// token is required.
#[utoipa::path(post, path = "/pxe/DONE/", tag = "boot", operation_id = "done",
    responses((status = 200, body = String, content_type = "text/plain")))]
fn done() {}

/// Reports that the server of the deployment that the token in the path identifies is installed
#[utoipa::path(post, path = "/pxe/t/{token}/DONE/", tag = "boot", operation_id = "done_by_token",
    params(("token" = String, Path, description = "The deployment's token")),
    responses((status = 200, body = String, content_type = "text/plain")))]
fn done_by_token() {}

/// Reports the progress of an installer
///
/// GET does the same with a query. The fields are those of Debian's, Red Hat's and Ubuntu's installers;
/// docs/installers.md lists them.
#[utoipa::path(post, path = "/pxe/t/{token}/progress", tag = "boot", operation_id = "progress",
    params(("token" = String, Path, description = "The deployment's token")),
    request_body(content = String, content_type = "application/json", description = "The report"),
    responses((status = 200, body = String, content_type = "text/plain")))]
fn progress() {}

/// Stores a part of an installer's log
#[utoipa::path(post, path = "/pxe/t/{token}/log", tag = "boot", operation_id = "log",
    params(("token" = String, Path, description = "The deployment's token")),
    request_body(content = String, content_type = "text/plain", description = "Lines of the log"),
    responses((status = 200, body = String, content_type = "text/plain")))]
fn log() {}

/// Returns the configuration of a signed GRUB for the server at the client's address: that of its deployment in progress,
/// otherwise one that boots the local disk
#[utoipa::path(get, path = "/grub/grub.cfg", tag = "boot", operation_id = "grub",
    responses((status = 200, body = String, content_type = "text/plain")))]
fn grub() {}

/// Returns a boot loader, for firmware that boots over HTTP
#[utoipa::path(get, path = "/boot/loaders/{name}", tag = "boot", operation_id = "loader",
    params(("name" = String, Path, description = "The loader's path below the folder of boot loaders")),
    responses((status = 200, content((Vec<u8> = "application/octet-stream"), (String = "text/plain"))),
        (status = 206, content((Vec<u8> = "application/octet-stream"), (String = "text/plain")), description = "The requested `Range`"),
        (status = 304, description = "Not modified: see `If-None-Match`")))]
fn loader() {}

/// Returns the configuration of a site's DHCP servers: `isc.conf`, `kea.json` or `dnsmasq.conf`
///
/// The `ETag` header contains its revision.
#[utoipa::path(get, path = "/dhcp/{site}/{file}", tag = "dhcp", operation_id = "configuration",
    params(("site" = String, Path, description = "The site"), ("file" = String, Path, description = "The form"),
        ("wait" = Option<u64>, Query, description = "Seconds to wait, at most 60, for a configuration that the client does not have"),
        ("confirmed" = Option<i64>, Query, description = "The last position that the server confirmed: later changes end the wait"),
        ("at" = Option<String>, Query, description = "The configuration as of this position (event number) of the log, or as of this RFC 3339 time")),
    responses((status = 200, content((String = "text/plain"), (String = "application/json"))),
        (status = 304, description = "Not modified: see `If-None-Match`")))]
fn configuration() {}

/// Reports the configuration that a DHCP server runs, or why the server cannot use it; sent by the server's agent
#[utoipa::path(put, path = "/dhcp/servers/{name}/confirmation", tag = "dhcp", operation_id = "confirmation",
    params(("name" = String, Path, description = "The DHCP server. Requires the token of this server")),
    request_body = Confirmation, responses((status = 200, body = Receipt)))]
fn confirmation() {}

/// Returns a zone file that a DNS server can load
///
/// The `ETag` header contains its revision.
#[utoipa::path(get, path = "/dns/zones/{zone}", tag = "dns", operation_id = "zone",
    params(("zone" = String, Path, description = "The zone's name"),
        ("at" = Option<String>, Query, description = "The zone as of this position (event number) of the log, or as of this RFC 3339 time")),
    responses((status = 200, body = String, content_type = "text/dns"), (status = 304, description = "Not modified: see `If-None-Match`")))]
fn zone() {}

/// Adds the error answers of these routes: a sentence, or a problem for a client that accepts JSON.
pub(super) fn refusals(path: &str, operation: &mut Operation) {
    let text: RefOr<Schema> = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).into();
    let boots = ["/pxe/", "/boot/", "/grub/"].iter().any(|start| path.starts_with(start));
    let statuses: &[(&str, &str)] = if boots {
        &[
            ("400", "Malformed request, or the address of the sender is unknown"),
            ("403", "The token of the deployment is required"),
            ("404", "There is no such file, or no deployment is in progress"),
            ("408", "Request timeout"),
            ("409", "The deployment has another status"),
            ("413", "Body too large"),
            ("416", "The range starts after the end of the file"),
            ("429", "The server reports too often"),
            ("500", "Cannot render the file; see the log"),
            ("503", "Temporarily unavailable; retry"),
        ]
    } else {
        &[
            ("400", "Malformed request"),
            ("401", "Authentication required"),
            ("403", "The token has another scope"),
            ("404", "Not found"),
            ("408", "Request timeout"),
            ("409", "Conflict with another change"),
            ("413", "Body too large"),
            ("415", "Unsupported media type"),
            ("422", "Validation failed"),
            ("500", "Internal error"),
            ("503", "Temporarily unavailable; retry"),
            ("507", "Disk full"),
        ]
    };
    for (status, description) in statuses {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
        let mut response = ResponseBuilder::new().description(*description).content("application/problem+json", problem);
        if boots {
            response = response.content("text/plain", ContentBuilder::new().schema(Some(text.clone())).build());
        }
        operation.responses.responses.entry((*status).to_owned()).or_insert(RefOr::T(response.build()));
    }
}
