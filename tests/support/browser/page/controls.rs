//! Fields, buttons and links: found by their labels and texts, and used as a user does.

use super::Page;
use crate::support::browser::{PATIENCE, wait_for};
use anyhow::{Context, Result, bail};
use std::time::Duration;
use thirtyfour::{By, Key, WebElement};

impl Page {
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
        let before = self.driver.windows().await?.len();
        let opened = async || (self.driver.windows().await.ok()?.len() > before).then_some(());
        // A click is lost if a live page is updated between the press and the release; a person clicks again.
        for _ in 0..3 {
            let link = self.link(text).await?;
            let click = self.driver.action_chain().key_down(Key::Control).click_element(&link).key_up(Key::Control);
            click.perform().await.with_context(|| format!("the link {text:?} cannot be opened in a tab"))?;
            if wait_for("a tab is open", Duration::from_secs(10), opened).await.is_ok() {
                return Ok(());
            }
        }
        bail!("the link {text:?} opens no tab")
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
