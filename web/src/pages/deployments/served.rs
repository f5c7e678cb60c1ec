//! The page `/deployments/{id}/served/{file}`: the text that a server got, which is the template of the image's revision,
//! rendered again. The hash shows whether these are the bytes that were served.

use super::details::find;
use super::history::{History, ServedFile};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::images::target::Image;
use crate::machines::pxe::render::{Shown, as_served};
use crate::machines::pxe::service::BootService;
use crate::pages::components::badge::Tone;
use crate::pages::components::block;
use crate::pages::components::time::moment;
use crate::pages::layout::{Page, PageContext, Section};
use crate::pages::previewed::of_deployment;
use actix_web::HttpResponse;
use actix_web::web::Data;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::rows::catalogue;
use maud::{Markup, html};
use std::sync::Arc;

/// Handles the request for the page.
pub(super) async fn show(
    page_context: PageContext,
    Path((id, file)): Path<(DeploymentId, Name)>,
    boot: Data<BootService>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let at = snapshot.at;
    let deployment = find(&mut snapshot, id, at).await?;
    let hostname = deployment.hostname.to_string();
    let history = History::read(&mut snapshot, id).await?;
    let served: Vec<ServedFile> = history.served.into_iter().filter(|served| served.file == file).collect();
    let (key, revision) = (deployment.boot_image.clone(), deployment.boot_image_revision);
    let image = catalogue::boot_image_revision(snapshot.connection(), &key, revision).await?;
    let image = image.ok_or_else(|| Error::NotFound(format!("the boot image {key} has no revision {revision}")))?.spec;
    let kind = image.files.get(&file).map(|file| file.kind);
    let previewed = match kind {
        None => Err(format!("revision {revision} of the boot image {key} has no file {file}")),
        // A file that an installer reads may contain passwords.
        Some(kind) if !kind.is_script() && page_context.may(Role::Operator).is_err() => {
            Err("viewing installer files requires the role operator, because they may contain passwords".to_owned())
        }
        Some(_) => of_deployment(&mut snapshot, deployment, Arc::new(Image::new(key, image))).await?,
    };
    let seen = page_context.about("deployment", id).see(snapshot).await?;
    let rendered = match previewed {
        Ok(previewed) => as_served(backend.application(), &boot.table, &previewed.target, &file).await,
        Err(why) => Err(why),
    };
    let title = format!("{file} for {hostname}");
    let path = format!("/deployments/{id}");
    let content = html! {
        (block::heading(&[("Deployments", "/deployments"), (&hostname, &path)], &html! { (file) }, &html! {}))
        (view(&served, &rendered))
    };
    Ok(seen.answer(&Page::new(&title, Section::Deployments, content)))
}

fn view(served: &[ServedFile], rendered: &Result<Shown, String>) -> Markup {
    let same = |served: &ServedFile| rendered.as_ref().is_ok_and(|shown| shown.is(served.sha256));
    html! {
        @match rendered {
            Err(why) => (block::note(Tone::Info, &html! { p { "It cannot be displayed: " (why) "." } })),
            Ok(shown) => {
                @if let Some(exact) = served.iter().rev().find(|served| same(served)) {
                    (block::note(Tone::Good, &html! { p { "These bytes were served at " (moment(exact.at)) ", with the same hash. The token and secrets are masked here." } }))
                } @else if served.is_empty() {
                    (block::note(Tone::Info, &html! { p { "Not served yet. This is the file that the server would receive now. The token and secrets are masked." } }))
                } @else {
                    (block::note(Tone::Warn, &html! { p { "The served file had another hash: the network, the site, the base URL or a secret has changed since. This is the file that the server would receive now." } }))
                }
                pre tabindex="0" role="region" aria-label="File" { (shown.text) }
                p.quiet { "SHA-256 " code { (shown.sha256) } " (keyed for files with secrets, so that the secrets cannot be guessed from it)" }
            }
        }
        (block::card("served", "Served", &html! {
            @if served.is_empty() { p.quiet { "Never." } }
            @else {
                ul { @for one in served.iter().rev() { li {
                    a href=(format!("/timeline/{}", one.position)) { (moment(one.at)) } " to " code { (one.client) } ", SHA-256 " code { (one.sha256) }
                    @if same(one) { " – same bytes" }
                } } }
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::values::sha256::Sha256;
    use bootledger_aggregates::values::timestamp::Timestamp;

    fn served(byte: u8) -> ServedFile {
        let file = "boot.ipxe".parse().expect("a name");
        ServedFile { position: 9, at: Timestamp::default(), file, sha256: Sha256::new([byte; 32]), client: [10, 0, 0, 20].into() }
    }

    #[test]
    fn only_the_same_hash_makes_it_what_was_served() {
        let rendered = Ok(Shown::of(Sha256::new([1; 32]), "#!ipxe\necho <b>"));
        let exact = view(&[served(2), served(1)], &rendered).into_string();
        assert!(exact.contains("note good") && exact.contains("echo &lt;b&gt;"), "{exact}");
        assert!(view(&[served(2)], &rendered).into_string().contains("note warn"));
        assert!(view(&[], &rendered).into_string().contains("note info"));
    }
}
