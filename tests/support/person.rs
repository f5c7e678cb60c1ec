//! A user with a browser that does not follow redirects and keeps one cookie.

use super::process::Process;
use anyhow::{Context, Result, ensure};
use reqwest::header::{ACCEPT, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, StatusCode, redirect};

/// A user with a browser.
pub(crate) struct Person {
    client: Client,
    base: String,
    /// The browser's cookie: `name=value`.
    pub(crate) cookie: Option<String>,
}

/// The answer of a page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    /// The redirect's target; empty without one.
    pub(crate) location: String,
    pub(crate) text: String,
}

impl Person {
    /// A user without a cookie.
    pub(crate) fn new(service: &Process) -> Result<Self> {
        let client = Client::builder().redirect(redirect::Policy::none()).user_agent("Test browser").build()?;
        Ok(Self { client, base: service.url(""), cookie: None })
    }

    /// A user whose browser has this cookie.
    pub(crate) fn with(service: &Process, cookie: Option<String>) -> Result<Self> {
        Ok(Self { cookie, ..Self::new(service)? })
    }

    /// Signs a user in.
    pub(crate) async fn signed_in(service: &Process, name: &str, password: &str) -> Result<Self> {
        let mut person = Self::new(service)?;
        let page = person.send("/sign-in", &[("user", name), ("password", password)]).await?;
        ensure!(page.status == StatusCode::SEE_OTHER, "{name} cannot sign in: {page:?}");
        Ok(person)
    }

    /// The secret in the browser's cookie.
    pub(crate) fn secret(&self) -> Result<String> {
        let cookie = self.cookie.as_deref().context("no cookie")?;
        Ok(cookie.rsplit_once('_').context("no secret")?.1.to_owned())
    }

    /// Requests a page.
    pub(crate) async fn look(&mut self, path: &str) -> Result<Page> {
        self.request(self.client.get(format!("{}{path}", self.base))).await
    }

    /// Submits a form.
    pub(crate) async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Page> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let request = self.client.post(format!("{}{path}", self.base)).body(body.finish());
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        self.request(request.header("Origin", self.base.clone())).await
    }

    async fn request(&mut self, mut request: RequestBuilder) -> Result<Page> {
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let answer = request.header(ACCEPT, "text/html").send().await?;
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (status, location) = (answer.status(), header(LOCATION));
        // The session's cookie; an answer may set others too, such as the message of the next page.
        let set = answer.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
        let of_session = set.filter_map(|set| Some(set.split_once(';')?.0)).find(|pair| pair.contains("bootledger"));
        if let Some(pair) = of_session {
            self.cookie = Some(pair.to_owned()).filter(|pair| !pair.ends_with('='));
        }
        Ok(Page { status, location, text: answer.text().await? })
    }
}
