//! Exports as CSV (RFC 4180).

mod sending;

use crate::http::error::Error;
use crate::http::request::snapshot::{Snapshot, name_position};
use actix_web::HttpResponse;
use actix_web::body::SizedStream;
use actix_web::http::header::CONTENT_DISPOSITION;
use bootledger_aggregates::values::invisible;
use std::borrow::Cow;
use std::io;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

/// How long an export may take to be written.
const WRITING: Duration = Duration::from_mins(5);
/// How long a client may take to receive an export.
const SENDING: Duration = Duration::from_mins(15);

/// All rows of a list, as a file to download: `rows` returns the next lines, and `None` at the end.
///
/// The rows are written to a temporary file before they are sent, in the one transaction of the snapshot. So the export shows one
/// state, and a client that reads slowly does not hold a database connection. The number of such files is limited for each caller
/// and for the process, until they have been sent or the time limit has passed.
pub(crate) async fn download(
    name: &str,
    head: &str,
    snapshot: Snapshot<'_>,
    rows: impl AsyncFnMut(&mut Snapshot<'_>) -> Result<Option<String>, Error>,
) -> Result<HttpResponse, Error> {
    file(name, "text/csv; charset=utf-8; header=present", head, snapshot, rows).await
}

/// The same as [`download`], of another type.
pub(crate) async fn file(
    name: &str,
    content_type: &'static str,
    head: &str,
    mut snapshot: Snapshot<'_>,
    mut rows: impl AsyncFnMut(&mut Snapshot<'_>) -> Result<Option<String>, Error>,
) -> Result<HttpResponse, Error> {
    let permit = snapshot.file_permit()?;
    let mut file = File::from_std(tempfile::tempfile().map_err(unwritten)?);
    file.write_all(head.as_bytes()).await.map_err(unwritten)?;
    let written = tokio::time::timeout(WRITING, async {
        while let Some(lines) = rows(&mut snapshot).await? {
            file.write_all(lines.as_bytes()).await.map_err(unwritten)?;
        }
        Ok::<_, Error>(())
    });
    let late = |_| {
        let message =
            format!("the export was not ready within {} minutes; use filters to make it smaller", WRITING.as_secs() / 60);
        Error::unavailable(message, 60)
    };
    written.await.map_err(late)??;
    let position = snapshot.position;
    drop(snapshot);
    let length = file.stream_position().await.map_err(unwritten)?;
    file.rewind().await.map_err(unwritten)?;
    let parts = sending::parts(file, permit, SENDING);
    let mut response = HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .body(SizedStream::new(length, Box::pin(parts)));
    name_position(&mut response, position);
    Ok(response)
}

/// The error of an export that cannot be written to its temporary file.
fn unwritten(error: io::Error) -> Error {
    let is_full = error.kind() == io::ErrorKind::StorageFull;
    let source = anyhow::Error::new(error).context("cannot write the export");
    if is_full {
        let message = "the disk for temporary files is full; free space on it, or use filters to make the export smaller";
        Error::StorageFull { message: message.to_owned(), retry_after: 60, source }
    } else {
        Error::Internal(source)
    }
}

/// A cell, quoted if necessary. A text that a spreadsheet would take for a formula gets an apostrophe before it, and invisible
/// characters are written out. Every export writes its cells with this function.
pub(crate) fn cell(text: &str) -> String {
    let text = invisible::shown(text);
    let text = if is_formula(&text) { Cow::Owned(format!("'{text}")) } else { text };
    if text.contains([',', '"', '\n', '\r', ';', '\t']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into_owned()
    }
}

/// Whether a spreadsheet may take a text for a formula: by its first character, including full-width and small forms of East
/// Asian keyboards, after spaces and quotes, which some programs drop.
fn is_formula(text: &str) -> bool {
    const SIGNS: [char; 15] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹦', '﹢', '﹣', '﹫', '−', '⁼', '⁺'];
    let dropped = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '“' | '”' | '„' | '‘' | '’' | '＂' | '＇')
    };
    text.starts_with(['\t', '\r', '\n']) || text.trim_start_matches(dropped).starts_with(SIGNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_cell_becomes_another_cell() {
        assert_eq!(cell("a,b \"c\"\nd"), "\"a,b \"\"c\"\"\nd\"");
        assert_eq!(cell("h200.dc1.example"), "h200.dc1.example");
        assert_eq!(cell("a\u{202e}b"), "a‹U+202E›b");
    }

    #[test]
    fn nothing_in_a_cell_becomes_a_formula() {
        for sign in ["=", "+", "-", "@", "＝", "＋", "－", "＠", "﹦", "−"] {
            for before in ["", " ", "\t", "\r", "\n", "\u{a0}", "\u{3000}", "\"", "'", " \" "] {
                let text = format!("{before}{sign}cmd");
                let cell = cell(&text);
                assert!(cell.trim_start_matches('"').starts_with('\''), "{text:?} is {cell:?}");
            }
        }
        for text in ["a=b", "1-2", "'quoted'", "web-01", "Łódź"] {
            assert_eq!(cell(text), text);
        }
    }
}
