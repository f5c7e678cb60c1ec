//! Every page that links lead to, in light and dark, narrow and wide: nothing on it is a barrier by axe-core, nothing sticks
//! out of a narrow window, no script fails and no policy is broken. Pictures of all of them are left in
//! `target/browser/screenshots/`.

use super::centre::Centre;
use crate::support::browser::{Browsers, Look, Page, Scheme};
use crate::support::process::Process;
use crate::support::service::Service;
use anyhow::{Result, ensure};
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// What has to be among the pages that were found, so that none is forgotten; `{}` stands for a key.
const PAGES: [&str; 7] =
    ["/", "/deployments", "/deployments/{}", "/deployments/{}/cancel", "/deployments/{}/done", "/timeline", "/timeline/{}"];

/// What pages look like that no link leads to: what is filtered has no rows, the past, what there is not.
const ODDITIES: [(&str, &str); 3] = [
    ("filtered", "/deployments?q=nobody"),
    ("past", "/deployments?at=40"),
    ("missing", "/deployments/00000000-0000-0000-0000-000000000000"),
];

/// The widths of the pictures, in CSS pixels.
const PICTURED: [u32; 3] = [390, 1280, 1920];

/// Collections, whose pages are followed by a key.
const COLLECTIONS: [&str; 13] = [
    "deployments",
    "devices",
    "racks",
    "networks",
    "zones",
    "dhcp-servers",
    "boot-images",
    "ventures",
    "sites",
    "timeline",
    "roles",
    "users",
    "files",
];

/// A path with `{}` for each key.
fn pattern(path: &str) -> String {
    let mut before = "";
    let parts = path.split('/').map(|part| {
        let key = COLLECTIONS.contains(&before) && !["new", "bulk", "add"].contains(&part);
        before = part;
        if key { "{}" } else { part }
    });
    parts.collect::<Vec<_>>().join("/")
}

/// What is wrong with the pages that were looked at.
struct Inspection {
    scheme: Scheme,
    problems: Vec<String>,
    looked_at: usize,
}

impl Inspection {
    fn new(scheme: Scheme) -> Self {
        Self { scheme, problems: vec![], looked_at: 0 }
    }

    fn folder(&self) -> PathBuf {
        crate::support::target().join("browser/screenshots").join(self.scheme.name())
    }

    /// Looks at what is shown, under this name, in all widths.
    async fn look(&mut self, page: &Page, name: &str) -> Result<()> {
        let file: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let file = file.trim_matches('_').replace("____", "_one_");
        let file = if file.is_empty() { "dashboard".to_owned() } else { file };
        std::fs::create_dir_all(self.folder())?;
        for width in PICTURED {
            page.width(width).await?;
            let what = format!("{name} ({}, {width} px)", self.scheme.name());
            if width < 1920 {
                let barriers = page.barriers().await?;
                if !barriers.is_empty() {
                    self.problems.push(format!("{what}: {barriers}"));
                }
            }
            let script = "const wide = document.documentElement.scrollWidth - innerWidth;
                const out = [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
                    && !e.closest('.scroll, pre, .visually-hidden'));
                return { wide, headings: document.querySelectorAll('h1').length, title: document.title,
                    out: out.slice(0, 3).map(e => e.outerHTML.slice(0, 120)) };";
            let layout = page.run(script, vec![]).await?;
            if layout["wide"].as_i64().is_none_or(|wide| wide > 0) {
                self.problems.push(format!("{what}: it is wider than the window: {layout}"));
            }
            if layout["headings"] != 1 || layout["title"].as_str().is_none_or(str::is_empty) {
                self.problems.push(format!("{what}: a page has a title and one first heading: {layout}"));
            }
            std::fs::write(self.folder().join(format!("{file}-{width}.png")), page.picture().await?)?;
        }
        for complaint in page.complaints().await? {
            self.problems.push(format!("{name} ({}): {complaint}", self.scheme.name()));
        }
        self.looked_at += 1;
        Ok(())
    }

    /// Sends the page's form with nothing filled in, and looks at the refusal.
    async fn look_refused(&mut self, page: &Page, name: &str, path: &str) -> Result<()> {
        page.visit(path).await?;
        let script =
            "const fields = 'input:not([type=hidden]):not([type=checkbox]):not([type=radio]):not([type=file]), textarea';
            const form = [...document.querySelectorAll('main form[method=post]')].find(form => form.querySelector(fields));
            if (!form) return false;
            for (const field of form.querySelectorAll(fields)) field.value = '';
            form.noValidate = true;
            document.documentElement.dataset.old = 'yes';
            form.querySelector('button[type=submit]').click();
            return true;";
        if page.run(script, vec![]).await? != true {
            return Ok(());
        }
        page.wait_until("the form is answered", async || {
            Ok(page.run("return document.readyState === 'complete' && !document.documentElement.dataset.old", vec![]).await?
                == true)
        })
        .await?;
        // Some can be sent empty, and do something then.
        if page.has("#refused").await? { self.look(page, &format!("{name} refused")).await } else { Ok(()) }
    }

