//! The filtered lines of the timeline as files: CSV for people and spreadsheets, JSON lines with the stored events for programs.
//! Both contain every line that matches, the newest first, and are written in batches.

use super::filters::Query;
use crate::confidential::Reader;
use crate::event_filter::{self, move_on};
use crate::http::error::Error;
use crate::http::request::backend::Backend;
use crate::pages::csv::{self, cell};
use crate::pages::layout::PageContext;
use crate::wording::timeline::sentence;
use actix_web::HttpResponse;
use bootledger_projections::rows::timeline::{Line, Order, list_with_payloads};
use serde::Serialize;
use serde_json::value::RawValue;

/// How many events are read at a time.
const BATCH: i64 = 1_000;

const HEAD: &str = "event,time,type,object_type,object,name,actor,request,sentence\r\n";

/// Handles `GET /timeline/export.csv`.
pub(super) async fn csv(page_context: PageContext, backend: Backend) -> Result<HttpResponse, Error> {
    let columns = |line: &Line, _: &str| Ok(row(line));
    export(page_context, backend, ("timeline.csv", "text/csv; charset=utf-8; header=present", HEAD), columns).await
}

/// Handles `GET /timeline/export.jsonl`.
pub(super) async fn json_lines(page_context: PageContext, backend: Backend) -> Result<HttpResponse, Error> {
    export(page_context, backend, ("timeline.jsonl", "application/jsonl; charset=utf-8", ""), json).await
}

async fn export(
    page_context: PageContext,
    mut backend: Backend,
    (name, content_type, head): (&str, &'static str, &str),
    write: impl Fn(&Line, &str) -> Result<String, Error>,
) -> Result<HttpResponse, Error> {
    let mut snapshot = backend.read().await?;
    let entered = page_context.query::<Query>()?.entered(Reader::of(&page_context.caller.principal));
    let (position, now) = (snapshot.position, page_context.now);
    let principal = &page_context.caller.principal;
    let resolved = event_filter::resolve(&entered, principal, snapshot.connection(), position, now).await?;
    let mut resolved = match resolved.map_err(|unknown| unknown.into_iter().next()) {
        Ok(resolved) => resolved,
        Err(Some(unknown)) => return Err(unknown.into()),
        Err(None) => return Err(Error::NotFound("no event matches these filters".to_owned())),
    };
    let mut ended = false;
    csv::file(name, content_type, head, snapshot, async |snapshot| {
        if ended {
            return Ok(None);
        }
        let found = list_with_payloads(snapshot.connection(), &resolved.filter, Order::NewestFirst, BATCH).await?;
        ended = i64::try_from(found.len()).is_ok_and(|count| count < BATCH);
        if let Some((last, _)) = found.last() {
            move_on(&mut resolved.filter, Order::NewestFirst, last.position);
        }
        let found: Vec<_> = found.into_iter().map(|event| resolved.reader.event(event)).collect();
        let matching = found.iter().filter(|(line, payload)| resolved.words.match_line(line, payload));
        Ok(Some(matching.map(|(line, payload)| write(line, payload)).collect::<Result<String, Error>>()?))
    })
    .await
}

fn row(line: &Line) -> String {
    let sentence = sentence(line);
    let (position, recorded_at) = (line.position.to_string(), line.recorded_at.to_string());
    let cells = [
        position.as_str(),
        &recorded_at,
        &line.event_type,
        &line.aggregate_type,
        &line.aggregate_id,
        line.subject.as_deref().unwrap_or_default(),
        &line.actor,
        &line.correlation_id,
        &sentence,
    ];
    format!("{}\r\n", cells.map(cell).join(","))
}

/// A line of the timeline with the stored event.
#[derive(Serialize)]
struct JsonLine<'a> {
    position: i64,
    recorded_at: String,
    aggregate_type: &'a str,
    aggregate_id: &'a str,
    sequence: i64,
    #[serde(rename = "type")]
    event_type: &'a str,
    actor: &'a str,
    correlation_id: &'a str,
    sentence: String,
    payload: Box<RawValue>,
}

fn json(line: &Line, payload: &str) -> Result<String, Error> {
    let unreadable = |error: serde_json::Error| Error::Internal(error.into());
    // The stored text may have line breaks between its tokens, and a line has none.
    let payload = RawValue::from_string(payload.replace(['\r', '\n'], " ")).map_err(unreadable)?;
    let line = JsonLine {
        position: line.position,
        recorded_at: line.recorded_at.to_string(),
        aggregate_type: &line.aggregate_type,
        aggregate_id: &line.aggregate_id,
        sequence: line.sequence,
        event_type: &line.event_type,
        actor: &line.actor,
        correlation_id: &line.correlation_id,
        sentence: sentence(line),
        payload,
    };
    Ok(format!("{}\n", serde_json::to_string(&line).map_err(unreadable)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootledger_aggregates::event::Event;
    use bootledger_aggregates::values::timestamp::Timestamp;
    use bootledger_projections::rows::holders::HolderNames;

    fn line() -> Line {
        Line {
            position: 7,
            sequence: 2,
            recorded_at: Timestamp::default(),
            aggregate_type: "network".to_owned(),
            aggregate_id: "prod".to_owned(),
            event_type: "NetworkRetired".to_owned(),
            actor: "=cmd|x".to_owned(),
            correlation_id: "a,b".to_owned(),
            device: None,
            deployment: None,
            event: Event::read("network", "prod", r#"{"type":"NetworkRetired"}"#).ok(),
            subject: None,
            parent: None,
            holders: HolderNames::default(),
            states: None,
        }
    }

    #[test]
    fn a_row_has_a_cell_for_each_heading_and_no_formula() {
        let row = row(&line());
        assert_eq!(row.matches(',').count(), HEAD.matches(',').count() + 1, "{row}");
        assert!(row.contains(",'=cmd|x,") && row.contains(",\"a,b\","), "{row}");
    }

    #[test]
    fn a_json_line_has_the_stored_event_and_no_line_break_inside() {
        let text = json(&line(), "{\"type\":\n\"NetworkRetired\"}").expect("a line");
        assert_eq!(text.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&value["position"], &value["payload"]["type"]), (&7.into(), &"NetworkRetired".into()));
    }
}
