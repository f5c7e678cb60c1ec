//! The page `/racks/{key}/add`: adds servers from a CSV file, all of them or none. The user may check the file first; every
//! error is shown with its row and column, and pasted text is kept.

use super::show::{find, head};
use super::upload::Upload;
use crate::english::counted;
use crate::http::auth::caller::Operator;
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::http::request::path::Path;
use crate::pages::components::action::{Allowed, once};
use crate::pages::components::badge::Tone;
use crate::pages::components::block;
use crate::pages::layout::{Page, PageContext, Section};
use actix_web::HttpResponse;
use bootledger_aggregates::rack::RackSpec;
use bootledger_aggregates::user::Role;
use bootledger_aggregates::values::ids::ImportId;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{Context, Imported, PlannedRow, RowError};
use bootledger_projections::rows::catalogue::Entry;
use bytes::Bytes;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// How many errors and how many rows a page shows.
const SHOWN: usize = 200;
/// Maximum size of pasted text that a page shows again, in bytes.
const KEPT: usize = 1024 * 1024;

/// The state of the page.
enum Outcome {
    /// Nothing was sent yet.
    NotSent,
    /// A dry run: what would be started, with the file, so that the user can start it.
    Planned(Vec<PlannedRow>),
    /// The import and its rows, which were started.
    Started(ImportId, Vec<PlannedRow>),
    /// The errors of the file.
    Refused(Vec<RowError>),
}

/// Handles `GET /racks/{key}/add`.
pub(super) async fn load(
    _: Operator,
    page_context: PageContext,
    Path(key): Path<Name>,
    mut backend: Backend,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let rack = find(&mut snapshot, &key).await?;
    let may = page_context.may_change(&snapshot, Role::Operator);
    let content = page(&rack, &Outcome::NotSent, "", &may);
    page_context.answer(snapshot, Page::new("Add servers", Section::Racks, content)).await
}

/// Handles `POST /racks/{key}/add`.
pub(super) async fn import(
    caller: Operator,
    page_context: PageContext,
    mut backend: Backend,
    Path(key): Path<Name>,
    upload: Upload,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read_now().await?;
    let rack = find(&mut snapshot, &key).await?;
    // A large import takes long; no snapshot is held during that time.
    drop(snapshot);
    let pasted = upload.text("csv");
    let file = upload.bytes("file");
    let csv = if file.is_empty() { Bytes::copy_from_slice(pasted.as_bytes()) } else { file.clone() };
    let dry_run = upload.text("what") != "start";
    let imported = backend.import(&csv, dry_run, Some(&key), context(&caller, &upload)).await?;
    let outcome = match imported {
        Imported::Planned(rows) => Outcome::Planned(rows),
        Imported::Refused(errors) => Outcome::Refused(errors),
        Imported::Started { import, receipt, rows } => {
            backend.reach(receipt.position).await;
            Outcome::Started(import, rows)
        }
    };
    // A file that can be shown as text can be corrected on the page, and started from it.
    let kept = std::str::from_utf8(&csv).ok().filter(|text| text.len() <= KEPT).unwrap_or_default();
    let content = page(&rack, &outcome, kept, &Ok(()));
    let snapshot = backend.read_now().await?;
    let page = Page::new("Add servers", Section::Racks, content);
    match outcome {
        Outcome::Refused(_) => Ok(page_context.refused(snapshot.position, page)),
        _ => page_context.answer(snapshot, page).await,
    }
}

/// The context of the form's command, with its key.
fn context(caller: &Operator, upload: &Upload) -> Context {
    let key = upload.text("key");
    let usable = (1..=100).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if usable { caller.context_of_form(key) } else { Context { idempotency_key: None, ..caller.context() } }
}

fn page(rack: &Entry<RackSpec>, outcome: &Outcome, csv: &str, may: &Allowed) -> Markup {
    html! {
        (head(rack, "add", &html! {}))
        @match outcome {
            Outcome::NotSent => {}
            Outcome::Planned(rows) => (planned(rows)),
            Outcome::Started(import, rows) => (started(*import, rows)),
            Outcome::Refused(errors) => (refused(errors)),
        }
        @if !matches!(outcome, Outcome::Started(..)) { (form(rack, csv, may)) }
    }
}

