//! A window of a browser: what it shows, and waiting until it does. What a user does in it is in `controls`.

#![expect(dead_code, reason = "the stories of the pages that are being written use it")]

mod complaints;
mod controls;
mod devtools;

use super::{PATIENCE, wait_for};
use anyhow::{Context, Result, ensure};
use complaints::DISTURBED;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use thirtyfour::error::{WebDriverError, WebDriverErrorInner};
use thirtyfour::{By, WebDriver, WebElement};

/// A window; clones share it.
#[derive(Clone)]
pub(crate) struct Page {
    driver: WebDriver,
    base: String,
    expected: Arc<Mutex<Vec<&'static str>>>,
}

/// Reads from a page, and again if the page changed in between, so that a found element no longer exists.
async fn steady<T>(read: impl AsyncFn() -> Result<T>) -> Result<T> {
    let is_stale = |error: &anyhow::Error| {
        let reported = error.downcast_ref::<WebDriverError>().map(|error| &**error);
        matches!(reported, Some(WebDriverErrorInner::StaleElementReference(..)))
    };
    for _ in 0..20 {
        match read().await {
            Err(error) if is_stale(&error) => {}
            done => return done,
        }
    }
    read().await
}

impl Page {
    pub(super) fn new(driver: WebDriver, base: String) -> Self {
        Self { driver, base, expected: Arc::default() }
    }

    pub(super) async fn close(self) {
        drop(self.driver.quit().await);
    }

    /// Opens a path of the service, as if the user had typed it.
    pub(crate) async fn visit(&self, path: &str) -> Result<()> {
        let go = async || self.driver.goto(format!("{}{path}", self.base)).await;
        let gone = match go().await {
            Err(error) if error.to_string().contains(DISTURBED) => go().await,
            gone => gone,
        };
        gone.with_context(|| format!("{path} cannot be opened"))
    }

    /// Reloads the page.
    pub(crate) async fn reload(&self) -> Result<()> {
        Ok(self.driver.refresh().await?)
    }

    /// Switches to a tab of this window, counted from 0; the current one moves to the background.
    pub(crate) async fn turn_to(&self, tab: usize) -> Result<()> {
        let opened = async || self.driver.windows().await.ok()?.into_iter().nth(tab);
        let handle = wait_for(&format!("there is a tab {tab}"), PATIENCE, opened).await?;
        self.driver.switch_to_window(handle).await.with_context(|| format!("tab {tab} cannot be looked at"))
    }

    /// Path and query of the current page.
    pub(crate) async fn path(&self) -> Result<String> {
        let url = self.driver.current_url().await?;
        Ok(url.as_str().strip_prefix(&self.base).unwrap_or(url.as_str()).to_owned())
    }

    /// Waits until the current path begins with this one, and returns all of it.
    pub(crate) async fn arrives_at(&self, path: &str) -> Result<String> {
        let arrived = async || self.path().await.ok().filter(|shown| shown.starts_with(path));
        let waited = wait_for(&format!("{path} is shown"), PATIENCE, arrived).await;
        if waited.is_err() {
            return waited.context(format!("{} is shown: {}", self.path().await?, self.text().await.unwrap_or_default()));
        }
        waited
    }

    /// The visible text of the page's main part.
    pub(crate) async fn text(&self) -> Result<String> {
        self.text_of("main").await
    }

    /// The visible text of the first element that matches a selector.
    pub(crate) async fn text_of(&self, selector: &str) -> Result<String> {
        steady(async || Ok(self.element(selector).await?.text().await?)).await
    }

    /// The visible texts of all elements that match a selector.
    pub(crate) async fn texts_of(&self, selector: &str) -> Result<Vec<String>> {
        steady(async || {
            let mut texts = vec![];
            for element in self.driver.find_all(By::Css(selector)).await? {
                texts.push(element.text().await?);
            }
            Ok(texts)
        })
        .await
    }

    /// An attribute of each element that matches a selector and has it.
    pub(crate) async fn attributes(&self, selector: &str, name: &str) -> Result<Vec<String>> {
        steady(async || {
            let mut values = vec![];
            for element in self.driver.find_all(By::Css(selector)).await? {
                values.extend(element.attr(name).await?);
            }
            Ok(values)
        })
        .await
    }

    /// The first element that matches a selector.
    pub(crate) async fn element(&self, selector: &str) -> Result<WebElement> {
        self.driver.find(By::Css(selector)).await.with_context(|| format!("the page has no {selector}"))
    }

    /// Whether an element matches the selector.
    pub(crate) async fn has(&self, selector: &str) -> Result<bool> {
        Ok(!self.driver.find_all(By::Css(selector)).await?.is_empty())
    }

    /// Waits until the page contains this text, and returns all of its text.
    pub(crate) async fn says(&self, words: &str) -> Result<String> {
        self.shows("main", words).await
    }

    /// Waits until an element of the page contains this text, and returns all of the element's text.
    pub(crate) async fn shows(&self, selector: &str, words: &str) -> Result<String> {
        let what = format!("{selector} of the page says {words:?}");
        // An element that is being swapped may disappear while it is read: read it again.
        let waited = self.wait_until(&what, async || Ok(self.text_of(selector).await?.contains(words))).await;
        let said = self.text_of(selector).await.unwrap_or_default();
        waited.with_context(|| format!("it says: {said}"))?;
        Ok(said)
    }

    /// Waits until a condition holds; an error counts as not yet.
    pub(crate) async fn wait_until(&self, what: &str, condition: impl AsyncFn() -> Result<bool>) -> Result<()> {
        wait_for(what, PATIENCE, async || condition().await.ok().filter(|so| *so).map(drop)).await
    }

    /// Runs a script in the page, as the developer tools do.
    pub(crate) async fn run(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        Ok(self.driver.execute(script, arguments).await?.json().clone())
    }

    /// Runs a script that calls its last argument when it is done.
    pub(crate) async fn run_async(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        Ok(self.driver.execute_async(script, arguments).await?.json().clone())
    }

    /// The address and the source of the current page.
    pub(super) async fn source(&self) -> Result<(String, String)> {
        Ok((self.driver.current_url().await?.to_string(), self.driver.source().await?))
    }

    /// Fails with the page's text unless the condition holds.
    pub(crate) async fn requires(&self, holds: bool, what: &str) -> Result<()> {
        ensure!(holds, "{what}: {}: {}", self.path().await?, self.text().await.unwrap_or_default());
        Ok(())
    }
}