    fn report(self) -> Result<()> {
        println!("{} pages were looked at in {}", self.looked_at, self.scheme.name());
        ensure!(self.problems.is_empty(), "{} problems:\n{}", self.problems.len(), self.problems.join("\n"));
        Ok(())
    }
}

/// Whether it is a page at all, and not a file.
async fn is_page(service: &Process, path: &str) -> Result<bool> {
    let answer = reqwest::Client::new().get(service.url(path)).bearer_auth(service.token()).send().await?;
    let html = answer.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    ensure!(!html || answer.status().is_success(), "a link leads to {path}, which answers {}", answer.status());
    Ok(html)
}

/// The pages that links lead to, one of each kind: how it is called, and where it is.
async fn links(page: &Page) -> Result<Vec<String>> {
    let all = page.attributes("a[href^='/']", "href").await?;
    let paths = all.into_iter().map(|href| href.split(['?', '#']).next().unwrap_or_default().to_owned());
    Ok(paths.filter(|path| !["/api/", "/assets/", "/boot/"].iter().any(|begin| path.starts_with(begin))).collect())
}

/// Looks at one page of each kind that can be reached from the dashboard.
async fn all(
    service: &Process,
    page: &Page,
    inspection: &mut Inspection,
    begin: Vec<(String, String)>,
) -> Result<BTreeMap<String, String>> {
    let mut known: BTreeMap<String, String> = begin.iter().cloned().collect();
    let mut next = VecDeque::from(begin);
    while let Some((name, path)) = next.pop_front() {
        page.visit(&path).await?;
        for link in links(page).await? {
            let name = pattern(&link);
            if !known.contains_key(&name) && is_page(service, &link).await? {
                known.insert(name.clone(), link.clone());
                next.push_back((name, link));
            }
        }
        inspection.look(page, &name).await?;
    }
    Ok(known)
}

/// Deployments in every state; how each is called, and where it is.
async fn work(centre: &Centre) -> Result<Vec<(String, String)>> {
    let done = centre.deploy("R640 no. 2", "10.20.0.12").await?;
    let cancelled = centre.deploy("R640 no. 3", "10.20.0.13").await?;
    let progress = centre.deploy("XL170r no. 1", "10.30.0.11").await?;
    for deployment in [&done, &cancelled, &progress] {
        centre.plugin_is(deployment, "dhcp", "waiting").await?;
    }
    centre.post(&format!("/api/v1/deployments/{cancelled}/cancel"), &json!({ "reason": "the wrong rack" })).await?;
    for server in ["kea-dc1", "isc-dc2", "dnsmasq-dc2"] {
        centre.confirm(server).await?;
    }
    centre.boots("10.20.0.12", "installs Debian 12").await?;
    centre.is_installed("10.20.0.12").await?;
    centre.boots("10.30.0.11", "installs Debian 12").await?;
    let waiting = centre.deploy("R640 no. 1", "10.20.0.11").await?;
    centre.plugin_is(&waiting, "dhcp", "waiting").await?;
    let all = [("open", waiting), ("in progress", progress), ("done", done), ("cancelled", cancelled)];
    Ok(all.map(|(state, id)| (format!("deployment {state}"), format!("/deployments/{id}"))).to_vec())
}

async fn walk(scheme: Scheme) -> Result<()> {
    let (centre, nothing) = (Centre::start().await?, Service::start(Ipv4Addr::LOCALHOST).await?);
    let deployments = work(&centre).await?;
    let mut inspection = Inspection::new(scheme);
    Browsers::tell(&format!("walk_{}", scheme.name()), async |browsers| {
        let look = Look { scheme, ..Look::default() };
        let page = centre.person(browsers, "administrator", look).await?;
        let begin = [vec![("/".to_owned(), "/".to_owned())], deployments].concat();
        let known = all(&centre, &page, &mut inspection, begin).await?;
        for (name, path) in ODDITIES {
            page.expects("status of 404 ");
            page.visit(path).await?;
            inspection.look(&page, name).await?;
        }
        for (name, path) in &known {
            inspection.look_refused(&page, name, path).await?;
        }
        println!("{known:#?}");
        for page in PAGES.into_iter().filter(|page| !known.contains_key(*page)) {
            inspection.problems.push(format!("no link leads to {page}"));
        }
        let page = browsers.open(&nothing, look).await?;
        page.header("Authorization", &format!("Bearer {}", nothing.token())).await?;
        page.visit("/").await?;
        for path in page.attributes("nav a[href^='/']", "href").await? {
            if is_page(&nothing, &path).await? {
                page.visit(&path).await?;
                inspection.look(&page, &format!("empty {path}")).await?;
            }
        }
        Ok(())
    })
    .await?;
    inspection.report()
}

#[tokio::test]
async fn no_page_has_a_barrier_in_light() -> Result<()> {
    walk(Scheme::Light).await
}

#[tokio::test]
async fn no_page_has_a_barrier_in_dark() -> Result<()> {
    walk(Scheme::Dark).await
}