fn form(rack: &Entry<RackSpec>, csv: &str, may: &Allowed) -> Markup {
    html! {
        section.card aria-labelledby="add-title" {
            h2 id="add-title" { "Servers from a CSV file" }
            p { "Each row deploys one server in rack " (rack.key) ". Unknown servers are registered and verified. Bootledger starts either all rows or none." }
            details.more {
                summary { "File format" }
                p { "Columns are separated by ; or , and come in this order, or in any order with a header line: "
                    code { "mac; management_ip; network; venture; role; boot_image; hostname; ip; rack; serial" } "." }
                p { "mac, venture and role are required. Other columns may be empty, and the last four may be omitted. Defaults are the next free address and name, the boot image of the role, and rack " (rack.key) ". A row that names another rack is refused." }
                pre tabindex="0" role="region" aria-label="Example" {
                    "mac;network;venture;role;rack\n52:54:00:12:34:56;prod;shop;web;" (rack.key) "\n"
                }
            }
            @match may {
                Err(reason) => p { (reason) },
                Ok(()) => {
                    form.form.wide method="post" enctype="multipart/form-data" action=(format!("/racks/{}/add", rack.key)) {
                        (once())
                        div.field {
                            label for="field-file" { "File" }
                            span.hint id="hint-file" { "A file takes precedence over the text below." }
                            input type="file" id="field-file" name="file" accept=".csv,text/csv,text/plain" aria-describedby="hint-file";
                        }
                        div.field {
                            label for="field-csv" { "CSV text" }
                            textarea id="field-csv" name="csv" rows="12" spellcheck="false" { "\n" (csv) }
                        }
                        div.actions {
                            button type="submit" name="what" value="check" { "Check" }
                            button.primary type="submit" name="what" value="start" { "Deploy" }
                        }
                    }
                }
            }
        }
    }
}

fn refused(errors: &[RowError]) -> Markup {
    let rows: BTreeSet<u64> = errors.iter().map(|error| error.row).filter(|row| *row > 0).collect();
    let whole = if rows.is_empty() { String::new() } else { format!(" in {}", counted(rows.len(), "row", "rows")) };
    html! {
        div.note.bad role="alert" tabindex="-1" id="refused" {
            h2 { "Not deployed: " (counted(errors.len(), "error", "errors")) (whole) }
            p { "Fix these errors and upload the file again." @if errors.len() > SHOWN { " The first " (SHOWN) " are shown; the API response lists more." } }
        }
        div.scroll {
            table.cards {
                caption.visually-hidden { "Errors" }
                thead { tr { th scope="col" { "Row" } th scope="col" { "Column" } th scope="col" { "Problem" } th scope="col" { "Rule" } } }
                tbody {
                    @for error in errors.iter().take(SHOWN) {
                        tr {
                            th scope="row" { @if error.row == 0 { "The file" } @else { (error.row) } }
                            td data-label="Column" { (error.column) }
                            td data-label="Problem" {
                                div {
                                    (error.broken.message)
                                    @if let Some((kind, id)) = error.broken.holder.as_deref().and_then(|holder| holder.split_once(' ')) {
                                        @if ["device", "deployment"].contains(&kind) { " " a href=(format!("/{kind}s/{id}")) { "Show the " (kind) } }
                                    }
                                }
                            }
                            td data-label="Rule" { code { (error.broken.rule) } }
                        }
                    }
                }
            }
        }
    }
}

fn planned(rows: &[PlannedRow]) -> Markup {
    html! {
        (block::note(Tone::Good, &html! {
            h2 { "The file is valid: " (counted(rows.len(), "deployment", "deployments")) " will be started" }
            p { "Nothing has been started yet. The addresses and names shown are free now; they are reserved when you select Deploy." }
        }))
        (table("Planned deployments", rows))
    }
}

