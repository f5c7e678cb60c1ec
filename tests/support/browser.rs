//! Debian's Chromium, driven as a user would: chromedriver on a port of its own, and windows with empty profiles. A test that
//! fails leaves a screenshot and the source of each of its pages in `target/browser/`. A test that succeeds although a browser
//! complained (a script error, a violation of the Content-Security-Policy) fails too.

mod axe;
mod evidence;
mod look;
mod page;

pub(crate) use axe::AXE;
pub(crate) use look::{Look, Scheme};
pub(crate) use page::Page;

use super::process::{Process, wait_for};
use anyhow::{Context, Result, bail};
use futures::FutureExt;
use std::net::{Ipv4Addr, TcpListener};
use std::panic::AssertUnwindSafe;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tempfile::TempDir;
use thirtyfour::WebDriver;

/// How long a step may take on a machine that is busy with other work.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A chromedriver and the pages that it opened. All browsers end when this is dropped: each is connected to chromedriver by a
/// pipe and ends when that breaks.
pub(crate) struct Browsers {
    child: Child,
    port: u16,
    pages: Mutex<Vec<Page>>,
    // Profiles, sockets and other files that the browsers write; removed last.
    folder: TempDir,
}

impl Browsers {
    /// Runs a test's steps with browsers, and closes them.
    pub(crate) async fn run_story(story: &str, steps: impl AsyncFnOnce(&Self) -> Result<()>) -> Result<()> {
        let browsers = Self::start().await?;
        // A failed assertion must leave the same traces as an error.
        let message = AssertUnwindSafe(steps(&browsers)).catch_unwind().await;
        let pages = std::mem::take(&mut *browsers.pages.lock().unwrap_or_else(PoisonError::into_inner));
        let mut complaints = vec![];
        for (index, page) in pages.into_iter().enumerate() {
            if !matches!(message, Ok(Ok(()))) {
                evidence::keep(&page, &format!("{story}-{}", index + 1)).await;
            }
            complaints.extend(page.complaints().await?);
            page.close().await;
        }
        match message {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(Err(error)) if complaints.is_empty() => Err(error),
            Ok(Err(error)) => Err(error.context(format!("the browsers complained: {complaints:#?}"))),
            Ok(Ok(())) if complaints.is_empty() => Ok(()),
            Ok(Ok(())) => bail!("the story ended well, but the browsers complained: {complaints:#?}"),
        }
    }

    async fn start() -> Result<Self> {
        // A second call has no effect. It is needed although nothing here uses TLS.
        drop(rustls::crypto::ring::default_provider().install_default());
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let folder = tempfile::tempdir()?;
        let log = std::fs::File::create(folder.path().join("log"))?;
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).env("TMPDIR", folder.path()).env("HOME", folder.path());
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().context("there is no chromedriver; has `scripts/setup test` run?")?;
        let browsers = Self { child, port, pages: Mutex::default(), folder };
        let (url, client) = (browsers.url("/status"), reqwest::Client::new());
        wait_for("chromedriver answers", PATIENCE, async || client.get(&url).send().await.ok().map(drop)).await?;
        Ok(browsers)
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// How many windows have been opened.
    pub(crate) fn count(&self) -> usize {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Opens a window with this look and an empty profile, for the pages of a service.
    pub(crate) async fn open(&self, service: &Process, look: Look) -> Result<Page> {
        self.open_at(&service.url(""), look).await
    }

    /// Opens a window for the pages at this address.
    pub(crate) async fn open_at(&self, base: &str, look: Look) -> Result<Page> {
        let driver = WebDriver::new(self.url(""), look.capabilities()?).await.context("no Chromium was started")?;
        let page = Page::new(driver, base.to_owned());
        self.pages.lock().unwrap_or_else(PoisonError::into_inner).push(page.clone());
        page.looks(look).await?;
        Ok(page)
    }
}

impl Drop for Browsers {
    fn drop(&mut self) {
        // Its browsers end with it. All of them are in the test's own process group, which nextest ends when it times out.
        drop(self.child.kill());
        drop(self.child.wait());
        // A browser may still be writing there: the operating system removes what is left.
        drop(std::fs::remove_dir_all(self.folder.path()));
    }
}
