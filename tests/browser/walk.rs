//! Every page that links lead to: axe-core finds no barrier in light or dark, nothing overflows a narrow or a wide
//! window, no script fails and no content security policy is violated. With `BOOTLEDGER_PICTURES=1`, screenshots of all pages
//! are left in `target/browser/screenshots/`.

use super::centre::{Centre, USER, sign_in, user};
use super::routes::Routes;
use crate::support::browser::{Browsers, Look, Page, Scheme};
use crate::support::service::Service;
use anyhow::{Result, ensure};
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

/// Pages that no link leads to: filters, comparisons, past positions, a moment that is none, and things that do not exist.
const ODDITIES: [(&str, &str); 11] = [
    ("deployments filtered", "/deployments?q=nobody"),
    ("devices filtered", "/devices?q=nobody&site=dc1&sort=-name"),
    ("timeline filtered", "/timeline?actor=nobody"),
    ("past", "/deployments?at=40"),
    ("dashboard of the past", "/?at=40"),
    ("searched in vain", "/search?q=nobody"),
    ("columns", "/devices?columns=name,state,serial,asset,kind,site,rack,role,hostnames,addresses,macs,tags,registered,changed"),
    ("networks by VLAN", "/networks/_tree?by=vlan"),
    ("fields compared", "/compare?object=network/dc1-prod"),
    ("no moment", "/moment?to=/devices&event=yesterday"),
    ("missing", "/deployments/00000000-0000-0000-0000-000000000000"),
];

/// Routes whose pages need the query of their link: without it, they lead to another page.
const WITH_QUERY: [&str; 3] = ["/boot-images/{key}/revert", "/networks/{key}/release", "/settings/webhooks/{key}/skip"];

/// The environment variable that asks for screenshots.
const PICTURES: &str = "BOOTLEDGER_PICTURES";

/// The widths of the windows, in CSS pixels.
const PICTURED: [u32; 3] = [390, 1280, 1920];

/// The width at which axe-core inspects a page.
const INSPECTED: u32 = 1280;

/// The problems found on the pages so far.
#[derive(Default)]
struct Inspection {
    problems: Vec<String>,
    looked_at: usize,
}

impl Inspection {
    /// Inspects the page that is shown, at all widths and in both schemes, and records it under this name.
    async fn look(&mut self, page: &Page, name: &str) -> Result<()> {
        let words = name.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| !word.is_empty());
        let file = words.collect::<Vec<_>>().join("_");
        let file = if file.is_empty() { "dashboard".to_owned() } else { file };
        // Pages at all widths; variants of a page at two.
        let widths = if name.starts_with('/') { &PICTURED[..] } else { &PICTURED[..2] };
        for &width in widths {
            page.width(width).await?;
            let what = format!("{name} ({width} px)");
            let script = "const wide = document.documentElement.scrollWidth - innerWidth;
                const out = [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1
                    && e.checkVisibility() && !e.closest('.scroll, pre, .visually-hidden'));
                return { wide, headings: document.querySelectorAll('h1').length, title: document.title,
                    out: out.slice(0, 3).map(e => e.outerHTML.slice(0, 120)) };";
            let layout = page.run(script, vec![]).await?;
            if layout["wide"].as_i64().is_none_or(|wide| wide > 0) {
                self.problems.push(format!("{what}: it is wider than the window: {layout}"));
            }
            if layout["headings"] != 1 || layout["title"].as_str().is_none_or(str::is_empty) {
                self.problems.push(format!("{what}: a page has a title and one first heading: {layout}"));
            }
            // The elements and their colours do not depend on the width, and axe-core takes most of the time.
            let (pictures, inspected) = (std::env::var_os(PICTURES).is_some(), width == INSPECTED);
            for scheme in [Scheme::Dark, Scheme::Light].into_iter().filter(|_| pictures || inspected) {
                page.colours(scheme).await?;
                if pictures {
                    let folder = crate::support::target().join("browser/screenshots").join(scheme.name());
                    std::fs::create_dir_all(&folder)?;
                    std::fs::write(folder.join(format!("{file}-{width}.png")), page.picture().await?)?;
                }
                let barriers = match scheme {
                    _ if !inspected => String::new(),
                    Scheme::Light => page.barriers().await?,
                    Scheme::Dark => page.barriers_of_colours().await?,
                };
                if !barriers.is_empty() {
                    self.problems.push(format!("{what}, {}: {barriers}", scheme.name()));
                }
            }
        }
        for complaint in page.complaints().await? {
            self.problems.push(format!("{name}: {complaint}"));
        }
        self.looked_at += 1;
        Ok(())
    }

    /// Submits the page's form empty and inspects the refusal. Every list has the form that saves a view; only that of the
    /// devices is submitted.
    async fn look_refused(&mut self, page: &Page, name: &str, path: &str) -> Result<()> {
        page.visit(path).await?;
        let script =
            "const fields = 'input:not([type=hidden]):not([type=checkbox]):not([type=radio]):not([type=file]), textarea';
            const form = [...document.querySelectorAll('main form[method=post]')].find(form => form.querySelector(fields)
                && (form.getAttribute('action') !== '/views' || location.pathname === '/devices'));
            if (!form) return false;
            for (const field of form.querySelectorAll(fields)) field.value = '';
            form.noValidate = true;
            document.documentElement.dataset.old = 'yes';
            form.querySelector('button[type=submit]').click();
            return true;";
        if page.run(script, vec![]).await? != true {
            return Ok(());
        }
        // An upload form puts the answer into the same page.
        let answered = "return document.readyState === 'complete' && !document.documentElement.dataset.old
            || !!document.querySelector('#refused')";
        page.wait_until(&format!("the form of {path} is answered"), async || Ok(page.run(answered, vec![]).await? == true))
            .await?;
        // Some forms may be submitted empty, and then do something.
        if page.has("#refused").await? { self.look(page, &format!("refused {name}")).await } else { Ok(()) }
    }

    fn report(self) -> Result<()> {
        println!("{} pages were looked at", self.looked_at);
        ensure!(self.problems.is_empty(), "{} problems:\n{}", self.problems.len(), self.problems.join("\n"));
        Ok(())
    }
}

