//! The routes `/pxe/` (the script, the files, and DONE) and `/boot/loaders/`. They need no sign-in: booting servers have none.

use super::boot_client::BootClient;
use super::recorder::Served;
use super::refusal::{Refusal, failed, refuse, store_failed, wants_json};
use super::service::BootService;
use super::table::Lookup;
use super::{done, loader, local_disk, render, report};
use crate::images::serve::{Source, media_type, serve};
use crate::images::target::{Rendered, Target};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource};
use bootledger_aggregates::boot_image::{BootFile, FileKind};
use bootledger_aggregates::deployment::SERVED_AGAIN_SECONDS;
use bootledger_aggregates::deployment::installer::{LOCAL_DISK, NextBoot};
use bootledger_aggregates::values::name::Name;
use bootledger_aggregates::values::sha256::Sha256;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Mounts the routes. They find the boot service as `web::Data<BootService>`.
pub fn configure(configuration: &mut ServiceConfig) {
    // Each path is its own resource, and none is a redirect, which iPXE would follow and installers might not.
    for path in ["/pxe", "/pxe/", "/pxe/t/{token}", "/pxe/t/{token}/"] {
        configuration.service(readable(path, |resource, route| resource.route(route.to(script))));
    }
    for path in ["/pxe/DONE", "/pxe/DONE/", "/pxe/t/{token}/DONE", "/pxe/t/{token}/DONE/"] {
        let resource = web::resource(path).route(web::get().to(done::done)).route(web::post().to(done::done));
        configuration.service(resource);
    }
    for path in ["/pxe/t/{token}/progress", "/pxe/t/{token}/progress/"] {
        let resource = web::resource(path).route(web::head().to(report::head)).route(web::get().to(report::progress));
        configuration.service(resource.route(web::post().to(report::progress)).default_service(web::to(report::wrong_method)));
    }
    for path in ["/pxe/t/{token}/log", "/pxe/t/{token}/log/"] {
        let resource = web::resource(path).route(web::head().to(report::head)).route(web::post().to(report::log));
        configuration.service(resource.route(web::put().to(report::log)).default_service(web::to(report::wrong_method)));
    }
    for path in ["/pxe/{name}", "/pxe/t/{token}/{name}"] {
        // Proxmox VE fetches its answer file with POST; the body, which describes the machine, is not read.
        let resource = readable(path, |resource, route| resource.route(route.to(file)));
        configuration.service(resource.route(web::post().to(file)));
    }
    configuration.service(web::resource("/pxe/{path:.*}").to(nothing));
    configuration.service(readable("/grub/grub.cfg", |resource, route| resource.route(route.to(loader::grub_configuration))));
    configuration.service(readable("/boot/loaders/{name:.*}", |resource, route| resource.route(route.to(loader::loader))));
}

fn readable(path: &str, add: impl Fn(Resource, actix_web::Route) -> Resource) -> Resource {
    add(add(web::resource(path), web::get()), web::head())
}

/// Handles `GET /pxe/`: the script of the deployment in progress, otherwise the one that boots the local disk.
async fn script(request: HttpRequest, service: Data<BootService>) -> HttpResponse {
    let asker = match BootClient::of(&request, &service.application) {
        Ok(asker) => asker,
        Err(refusal) => return refusal.answer(&request),
    };
    let found = asker.find(&service.table);
    let target = match &found {
        Lookup::Target(target) if target.identity.next_boot == NextBoot::Disk => {
            return disk_answer(&request, &service, target, asker.client).await;
        }
        Lookup::Target(target) => target,
        Lookup::Nothing if asker.by_token.is_none() && !wants_json(&request) => return local_disk::script(),
        _ => return asker.refuse(&request, &found),
    };
    let (name, script) = match render::script_of(target) {
        Ok(script) => script,
        Err(error) => return failed(&request, &error),
    };
    if let Some(rendered) = target.script() {
        return script_answer(&request, &service, target, name, rendered, asker.client).await;
    }
    match render::file(&service, target, name, script).await {
        Ok(content) => match content.source {
            Source::Memory(bytes) => {
                let rendered = Rendered::new(bytes, content.sha256);
                service.table.keep_script(target, rendered.clone());
                script_answer(&request, &service, target, name, &rendered, asker.client).await
            }
            Source::Stored(_) => file_answer(&request, &service, target, name, script, asker.client).await,
        },
        Err(error) => failed(&request, &error),
    }
}

/// The answer for a server that is being installed and boots its disk now, because its installer has restarted it.
async fn disk_answer(request: &HttpRequest, service: &BootService, target: &Target, client: Ipv4Addr) -> HttpResponse {
    let Ok(name) = LOCAL_DISK.parse() else { return local_disk::script() };
    let sha256 = local_disk::sha256();
    let recorder = &service.table.recorder;
    let news = recorder.is_news(target.identity.deployment, &name, sha256, service.table.seconds());
    if request.method() == Method::GET && news {
        enqueue(service, target, &name, sha256, client, false).await;
    }
    local_disk::script_within_deployment()
}

/// The answer with the script. This is the hot path: it needs no query and hardly an allocation.
async fn script_answer(
    request: &HttpRequest,
    service: &BootService,
    target: &Target,
    name: &Name,
    rendered: &Rendered,
    client: Ipv4Addr,
) -> HttpResponse {
    let table = &service.table;
    if request.method() == Method::GET && target.script_is_news(table.seconds(), SERVED_AGAIN_SECONDS.unsigned_abs()) {
        enqueue(service, target, name, rendered.sha256, client, false).await;
    }
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((ETAG, rendered.tag.clone()))
        .body(rendered.bytes.clone())
}

