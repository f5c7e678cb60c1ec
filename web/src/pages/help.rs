//! The pages below `/help`: the operators' guide and the documents that it refers to, from `docs/`. They are part of the program,
//! so that they describe this version and need no internet.

mod markdown;

use super::components::block::heading;
use super::layout::{Page, PageContext, Section};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, resource};
use maud::{Markup, html};

/// The path of the guide's first page.
const PATH: &str = "/help";
/// The guide's first page.
const FIRST: &str = include_str!("../../../docs/guide/README.md");

/// The other documents: the name in the path, and the text.
static TOPICS: [(&str, &str); 24] = [
    ("deploying", include_str!("../../../docs/guide/deploying.md")),
    ("not-done", include_str!("../../../docs/guide/not-done.md")),
    ("many", include_str!("../../../docs/guide/many.md")),
    ("finding", include_str!("../../../docs/guide/finding.md")),
    ("auditing", include_str!("../../../docs/guide/auditing.md")),
    ("record", include_str!("../../../docs/guide/record.md")),
    ("data-centre", include_str!("../../../docs/guide/data-centre.md")),
    ("appliances", include_str!("../../../docs/guide/appliances.md")),
    ("images", include_str!("../../../docs/images.md")),
    ("settings", include_str!("../../../docs/settings.md")),
    ("installers", include_str!("../../../docs/installers.md")),
    ("rules", include_str!("../../../docs/rules.md")),
    ("accounts", include_str!("../../../docs/accounts.md")),
    ("dns", include_str!("../../../docs/dns.md")),
    ("dhcp-agent", include_str!("../../../docs/dhcp-agent.md")),
    ("dhcp-options", include_str!("../../../docs/dhcp-options.md")),
    ("boot-loaders", include_str!("../../../docs/boot-loaders.md")),
    ("secure-boot", include_str!("../../../docs/secure-boot.md")),
    ("csv-files", include_str!("../../../docs/csv-files.md")),
    ("controllers", include_str!("../../../docs/controllers.md")),
    ("secrets", include_str!("../../../docs/secrets.md")),
    ("webhooks", include_str!("../../../docs/webhooks.md")),
    ("catalogue-files", include_str!("../../../docs/catalogue-files.md")),
    ("catalogue-changes", include_str!("../../../docs/catalogue-changes.md")),
];

pub(super) fn configure(config: &mut ServiceConfig) {
    config.service(resource(PATH).get(index)).service(resource("/help/{topic}").get(show));
}

async fn index(page_context: PageContext, backend: Backend) -> Result<HttpResponse, Error> {
    answer(page_context, backend, &[], FIRST).await
}

async fn show(page_context: PageContext, Path(topic): Path<String>, backend: Backend) -> Result<HttpResponse, Error> {
    let found = TOPICS.iter().find(|(name, _)| *name == topic);
    let (_, text) = found.ok_or_else(|| Error::NotFound(format!("there is no help on {topic:?}; {PATH} lists all topics")))?;
    answer(page_context, backend, &[("Help", PATH)], text).await
}

async fn answer(
    page_context: PageContext,
    mut backend: Backend,
    crumbs: &[(&str, &str)],
    text: &str,
) -> Result<HttpResponse, Error> {
    let snapshot = backend.read().await?;
    let title = title(text);
    let content = html! {
        (heading(crumbs, &html! { (title) }, &html! {}))
        section.card.guide aria-label="Text" { (content(text)) }
    };
    page_context.answer(snapshot, Page::new(title, Section::Dashboard, content)).await
}

/// The title of a document, which is its first line.
fn title(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_start_matches('#').trim()
}

fn content(text: &str) -> Markup {
    markdown::rendered(text, &path)
}

/// The path that a link of a document leads to; `None` if it leads to a document that is not part of the program.
fn path(target: &str) -> Option<String> {
    if target.starts_with("https://") || target.starts_with("http://") {
        return Some(target.to_owned());
    }
    let (file, part) = target.split_once('#').map_or((target, None), |(file, part)| (file, Some(part)));
    let part = part.map(|part| format!("#{}{part}", markdown::PART)).unwrap_or_default();
    let name = file.rsplit('/').next().unwrap_or_default().trim_end_matches(".md");
    match name {
        "" => Some(part),
        "README" if file == "README.md" || file == "guide/README.md" => Some(format!("{PATH}{part}")),
        _ => TOPICS.iter().any(|(topic, _)| *topic == name).then(|| format!("{PATH}/{name}{part}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::{attributes, texts};

    fn documents() -> impl Iterator<Item = (String, &'static str)> {
        let topics = TOPICS.iter().map(|(name, text)| (format!("{PATH}/{name}"), *text));
        std::iter::once((PATH.to_owned(), FIRST)).chain(topics)
    }

    #[test]
    fn every_document_has_a_title_and_every_link_leads_to_a_part_that_exists() {
        let all: Vec<(String, Markup)> = documents().map(|(path, text)| (path, content(text))).collect();
        for (path, text) in documents() {
            assert!(text.starts_with("# ") && !title(text).is_empty(), "{path}");
            for link in attributes(&content(text), "a[href^='/help'], a[href^='#']", "href") {
                let (page, part) = link.split_once('#').unwrap_or((link.as_str(), ""));
                let page = if page.is_empty() { path.as_str() } else { page };
                let (_, found) = all.iter().find(|(known, _)| known == page).expect("a document");
                let is_there = part.is_empty() || attributes(found, "[id]", "id").iter().any(|id| id == part);
                assert!(is_there, "{path} leads to {link}");
            }
        }
        assert_eq!(texts(&content(FIRST), "li a[href='/help/deploying']").len(), 1);
    }

    #[test]
    fn a_link_to_another_document_has_no_path() {
        assert_eq!(path("../images.md#mirrors").as_deref(), Some("/help/images#part-mirrors"));
        assert_eq!(path("#mirrors").as_deref(), Some("#part-mirrors"));
        assert_eq!(path("README.md").as_deref(), Some("/help"));
        assert_eq!(path("guide/README.md").as_deref(), Some("/help"));
        assert_eq!(path("../../README.md"), None);
        assert_eq!(path("adr/0012-one.md"), None);
        assert_eq!(path("https://example.org/a").as_deref(), Some("https://example.org/a"));
    }
}