/// Whether the path leads to a page and not to a file.
async fn is_page(page: &Page, path: &str) -> Result<bool> {
    let script = "const done = arguments[arguments.length - 1];
        fetch(arguments[0], { headers: { accept: 'text/html' } }).then(answer => {
            done({ status: answer.status, kind: answer.headers.get('content-type') });
            answer.body.cancel();
        });";
    let answer = page.run_async(script, vec![json!(path)]).await?;
    ensure!(answer["status"] == 200, "a link leads to {path}, which answers {}", answer["status"]);
    Ok(answer["kind"].as_str().is_some_and(|kind| kind.starts_with("text/html")))
}

/// The targets of the page's links, with their queries only where the page needs them.
async fn links(page: &Page, routes: &Routes) -> Result<Vec<String>> {
    let all = page.attributes("a[href^='/']", "href").await?;
    let target = |href: &String| {
        let needed = routes.of(href).is_some_and(|route| WITH_QUERY.contains(&route));
        let ends: &[char] = if needed { &['#'] } else { &['?', '#'] };
        href.split(ends).next().unwrap_or_default().to_owned()
    };
    Ok(all.iter().map(target).collect())
}

/// Inspects one page of each route that can be reached from these. Returns their paths by name or route.
async fn all(page: &Page, inspection: &mut Inspection, begin: Vec<(String, String)>) -> Result<BTreeMap<String, String>> {
    let routes = Routes::read()?;
    let mut known: BTreeMap<String, String> = begin.iter().cloned().collect();
    let mut next = VecDeque::from(begin);
    while let Some((name, path)) = next.pop_front() {
        page.visit(&path).await?;
        for link in links(page, &routes).await? {
            let Some(route) = routes.of(&link) else { continue };
            if !known.contains_key(route) {
                known.insert(route.to_owned(), link.clone());
                if is_page(page, &link).await? {
                    next.push_back((route.to_owned(), link));
                }
            }
        }
        inspection.look(page, &name).await?;
    }
    let seen: Vec<&str> = known.values().filter_map(|path| routes.of(path)).collect();
    for route in routes.all().filter(|route| !seen.contains(route)) {
        inspection.problems.push(format!("no link leads to {route}"));
    }
    Ok(known)
}

/// Creates deployments in every state. Returns the name and path of each page to begin with.
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
    centre.complete().await?;
    let tabs = ["served", "changes", "events"].map(|tab| (format!("deployment {tab}"), format!("/deployments/{done}?tab={tab}")));
    let all = [("open", waiting), ("in progress", progress), ("done", done), ("cancelled", cancelled)];
    let mut begin = vec![("/".to_owned(), "/".to_owned())];
    begin.extend(all.map(|(state, id)| (format!("deployment {state}"), format!("/deployments/{id}"))));
    begin.extend(tabs);
    // A device with a management controller that is not being deployed, one that is not verified, and one that is locked.
    for (name, device) in [("deployed", "R640 no. 2"), ("not verified", "R640 no. 4"), ("locked", "R640 no. 3")] {
        begin.push((format!("device {name}"), format!("/devices/{}", centre.device(device).await?)));
    }
    begin.push(("device power".to_owned(), format!("/devices/{}/power", centre.device("R640 no. 4").await?)));
    begin.push(("searched".to_owned(), "/search?q=10.20".to_owned()));
    begin.push(("network reserved".to_owned(), "/networks/dc1-prod".to_owned()));
    begin.push(("user".to_owned(), format!("/settings/users/{USER}")));
    Ok(begin)
}

#[tokio::test]
async fn no_page_has_a_barrier_in_light_or_dark_narrow_or_wide() -> Result<()> {
    let (centre, nothing) = (Centre::start().await?, Service::start(Ipv4Addr::LOCALHOST).await?);
    let begin = work(&centre).await?;
    let mut inspection = Inspection::default();
    Browsers::run_story("walk", async |browsers| {
        let look = Look::default();
        let page = centre.person(browsers, "administrator", look).await?;
        let known = all(&page, &mut inspection, begin).await?;
        for (name, path) in ODDITIES {
            page.expects("status of 404 ");
            page.visit(path).await?;
            inspection.look(&page, name).await?;
        }
        for (name, path) in &known {
            inspection.look_refused(&page, name, path).await?;
        }
        let page = browsers.open(&centre, look).await?;
        page.visit("/sign-in").await?;
        inspection.look(&page, "sign-in").await?;
        sign_in(&page, "somebody", "a wrong password").await?;
        inspection.look(&page, "sign-in refused").await?;
        let once = centre.run(&["user", "create", "eve"]).await?;
        sign_in(&page, "eve", once.trim()).await?;
        page.says("Choose a password").await?;
        inspection.look(&page, "password for one time").await?;
        let password = user(&nothing, "ada", "administrator").await?;
        let page = browsers.open(&nothing, look).await?;
        sign_in(&page, "ada", &password).await?;
        page.visit("/").await?;
        for path in page.attributes("nav a[href^='/']", "href").await? {
            page.visit(&path).await?;
            inspection.look(&page, &format!("empty {path}")).await?;
        }
        Ok(())
    })
    .await?;
    inspection.report()
}
