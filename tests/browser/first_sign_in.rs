//! A user with a one-time password signs in, chooses another, and arrives at the page that he or she requested.

use super::centre::{Centre, sign_in};
use crate::support::browser::{Browsers, Look};
use anyhow::{Result, ensure};

const CHOSEN: &str = "seven green bicycles";

#[tokio::test]
async fn the_first_sign_in_requires_a_new_password() -> Result<()> {
    let centre = Centre::start().await?;
    let once = centre.run(&["user", "create", "ada", "--role", "operator"]).await?.trim().to_owned();
    Browsers::run_story("first_sign_in", async |browsers| {
        let page = browsers.open(&centre, Look::default()).await?;
        // A user who is not signed in is sent to the sign-in page, and arrives at the requested page afterwards.
        page.visit("/timeline").await?;
        page.arrives_at("/sign-in").await?;
        page.fill("User name", "ada").await?;
        page.fill("Password", "a guess that is wrong").await?;
        page.press("Sign in").await?;
        page.shows("[role=alert]", "The user name or the password is wrong.").await?;
        ensure!(page.value("User name").await? == "ada", "the name is gone");
        page.fill("Password", &once).await?;
        page.press("Sign in").await?;
        page.says("Choose a password").await?;
        // Until then, every other page redirects.
        let script = "const done = arguments[arguments.length - 1];
            fetch('/deployments', { headers: { accept: 'text/html' } }).then(answer => done(new URL(answer.url).pathname));";
        let elsewhere = page.run_async(script, vec![]).await?;
        ensure!(elsewhere == "/settings/password", "instead of a page there was {elsewhere}");
        page.fill("Current password", &once).await?;
        page.fill("New password", "ada").await?;
        page.fill("Repeat the new password", "eve").await?;
        page.press("Set password").await?;
        let message = page.shows("[role=alert]", "problems").await?;
        ensure!(message.contains("differ"), "{message}");
        page.fill("Current password", &once).await?;
        page.fill("New password", CHOSEN).await?;
        page.fill("Repeat the new password", CHOSEN).await?;
        page.press("Set password").await?;
        page.arrives_at("/timeline").await?;
        page.shows("header", "ada").await?;
        page.press("Sign out").await?;
        page.arrives_at("/sign-in").await?;
        page.visit("/timeline").await?;
        page.arrives_at("/sign-in").await?;
        // The new password works in another browser, and the old one does not.
        let other = browsers.open(&centre, Look::default()).await?;
        sign_in(&other, "ada", CHOSEN).await?;
        other.arrives_at("/").await?;
        other.visit("/timeline").await?;
        other.shows("header", "ada").await?;
        Ok(())
    })
    .await?;
    let log = [centre.log()?, centre.run(&["export"]).await?].concat();
    ensure!(!log.contains(CHOSEN) && !log.contains(&once), "a password is in the log or in an event");
    Ok(())
}