/// Handles `GET /pxe/{name}` and `GET /pxe/_{type}`.
async fn file(request: HttpRequest, service: Data<BootService>) -> HttpResponse {
    let asker = match BootClient::of(&request, &service.application) {
        Ok(asker) => asker,
        Err(refusal) => return refusal.answer(&request),
    };
    let found = asker.find(&service.table);
    match requested(asker, &found, request.match_info().get("name").unwrap_or_default()) {
        Ok(BootRequest { target, name, file }) => file_answer(&request, &service, target, name, file, asker.client).await,
        Err(refusal) => refusal.answer(&request),
    }
}

/// A file of a deployment that its client may have.
pub(super) struct BootRequest<'found> {
    pub(super) target: &'found Arc<Target>,
    pub(super) name: &'found Name,
    pub(super) file: &'found BootFile,
}

/// The file that is requested by name or as `_{type}`, over HTTP or TFTP.
///
/// # Errors
/// Returns an error if there is no such file, or if this client may not have it.
pub(super) fn requested<'found>(asker: BootClient, found: &'found Lookup, text: &str) -> Result<BootRequest<'found>, Refusal> {
    let no_name = || Refusal::new(StatusCode::NOT_FOUND, NO_FILE_NAME.to_owned());
    let wanted = Wanted::parse(text).ok_or_else(no_name)?;
    let Lookup::Target(target) = found else {
        let (status, sentence) = asker.problem(found);
        return Err(Refusal::new(status, sentence));
    };
    let none = || Refusal::new(StatusCode::NOT_FOUND, no_such_file(target, text));
    let (name, file) = wanted.of(target).ok_or_else(none)?;
    if asker.by_token.is_none() && target.needs_token(file) {
        let secret = target.image.secrets_of(file).next().is_some();
        let who = if secret { format!("{name} has secrets and") } else { format!("network {}", target.place.network) };
        let sentence = format!(
            "{who} requires the deployment's token: fetch {name} from the URL in the template's variable kickstart_url, or as /pxe/t/TOKEN/{name}"
        );
        return Err(Refusal::new(StatusCode::FORBIDDEN, sentence));
    }
    Ok(BootRequest { target, name, file })
}

async fn file_answer(
    request: &HttpRequest,
    service: &BootService,
    target: &Target,
    name: &Name,
    boot_file: &BootFile,
    client: Ipv4Addr,
) -> HttpResponse {
    let content = match render::file(service, target, name, boot_file).await {
        Ok(content) => content,
        Err(error) => return failed(request, &error),
    };
    let sha256 = content.sha256;
    let answer = match serve(request, content, media_type(boot_file.kind)).await {
        Ok(answer) => answer,
        Err(error) => return store_failed(request, &error),
    };
    // The answer sends bytes, so the server receives the file. A HEAD, a 304 and a 416 send none.
    let given = matches!(answer.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT);
    let (recorder, now) = (&service.table.recorder, service.table.seconds());
    if given && request.method() != Method::HEAD {
        let news = recorder.is_news(target.identity.deployment, name, sha256, now);
        // The file after which the server boots its disk is always recorded until that is in effect: an operator may have set
        // the next boot to the network again within the minute.
        let then_disk = target.boots_disk_after(name);
        if news || then_disk {
            enqueue(service, target, name, sha256, client, then_disk).await;
        }
    }
    answer
}

async fn enqueue(service: &BootService, target: &Target, file: &Name, sha256: Sha256, client: Ipv4Addr, then_disk: bool) {
    let deployment = target.identity.deployment;
    let served = Served { deployment, file: file.clone(), sha256, client, at: (service.application.now)(), then_disk };
    service.table.recorder.enqueue(served).await;
}

/// The error for a text that is not a file name. It is refused before anything is looked up.
const NO_FILE_NAME: &str = "request a file by its name in the boot image (letters, digits, '.', '_' and '-'), or as \
     _kernel, _initrd, _boot_ipxe, _kickstart, _other or _grub";

/// Answers paths below `/pxe/` with more or other parts than any route has.
async fn nothing(request: HttpRequest) -> HttpResponse {
    refuse(&request, StatusCode::NOT_FOUND, NO_FILE_NAME)
}

/// The requested file.
enum Wanted {
    Named(Name),
    OfKind(FileKind),
}

impl Wanted {
    fn parse(text: &str) -> Option<Self> {
        if let Some(kind) = text.strip_prefix('_') {
            return kind.parse().ok().map(Self::OfKind);
        }
        // Parsing a name removes spaces around it, which a path must not have.
        let name: Name = text.parse().ok()?;
        (name.as_str().len() == text.len()).then_some(Self::Named(name))
    }

    fn of<'target>(&self, target: &'target Arc<Target>) -> Option<(&'target Name, &'target BootFile)> {
        match self {
            Self::Named(name) => target.image.files.get_key_value(name),
            Self::OfKind(kind) => target.image.file_of_kind(*kind),
        }
    }
}

fn no_such_file(target: &Target, name: &str) -> String {
    let image = &target.image;
    let names: Vec<&str> = image.files.keys().map(Name::as_str).collect();
    format!("the boot image {}, revision {}, has no file {name}; it has {}", image.name, image.revision, names.join(", "))
}
