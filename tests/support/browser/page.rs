//! A window of a browser, with a user's actions: visit, fill, press, follow, read.

#![expect(dead_code, reason = "the stories of the pages that are being written use it")]

use super::look::{Look, Scheme};
use super::{PATIENCE, wait_for};
use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use thirtyfour::error::{WebDriverError, WebDriverErrorInner};
use thirtyfour::{By, Key, WebDriver, WebElement};

/// A window; clones share it.
#[derive(Clone)]
pub(crate) struct Page {
    driver: WebDriver,
    base: String,
    expected: Arc<Mutex<Vec<&'static str>>>,
}

/// A browser's message about a page that answers with an error; the test knows whether that is one.
const ANSWERS: [&str; 4] = ["status of 401 ", "status of 403 ", "status of 409 ", "status of 422 "];

/// A browser's message about all pending requests when the machine gains or loses a network, as it does with each lab.
const DISTURBED: &str = "net::ERR_NETWORK_CHANGED";
/// Messages that follow from that one.
const CONSEQUENCES: [&str; 2] = ["htmx:error: Failed to fetch", "htmx:sse:error"];

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

    /// Sets colours and width; the page changes immediately.
    pub(crate) async fn looks(&self, look: Look) -> Result<()> {
        self.colours(look.scheme).await?;
        self.width(look.width).await
    }

    /// Sets the colours that the system prefers, and switches animations off.
    pub(crate) async fn colours(&self, scheme: Scheme) -> Result<()> {
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme.name() },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await?;
        Ok(())
    }

    /// Sets the width of the window in CSS pixels.
    pub(crate) async fn width(&self, width: u32) -> Result<()> {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await?;
        Ok(())
    }

    /// Sends a header with each request.
    pub(crate) async fn header(&self, name: &str, value: &str) -> Result<()> {
        self.devtools("Network.enable", json!({})).await?;
        self.devtools("Network.setExtraHTTPHeaders", json!({ "headers": { name: value } })).await?;
        Ok(())
    }

    /// Makes every request fail whose address matches one of these patterns (`*` matches anything). Without patterns, all
    /// requests work again.
    pub(crate) async fn cuts_off(&self, addresses: &[&str]) -> Result<()> {
        self.devtools("Network.enable", json!({})).await?;
        self.devtools("Network.setBlockedURLs", json!({ "urls": addresses })).await?;
        Ok(())
    }

    async fn devtools(&self, method: &str, parameters: Value) -> Result<Value> {
        self.driver.cdp().send_raw(method, parameters).await.with_context(|| format!("the browser refused {method}"))
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

    /// The visible control that a label belongs to.
    pub(crate) async fn field(&self, label: &str) -> Result<WebElement> {
        let exact = format!("//label[normalize-space()={}]", literal(label));
        let begun = format!("//label[starts-with(normalize-space(),{})]", literal(label));
        let named = format!("//*[self::input or self::select or self::textarea][@aria-label={}]", literal(label));
        let found = async || {
            for path in [&exact, &begun] {
                for label in self.driver.find_all(By::XPath(path)).await.ok()? {
                    let control = match label.attr("for").await.ok()? {
                        Some(id) => self.driver.find(By::Id(id)).await.ok()?,
                        None => label.find(By::Css("input, select, textarea")).await.ok()?,
                    };
                    if let Some(control) = self.seen(vec![control]).await.ok()? {
                        return Some(control);
                    }
                }
            }
            let named = self.driver.find_all(By::XPath(&named)).await.ok()?;
            self.seen(named).await.ok()?
        };
        wait_for(&format!("there is a field {label:?}"), PATIENCE, found).await
    }

    /// Writes into a field, or selects from a list, by its label.
    pub(crate) async fn fill(&self, label: &str, value: &str) -> Result<()> {
        let field = self.field(label).await?;
        if field.tag_name().await? == "select" {
            return choose(&field, label, value).await;
        }
        field.clear().await?;
        field.send_keys(value).await.with_context(|| format!("nothing can be written into {label:?}"))
    }

    /// Selects a file of this machine, by the label of its field.
    pub(crate) async fn choose_file(&self, label: &str, file: &std::path::Path) -> Result<()> {
        let path = file.to_str().context("a path in UTF-8")?;
        self.field(label).await?.send_keys(path).await.with_context(|| format!("{path} cannot be chosen"))
    }

    /// The value of a field.
    pub(crate) async fn value(&self, label: &str) -> Result<String> {
        Ok(self.field(label).await?.value().await?.unwrap_or_default())
    }

    /// Ticks a box or a radio button, unless it is ticked.
    pub(crate) async fn tick(&self, label: &str) -> Result<()> {
        let field = self.field(label).await?;
        if !field.is_selected().await? {
            field.click().await?;
        }
        Ok(())
    }

    /// The button with this text.
    pub(crate) async fn button(&self, text: &str) -> Result<WebElement> {
        let text = literal(text);
        self.by_text(&format!(
            "//button[normalize-space()={text}] | //input[@type='submit' and @value={text}] | //summary[normalize-space()={text}]"
        ))
        .await
        .with_context(|| format!("there is no button {text}"))
    }

    /// The link with this text.
    pub(crate) async fn link(&self, text: &str) -> Result<WebElement> {
        let text = literal(text);
        self.by_text(&format!("//a[@href][normalize-space()={text}]")).await.with_context(|| format!("there is no link {text}"))
    }

    /// The first visible element. A script in the page decides this: for `WebDriver` nothing in a closed `details` is visible,
    /// though a style sheet may show it, as ours does with the menu.
    async fn seen(&self, elements: Vec<WebElement>) -> Result<Option<WebElement>> {
        for element in elements {
            let script = "return arguments[0].checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })";
            if self.run(script, vec![element.to_json()?]).await? == true {
                return Ok(Some(element));
            }
        }
        Ok(None)
    }

    async fn by_text(&self, path: &str) -> Result<WebElement> {
        let found = async || self.seen(self.driver.find_all(By::XPath(path)).await.ok()?).await.ok()?;
        match wait_for("it is seen", PATIENCE, found).await {
            Ok(element) => Ok(element),
            Err(error) => {
                let offered = self.texts_of("button, summary, a[href]").await.unwrap_or_default().join(" | ");
                Err(error.context(format!("on {} there are: {offered}", self.path().await?)))
            }
        }
    }

    /// Clicks at the element's position; [`seen`](Self::seen) explains why not through the element.
    async fn click(&self, element: WebElement) -> Result<()> {
        if element.is_displayed().await? {
            return Ok(element.click().await?);
        }
        element.scroll_into_view().await?;
        Ok(self.driver.action_chain().move_to_element_center(&element).click().perform().await?)
    }

    /// Presses a button.
    pub(crate) async fn press(&self, text: &str) -> Result<()> {
        self.click(self.button(text).await?).await.with_context(|| format!("the button {text:?} cannot be pressed"))
    }

    /// Follows a link.
    pub(crate) async fn follow(&self, text: &str) -> Result<()> {
        self.click(self.link(text).await?).await.with_context(|| format!("the link {text:?} cannot be followed"))
    }

    /// Opens a link in a background tab, as a click with Control does.
    pub(crate) async fn open_in_background(&self, text: &str) -> Result<()> {
        let link = self.link(text).await?;
        let click = self.driver.action_chain().key_down(Key::Control).click_element(&link).key_up(Key::Control);
        click.perform().await.with_context(|| format!("the link {text:?} cannot be opened in a tab"))
    }

    /// Switches to a tab of this window, counted from 0; the current one moves to the background.
    pub(crate) async fn turn_to(&self, tab: usize) -> Result<()> {
        let opened = async || self.driver.windows().await.ok()?.into_iter().nth(tab);
        let handle = wait_for(&format!("there is a tab {tab}"), PATIENCE, opened).await?;
        self.driver.switch_to_window(handle).await.with_context(|| format!("tab {tab} cannot be looked at"))
    }

    /// Presses a key on the focused element.
    pub(crate) async fn key(&self, key: Key) -> Result<()> {
        self.typed(&char::from(key).to_string()).await
    }

    /// Types text into the focused element.
    pub(crate) async fn typed(&self, text: &str) -> Result<()> {
        self.driver.action_chain().send_keys(text).perform().await.context("nothing can be typed")
    }

    /// The focused element: its tag, its text or label or name, and its link target.
    pub(crate) async fn focus(&self) -> Result<String> {
        let script = "const e = document.activeElement; if (!e || e === document.body) return 'nothing';
            const label = e.labels && e.labels.length ? e.labels[0].innerText : '';
            return [e.localName, (label || e.innerText || e.value || e.getAttribute('aria-label') || e.name || '')
                .trim().replace(/\\s+/g, ' '), e.getAttribute('href') || ''].join(' ').trim();";
        Ok(self.run(script, vec![]).await?.as_str().unwrap_or_default().to_owned())
    }

    /// Runs a script in the page, as the developer tools do.
    pub(crate) async fn run(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        Ok(self.driver.execute(script, arguments).await?.json().clone())
    }

    /// Runs a script that calls its last argument when it is done.
    pub(crate) async fn run_async(&self, script: &str, arguments: Vec<Value>) -> Result<Value> {
        Ok(self.driver.execute_async(script, arguments).await?.json().clone())
    }

    /// A screenshot of the whole page, as PNG.
    pub(crate) async fn picture(&self) -> Result<Vec<u8>> {
        let metrics = self.devtools("Page.getLayoutMetrics", json!({})).await?;
        let size = &metrics["cssContentSize"];
        let height = size["height"].as_f64().context("a height")?.min(8_000.0);
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1 });
        let wanted = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip, "optimizeForSpeed": true });
        let picture = self.devtools("Page.captureScreenshot", wanted).await?;
        Ok(STANDARD.decode(picture["data"].as_str().context("a picture")?)?)
    }

    /// The address and the source of the current page.
    pub(super) async fn source(&self) -> Result<(String, String)> {
        Ok((self.driver.current_url().await?.to_string(), self.driver.source().await?))
    }

    /// Marks complaints with these words as expected.
    pub(crate) fn expects(&self, words: &'static str) {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).push(words);
    }

    /// What the browser has complained about since the last call: script errors, policy violations, and files that cannot be
    /// loaded.
    pub(crate) async fn complaints(&self) -> Result<Vec<String>> {
        let entries = self.driver.browser_log().await?;
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bad = entries.into_iter().filter(|entry| matches!(entry.level.as_str(), "SEVERE" | "WARNING"));
        let bad: Vec<String> = bad.map(|entry| format!("{}: {}", entry.source.unwrap_or_default(), entry.message)).collect();
        let disturbed = bad.iter().any(|text| text.contains(DISTURBED));
        let of_the_machine = [DISTURBED].into_iter().chain(CONSEQUENCES).filter(|_| disturbed);
        let expected: Vec<&str> = ANSWERS.into_iter().chain(expected).chain(of_the_machine).collect();
        Ok(bad.into_iter().filter(|text| !expected.iter().any(|words| text.contains(words))).collect())
    }

    /// Fails with the page's text unless the condition holds.
    pub(crate) async fn requires(&self, holds: bool, what: &str) -> Result<()> {
        ensure!(holds, "{what}: {}: {}", self.path().await?, self.text().await.unwrap_or_default());
        Ok(())
    }
}

async fn choose(list: &WebElement, label: &str, wanted: &str) -> Result<()> {
    let mut offered = vec![];
    for option in list.find_all(By::Tag("option")).await? {
        let text = option.prop("textContent").await?.unwrap_or_default().trim().to_owned();
        if text == wanted || option.value().await?.as_deref() == Some(wanted) {
            return Ok(option.click().await?);
        }
        offered.push(text);
    }
    bail!("the list {label:?} does not offer {wanted:?}, but {offered:?}")
}

/// A text as an `XPath` 1.0 literal, which has no escapes.
fn literal(text: &str) -> String {
    if text.contains('\'') {
        let parts: Vec<String> = text.split('\'').map(|part| format!("'{part}'")).collect();
        return format!("concat({})", parts.join(", \"'\", "));
    }
    format!("'{text}'")
}
