//! Parses a report of Puppet's agent (`Puppet::Transaction::Report`, formats 6 to 12) as YAML.
//!
//! The YAML is parsed event by event, and only the required parts of a report are kept. An alias is resolved only to a text, so
//! that a few lines cannot expand to millions. Ruby's tags, of which old agents send many, are ignored.

#[cfg(test)]
mod tests;

use crate::http::request::body::JSON_DEPTH;
use bootledger_aggregates::deployment::puppet::{MESSAGES_KEPT, PuppetOutcome, PuppetRun};
use bootledger_aggregates::values::hostname::Hostname;
use bootledger_aggregates::values::text::Text;
use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use std::collections::HashMap;

/// The levels of log messages that are errors.
const ERRORS: [&str; 4] = ["err", "alert", "emerg", "crit"];

/// The maximum number of anchored texts to remember; Puppet's reports have hardly any.
const MOST_ANCHORS: usize = 10_000;

/// The source of an agent's message that concerns no resource.
const AGENT: &str = "Puppet";

/// The parts of a report that are needed.
#[derive(Debug, Default)]
struct Parts {
    host: Option<String>,
    status: Option<String>,
    noop: Option<String>,
    cached_catalog_status: Option<String>,
    transaction_uuid: Option<String>,
    errors: Vec<Text>,
}

/// The run that a report describes, or why the text is not a report.
pub(super) fn read(body: &[u8]) -> Result<PuppetRun, String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
    let mut reader = Reader { parser: Parser::new_from_str(text), anchored: HashMap::new(), depth: 0 };
    let parts = reader.report()?;
    let host = parts.host.ok_or("it has no host")?;
    let certname: Hostname = host.parse().map_err(|error| format!("its host is not a host name: {error}"))?;
    let outcome = match parts.status.as_deref() {
        Some("changed" | "unchanged") => PuppetOutcome::Succeeded,
        Some("failed") => PuppetOutcome::Failed { messages: parts.errors },
        other => return Err(format!("its status is {:?}, not changed, unchanged or failed", other.unwrap_or_default())),
    };
    Ok(PuppetRun {
        certname,
        outcome,
        // A report without this field must not end a deployment.
        noop: parts.noop.as_deref() != Some("false"),
        compiled: parts.cached_catalog_status.as_deref() == Some("not_used"),
        transaction: Text::fitted(&parts.transaction_uuid.unwrap_or_default()),
    })
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// The texts that aliases may refer to.
    anchored: HashMap<usize, String>,
    /// The number of open lists and mappings.
    depth: usize,
}

impl<'a> Reader<'a> {
    fn report(&mut self) -> Result<Parts, String> {
        while !matches!(self.next()?, Event::DocumentStart(_)) {}
        if !matches!(self.next()?, Event::MappingStart(..)) {
            return Err("it is not a mapping".to_owned());
        }
        let mut parts = Parts::default();
        while let Some((key, value)) = self.pair()? {
            let part = match key.as_deref() {
                Some("host") => &mut parts.host,
                Some("status") => &mut parts.status,
                Some("noop") => &mut parts.noop,
                Some("cached_catalog_status") => &mut parts.cached_catalog_status,
                Some("transaction_uuid") => &mut parts.transaction_uuid,
                Some("logs") if matches!(value, Event::SequenceStart(..)) => {
                    parts.errors = self.logs()?;
                    continue;
                }
                _ => {
                    self.skip(&value)?;
                    continue;
                }
            };
            *part = self.scalar(&value)?;
        }
        // Read to the end, so that a truncated report is not accepted.
        while !matches!(self.next()?, Event::StreamEnd) {}
        Ok(parts)
    }

    /// The first errors among the messages.
    fn logs(&mut self) -> Result<Vec<Text>, String> {
        let mut errors = vec![];
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(errors),
                Event::MappingStart(..) => {
                    let error = self.message()?;
                    if errors.len() < MESSAGES_KEPT {
                        errors.extend(error);
                    }
                }
                other => self.skip(&other)?,
            }
        }
    }

    /// A message, if it is an error.
    fn message(&mut self) -> Result<Option<Text>, String> {
        let (mut level, mut source, mut message) = (None, None, None);
        while let Some((key, value)) = self.pair()? {
            let part = match key.as_deref() {
                Some("level") => &mut level,
                Some("source") => &mut source,
                Some("message") => &mut message,
                _ => {
                    self.skip(&value)?;
                    continue;
                }
            };
            *part = self.scalar(&value)?;
        }
        // Old agents write symbols.
        let level = level.unwrap_or_default();
        if !ERRORS.contains(&level.trim_start_matches(':')) {
            return Ok(None);
        }
        let message = message.unwrap_or_default();
        Ok(Some(match source.filter(|source| source != AGENT) {
            Some(source) => Text::fitted(&format!("{source}: {message}")),
            None => Text::fitted(&message),
        }))
    }

    /// The next key of a mapping, if it is a text, and the event with which its value begins; `None` at the end.
    fn pair(&mut self) -> Result<Option<(Option<String>, Event<'a>)>, String> {
        let key = match self.next()? {
            Event::MappingEnd => return Ok(None),
            key => self.scalar(&key)?,
        };
        Ok(Some((key, self.next()?)))
    }

    /// The text of a value; `None` for null, a list or a mapping, which is skipped.
    fn scalar(&mut self, event: &Event<'a>) -> Result<Option<String>, String> {
        match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(&**text, "" | "~" | "null") => Ok(None),
            Event::Scalar(text, ..) => Ok(Some(text.to_string())),
            Event::Alias(anchor) => Ok(self.anchored.get(anchor).cloned()),
            other => self.skip(other).map(|()| None),
        }
    }

    /// Skips the rest of a value.
    fn skip(&mut self, begun: &Event<'a>) -> Result<(), String> {
        let mut depth = usize::from(matches!(begun, Event::MappingStart(..) | Event::SequenceStart(..)));
        while depth > 0 {
            match self.next()? {
                Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
                Event::MappingEnd | Event::SequenceEnd => depth -= 1,
                _ => {}
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Event<'a>, String> {
        let (event, _) = self.parser.next_event().ok_or("it ends early")?.map_err(|error| error.to_string())?;
        if let Event::Scalar(text, _, anchor @ 1.., _) = &event
            && self.anchored.len() < MOST_ANCHORS
        {
            self.anchored.insert(*anchor, text.to_string());
        }
        match &event {
            Event::MappingStart(..) | Event::SequenceStart(..) => self.depth += 1,
            Event::MappingEnd | Event::SequenceEnd => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        if self.depth > JSON_DEPTH {
            return Err(format!("its lists and mappings are nested more than {JSON_DEPTH} levels deep"));
        }
        Ok(event)
    }
}
