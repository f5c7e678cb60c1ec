//! The whole job without a mouse: every link, field and button can be reached with Tab, shows that it has the focus, and works
//! with Enter.

use super::centre::{Centre, user};
use crate::support::browser::{Browsers, Look, Page};
use anyhow::{Result, bail, ensure};
use thirtyfour::Key;

/// Presses Tab until the focused element has this name.
async fn tab_to(page: &Page, called: &str) -> Result<()> {
    let mut passed = vec![];
    for _ in 0..150 {
        page.key(Key::Tab).await?;
        let focus = page.focus().await?;
        if focus.starts_with(called) {
            let seen = page.run(VISIBLE, vec![]).await?;
            ensure!(seen == true, "it cannot be seen that {focus} has the focus");
            return Ok(());
        }
        passed.push(focus);
    }
    bail!("Tab does not lead to {called:?}, but to {passed:?}")
}

/// Whether the focused element is inside the window and looks different from the same element without the focus.
const VISIBLE: &str = "const e = document.activeElement, box = e.getBoundingClientRect(), style = getComputedStyle(e);
    return box.width > 0 && box.bottom > 0 && box.top < innerHeight
        && (style.outlineStyle !== 'none' || style.boxShadow !== 'none');";

#[tokio::test]
async fn a_server_is_deployed_with_the_keyboard_alone() -> Result<()> {
    let centre = Centre::start().await?;
    let password = user(&centre, "ada", "operator").await?;
    Browsers::run_story("keyboard", async |browsers| {
        let page = browsers.open(&centre, Look::default()).await?;
        page.visit("/devices").await?;
        page.arrives_at("/sign-in").await?;
        tab_to(&page, "input User name").await?;
        page.typed("ada").await?;
        tab_to(&page, "input Password").await?;
        page.typed(&password).await?;
        page.key(Key::Enter).await?;
        page.arrives_at("/devices").await?;
        // The navigation can be reached, and the first link skips it.
        tab_to(&page, "a Deployments /deployments").await?;
        page.key(Key::Enter).await?;
        page.arrives_at("/deployments").await?;
        page.visit("/devices").await?;
        tab_to(&page, "a Skip to the content").await?;
        page.key(Key::Enter).await?;
        tab_to(&page, "a R640 no. 1 /devices/").await?;
        page.key(Key::Enter).await?;
        page.arrives_at("/devices/0").await?;
        tab_to(&page, "a Deploy…").await?;
        page.key(Key::Enter).await?;
        page.says("Assignment").await?;
        tab_to(&page, "select Venture").await?;
        page.typed("shop").await?;
        page.wait_until("the roles are those of the venture", async || {
            Ok(page.attributes("#field-role option", "value").await?.contains(&"web".to_owned()))
        })
        .await?;
        tab_to(&page, "select Role").await?;
        page.typed("web").await?;
        tab_to(&page, "select Boot image").await?;
        page.typed("debian").await?;
        tab_to(&page, "button Deploy").await?;
        page.key(Key::Enter).await?;
        let path = page.arrives_at("/deployments/").await?;
        let deployment = centre.get(&format!("/api/v1{path}")).await?;
        ensure!(deployment["venture"] == "shop" && deployment["boot_image"] == "debian-12", "{deployment}");
        tab_to(&page, "a Cancel…").await?;
        page.key(Key::Enter).await?;
        tab_to(&page, "input Reason").await?;
        page.typed("with the keyboard").await?;
        page.key(Key::Enter).await?;
        page.shows("#head .note", "with the keyboard").await?;
        Ok(())
    })
    .await
}