fn started(import: ImportId, rows: &[PlannedRow]) -> Markup {
    let path = format!("/deployments?import={import}");
    html! {
        (block::note(Tone::Good, &html! {
            h2 { @if rows.is_empty() { "This file was already started" } @else { (counted(rows.len(), "deployment", "deployments")) " started" } }
            p { a href=(path) { "Show the deployments of the import" } }
        }))
        @if !rows.is_empty() { (table("Started deployments", rows)) }
    }
}

fn table(caption: &str, rows: &[PlannedRow]) -> Markup {
    html! {
        @if rows.len() > SHOWN { p.quiet { "The first " (SHOWN) " of " (rows.len()) " rows:" } }
        div.scroll {
            table.cards {
                caption.visually-hidden { (caption) }
                thead { tr { th scope="col" { "Row" } th scope="col" { "Device" } th scope="col" { "MAC" } th scope="col" { "Host name" } th scope="col" { "Address" } th scope="col" { "Rack" } th scope="col" { "Venture and role" } th scope="col" { "Boot image" } } }
                tbody {
                    @for row in rows.iter().take(SHOWN) {
                        tr {
                            th scope="row" { (row.row) }
                            td data-label="Device" { @match row.device { Some(device) => { a href=(format!("/devices/{device}")) { "Known" } } None => "New" } }
                            td data-label="MAC" { span.mono { (row.mac) } }
                            td data-label="Host name" { @match row.deployment { Some(deployment) => { a href=(format!("/deployments/{deployment}")) { (row.hostname) } } None => (row.hostname) } }
                            td data-label="Address" { span { span.mono { (row.ip) } " in " a href=(format!("/networks/{}", row.network)) { (row.network) } } }
                            td data-label="Rack" { @if let Some(rack) = &row.rack { (rack) } }
                            td data-label="Venture, role" { span { (row.venture) " / " (row.role) } }
                            td data-label="Boot image" { (row.boot_image) @for note in &row.notes { p.quiet { "Skipped: " (note) } } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::tests::selectors::texts;
    use bootledger_aggregates::rules::{BrokenRule, Rule};

    fn rack() -> Entry<RackSpec> {
        let spec = serde_json::from_str(r#"{"site": "dc1", "units": 42}"#).expect("a rack");
        Entry { key: "r01".parse().expect("a name"), sequence: 1, retired: false, spec }
    }

    fn error(row: u64) -> RowError {
        RowError { row, column: "mac".to_owned(), broken: BrokenRule::new("mac", Rule::Malformed, format!("row {row} is <bad>")) }
    }

    #[test]
    fn every_error_is_shown_with_row_and_column_and_the_text_is_kept() {
        let outcome = Outcome::Refused(vec![error(2), error(2), error(7), error(0)]);
        let html = page(&rack(), &outcome, "mac\n<x>", &Ok(()));
        let summary = texts(&html, "#refused h2").concat();
        assert!(summary.contains("4 ") && summary.contains("2 "), "{summary}");
        assert_eq!(texts(&html, "tbody th")[..3], ["2", "2", "7"]);
        assert!(texts(&html, "tbody td")[1].contains("row 2 is <bad>"));
        assert!(texts(&html, "textarea")[0].contains("mac\n<x>"));
    }

    #[test]
    fn thousands_of_errors_are_counted_and_the_first_are_shown() {
        let errors: Vec<RowError> = (1..=5_000).map(error).collect();
        let html = refused(&errors);
        assert!(texts(&html, "h2")[0].contains("5000 "));
        assert_eq!(texts(&html, "tbody tr").len(), SHOWN);
    }

    #[test]
    fn a_started_import_links_to_its_deployments() {
        let html = page(&rack(), &Outcome::Started(ImportId::default(), vec![]), "", &Ok(()));
        assert_eq!(texts(&html, "a[href^='/deployments?import=']").len(), 1);
        assert!(texts(&html, "form").is_empty());
    }

    #[test]
    fn a_part_that_was_not_sent_is_empty() {
        let upload = Upload::new(vec![("csv".to_owned(), Bytes::from_static(b"mac"))]);
        assert_eq!((upload.text("csv"), upload.text("what"), upload.bytes("file").len()), ("mac", "", 0));
    }
}
