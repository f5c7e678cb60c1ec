//! The settings of a browser: light or dark, narrow or wide, with or without scripts.

use anyhow::Result;
use serde_json::json;
use thirtyfour::common::capabilities::chrome::ChromeCapabilities;
use thirtyfour::{Capabilities, ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel};

/// The colours that the user's system prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

impl Scheme {
    /// The scheme's name in media queries.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// How a user has set up the browser.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) scheme: Scheme,
    pub(crate) width: u32,
    pub(crate) script: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { scheme: Scheme::Light, width: 1280, script: true }
    }
}

impl Look {
    pub(super) fn capabilities(self) -> Result<Capabilities> {
        let mut chrome: ChromeCapabilities = DesiredCapabilities::chrome();
        let arguments = [
            "--headless=new",
            // Root may run the tests, and they show only what the service under test serves.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--window-size=1280,900",
            // The browser must end when chromedriver does, however that ends.
            "--remote-debugging-pipe",
        ];
        for argument in arguments {
            chrome.add_arg(argument)?;
        }
        let mut preferences = json!({ "credentials_enable_service": false, "profile.password_manager_leak_detection": false });
        if !self.script {
            preferences["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        chrome.add_experimental_option("prefs", preferences)?;
        chrome.set_browser_log_level(LoggingPrefsLogLevel::All)?;
        Ok(chrome.into())
    }
}
