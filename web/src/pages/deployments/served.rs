//! The page `/deployments/{id}/served/{file}`: the text that a server got, which is the template of the image's revision,
//! rendered again. The hash shows whether these are the bytes that were served.

use super::history::{History, ServedFile};
use crate::auth::level::Level;
use crate::boot::render::Shown;
use crate::boot::target::Image;
use crate::error::Error;
use crate::pages::boot_images::target::of_deployment;
use crate::pages::frame::{Page, Section, Visit};
use crate::pages::kit::badge::Tone;
use crate::pages::kit::block;
use crate::pages::kit::time::moment;
use crate::request::backend::Backend;
use crate::request::path::Path;
use actix_web::HttpResponse;
use bootledger_aggregates::values::ids::DeploymentId;
use bootledger_aggregates::values::name::Name;
use bootledger_projections::{catalogue, deployments};
use maud::{Markup, html};
use std::sync::Arc;

/// Handles the request for the page.
pub(super) async fn show(
    visit: Visit,
    Path((id, file)): Path<(DeploymentId, Name)>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut reading = backend.read().await?;
    let at = reading.at;
    let deployment = deployments::find(reading.connection(), id, at).await?;
    let deployment = deployment.ok_or_else(|| Error::NotFound(format!("there is no deployment {id}")))?;
    let hostname = deployment.hostname.to_string();
    let history = History::read(&mut reading, id).await?;
    let served: Vec<ServedFile> = history.served.into_iter().filter(|served| served.file == file).collect();
    let (key, revision) = (deployment.boot_image.clone(), deployment.boot_image_revision);
    let image = catalogue::boot_image_revision(reading.connection(), &key, revision).await?;
    let image = image.ok_or_else(|| Error::NotFound(format!("the boot image {key} had no revision {revision}")))?.spec;
    let kind = image.files.get(&file).map(|file| file.kind);
    let previewed = match kind {
        None => Err(format!("revision {revision} of the boot image {key} has no file {file}")),
        // A file that an installer reads may contain passwords.
        Some(kind) if !kind.is_script() && visit.may(Level::Operator).is_err() => {
            Err("only operators see the files of installers, since they may hold passwords".to_owned())
        }
        Some(_) => of_deployment(&mut reading, deployment, Arc::new(Image::new(key, image))).await?,
    };
    let seen = visit.see(reading).await?;
    let rendered = match previewed {
        Ok(previewed) => backend.as_served(&previewed.target, &file).await,
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
            Err(why) => (block::note(Tone::Info, &html! { p { "It cannot be shown here: " (why) "." } })),
            Ok(shown) => {
                @if let Some(exact) = served.iter().rev().find(|served| same(served)) {
                    (block::note(Tone::Good, &html! { p { "These are the bytes that were served at " (moment(exact.at)) ": the hash is the same. Token and secrets are masked here, and were in them." } }))
                } @else if served.is_empty() {
                    (block::note(Tone::Info, &html! { p { "It was not served yet. This is what the server would get now; token and secrets are masked here." } }))
                } @else {
                    (block::note(Tone::Warn, &html! { p { "What was served had another hash: the network, the site, the base URL or a secret has changed since. This is what the server would get now." } }))
                }
                pre tabindex="0" role="region" aria-label="The file" { (shown.text) }
                p.quiet { "SHA-256 " code { (shown.sha256) } " (of a file with secrets it is keyed, so that they cannot be guessed from it)" }
            }
        }
        (block::card("served", "Served", &html! {
            @if served.is_empty() { p.quiet { "Never." } }
            @else {
                ul { @for one in served.iter().rev() { li {
                    a href=(format!("/timeline/{}", one.position)) { (moment(one.at)) } " to " code { (one.client) } ", SHA-256 " code { (one.sha256) }
                    @if same(one) { " – the same bytes" }
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
        assert!(exact.contains("These are the bytes") && exact.contains("echo &lt;b&gt;"), "{exact}");
        assert_eq!(exact.matches("the same bytes").count(), 1);
        assert!(view(&[served(2)], &rendered).into_string().contains("had another hash"));
        assert!(view(&[], &rendered).into_string().contains("not served yet"));
    }
}
