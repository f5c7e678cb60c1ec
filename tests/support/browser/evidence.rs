//! What a failed test leaves behind.

use super::page::Page;

/// Writes a screenshot and the source of the page. An error here is ignored, because this runs after a failure.
pub(super) async fn keep(page: &Page, name: &str) {
    let folder = crate::support::target().join("browser/failures");
    drop(std::fs::create_dir_all(&folder));
    let at = |ending: &str| folder.join(format!("{name}.{ending}"));
    match page.picture().await {
        Ok(picture) => drop(std::fs::write(at("png"), picture)),
        Err(error) => eprintln!("there is no picture of the failure: {error:#}"),
    }
    match page.source().await {
        Ok((url, source)) => {
            drop(std::fs::write(at("html"), source));
            eprintln!("the browser showed {url}; see {}", at("png").display());
        }
        Err(error) => eprintln!("there is no source of the failed page: {error:#}"),
    }
}
