//! The static files of pages: the stylesheet, the scripts, the icons. Each has a URL that changes with its content, so that a
//! browser may cache it permanently. They are part of the program; nothing is fetched from elsewhere.
//!
//! htmx and the font are kept as their packages have them; `assets/manifest.json` names the source. The icons are those of Bootstrap Icons (MIT)
//! that are in use, as symbols of one file.

use crate::http::error::Error;
use crate::http::request::path::Path;
use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, ContentEncoding};
use sha2::Digest;
use std::sync::LazyLock;

/// A file that is part of the program.
pub(crate) struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    hash: LazyLock<String>,
}

impl Asset {
    const fn new(name: &'static str, content_type: &'static str, bytes: &'static [u8], hash: fn() -> String) -> Self {
        Self { name, content_type, bytes, hash: LazyLock::new(hash) }
    }

    /// The URL of the file: `/assets/{hash}/{name}`.
    pub(crate) fn url(&self) -> String {
        format!("/assets/{}/{}", *self.hash, self.name)
    }
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(&sha2::Sha256::digest(bytes)[..8])
}

macro_rules! asset {
    ($(#[$doc:meta])* $constant:ident, $name:literal, $content_type:literal) => {
        $(#[$doc])*
        pub(crate) static $constant: Asset = {
            const BYTES: &[u8] = include_bytes!(concat!("assets/", $name));
            Asset::new($name, $content_type, BYTES, || hash(BYTES))
        };
    };
}

asset!(
    /// The stylesheet of all pages.
    STYLE, "style.css", "text/css; charset=utf-8"
);
/// htmx with its extension for server-sent events. They are one file, because htmx starts as soon as it has run: an extension
/// that arrives later, as a second file may, is never applied to the elements that are on the page already.
pub(crate) static HTMX: Asset = {
    const BYTES: &[u8] = concat!(include_str!("assets/htmx.min.js"), "\n;\n", include_str!("assets/hx-sse.min.js")).as_bytes();
    Asset::new("htmx.min.js", "text/javascript; charset=utf-8", BYTES, || hash(BYTES))
};
asset!(
    /// Our own script.
    SCRIPT, "app.js", "text/javascript; charset=utf-8"
);
asset!(
    /// The icons, as symbols.
    ICONS, "icons.svg", "image/svg+xml"
);

asset!(
    /// The logo, which is the icon of the pages as well.
    LOGO, "logo.svg", "image/svg+xml"
);
asset!(
    /// The font of all texts and numbers: Inter, a variable font with the characters of Latin-1. The stylesheet names its URL.
    FONT, "inter.woff2", "font/woff2"
);
asset!(
    /// The icon for programs that request only `/favicon.ico`.
    FAVICON, "favicon.ico", "image/x-icon"
);

static ALL: [&Asset; 7] = [&STYLE, &HTMX, &SCRIPT, &ICONS, &LOGO, &FONT, &FAVICON];

/// Handles `GET /assets/{hash}/{name}`.
pub(super) async fn show(Path((hash, name)): Path<(String, String)>) -> Result<HttpResponse, Error> {
    let asset = ALL.iter().find(|asset| asset.name == name && *asset.hash == hash);
    let asset = asset.ok_or_else(|| Error::NotFound("this file has changed; reload the page".to_owned()))?;
    Ok(served(asset, "public, max-age=31536000, immutable"))
}

/// Handles `GET /favicon.ico`, which browsers and other programs request without reading a page.
pub(super) async fn favicon() -> HttpResponse {
    served(&FAVICON, "public, max-age=86400")
}

fn served(asset: &Asset, cached: &'static str) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.content_type(asset.content_type).insert_header((CACHE_CONTROL, cached));
    // A font of this form is compressed already.
    if asset.name == FONT.name {
        response.insert_header(ContentEncoding::Identity);
    }
    response.body(asset.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use serde::Deserialize;

    /// The parts of [`HTMX`], by the names in `assets/manifest.json`.
    const HTMX_PARTS: [(&str, &str); 2] =
        [("htmx.min.js", include_str!("assets/htmx.min.js")), ("hx-sse.min.js", include_str!("assets/hx-sse.min.js"))];

    #[derive(Deserialize)]
    struct Vendored {
        file: String,
        sha384: String,
    }

    #[test]
    fn third_party_assets_are_unmodified() {
        let vendored: Vec<Vendored> = serde_json::from_str(include_str!("assets/manifest.json")).expect("a manifest");
        let served = std::str::from_utf8(HTMX.bytes).expect("UTF-8");
        for (file, text) in HTMX_PARTS {
            let entry = vendored.iter().find(|entry| entry.file == file).expect("an entry");
            let hash = base64::engine::general_purpose::STANDARD.encode(sha2::Sha384::digest(text));
            assert_eq!(hash, entry.sha384, "{file}");
            assert!(served.contains(text), "{file} is not served");
        }
        let font = vendored.iter().find(|entry| entry.file == FONT.name).expect("the font");
        assert_eq!(base64::engine::general_purpose::STANDARD.encode(sha2::Sha384::digest(FONT.bytes)), font.sha384);
    }

    #[test]
    fn the_stylesheet_names_the_font_by_its_content() {
        let style = std::str::from_utf8(STYLE.bytes).expect("UTF-8");
        assert!(style.contains(&format!("url(\"{}\")", FONT.url())), "write {} into style.css", FONT.url());
    }

    #[test]
    fn the_font_leaves_room_for_the_rest_of_a_first_page_of_130_kb() {
        assert!(FONT.bytes.len() < 50_000, "{}", FONT.bytes.len());
    }

    #[test]
    fn every_icon_that_pages_name_is_in_the_sprite() {
        let sprite = std::str::from_utf8(ICONS.bytes).expect("UTF-8");
        for icon in crate::pages::components::icon::ALL {
            assert!(sprite.contains(&format!("<symbol id=\"{icon}\"")), "{icon}");
        }
    }
}
