//! A dry run is answered with the same status and text as the change itself, and leaves no trace.

use super::{Operation, Place};
use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// An id that does not exist.
const UNKNOWN_ID: &str = "01920000-0000-7000-8000-0000000000ff";

/// What requests are made of.
struct Requests {
    place: Place,
    /// The catalogue's entries by their path, as they were first read.
    entries: BTreeMap<String, Vec<Value>>,
    devices: Vec<String>,
    /// The statuses that each operation has answered with.
    seen: BTreeMap<String, BTreeSet<u16>>,
}

impl Requests {
    async fn prepare() -> Result<Self> {
        let place = Place::with_every_field().await?;
        let mut entries = BTreeMap::new();
        for operation in place.operations()?.iter().filter(|operation| operation.path.ends_with("/{key}")) {
            entries.insert(operation.path.clone(), place.all(&operation.path).await?);
        }
        let devices = place.all("/api/v1/devices/{id}").await?;
        let devices = devices.iter().filter_map(|device| Some(device["id"].as_str()?.to_owned())).collect();
        Ok(Self { place, entries, devices, seen: BTreeMap::new() })
    }

    /// The paths of existing entries, each with a body that its operation accepts.
    fn existing(&self, operation: &Operation) -> Result<Vec<(String, Option<Value>)>> {
        let path = &operation.path;
        let changes = operation.method != Method::DELETE;
        if let Some(rest) = path.strip_prefix("/api/v1/devices/{id}") {
            let body = match rest {
                "" => json!({ "remark": "it was cleaned" }),
                "/facts" => json!({ "operating_system": "Debian 13" }),
                "/decommission" => json!({ "reason": "it is old" }),
                _ => anyhow::bail!("{path} has a dry run; give it a body here"),
            };
            return Ok(self.devices.iter().map(|id| (path.replace("{id}", id), Some(body.clone()))).collect());
        }
        let (kind, role) = match path.strip_suffix("/roles/{role}") {
            Some(kind) => (kind, true),
            None => (path.as_str(), false),
        };
        let mut found = vec![];
        for entry in self.entries.get(kind).with_context(|| format!("{path} has a dry run; list its entries here"))? {
            let path = path.replace("{key}", entry["key"].as_str().context("a key")?);
            if role {
                for (name, spec) in entry["roles"].as_object().context("roles")? {
                    found.push((path.replace("{role}", name), changes.then(|| spec.clone())));
                }
            } else {
                found.push((path, changes.then(|| entry["spec"].clone())));
            }
        }
        Ok(found)
    }

    /// Sends a request as a dry run and then for real. Returns whether the change was made.
    async fn compare(&mut self, token: &str, operation: &Operation, path: &str, body: Option<&Value>) -> Result<bool> {
        let method = &operation.method;
        let before = self.place.position().await?;
        let also = if path.contains('?') { '&' } else { '?' };
        let (dry, said) = self.place.send(token, method, &format!("{path}{also}dry_run=true"), body).await?;
        ensure!(self.place.position().await? == before, "the dry run of {method} {path} is in the log");
        let (real, answer) = self.place.send(token, method, path, body).await?;
        let words = |problem: &Value| (problem["detail"].clone(), problem["errors"].clone());
        let same = dry == real && (real < 300 || words(&said) == words(&answer));
        ensure!(same, "{method} {path} {body:?}: the dry run answered {dry} {said}, the request {real} {answer}");
        ensure!(real < 500, "{method} {path}: {real} {answer}");
        self.seen.entry(format!("{method} {}", operation.path)).or_default().insert(real);
        Ok(real < 300)
    }

    /// Runs the operations on all existing entries, in several rounds: an entry in use can be retired once its users are.
    async fn rounds(&mut self, operations: &[&Operation]) -> Result<()> {
        let administrator = self.place.service.token().to_owned();
        for _ in 0..3 {
            for operation in operations {
                for (path, body) in self.existing(operation)? {
                    self.compare(&administrator, operation, &path, body.as_ref()).await?;
                }
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_dry_run_is_answered_like_the_change_itself_and_writes_nothing() -> Result<()> {
    let mut requests = Requests::prepare().await?;
    let administrator = requests.place.service.token().to_owned();
    let (viewer, operator) = (requests.place.token("viewer").await?, requests.place.token("operator").await?);
    let all = requests.place.operations()?;
    // Imports answer 201 when they are carried out, and have tests of their own.
    let all: Vec<&Operation> =
        all.iter().filter(|operation| operation.has_dry_run && !operation.path.ends_with("/imports")).collect();
    ensure!(all.len() >= 19, "{} operations have a dry run", all.len());

    for operation in &all {
        let existing = requests.existing(operation)?;
        let (path, body) = existing.first().with_context(|| format!("nothing of {}", operation.path))?;
        let changes = body.is_some();
        // Without sufficient rights, and without a valid token.
        for token in [viewer.as_str(), "", "bl_nobody"] {
            requests.compare(token, operation, path, body.as_ref()).await?;
        }
        // A malformed request, with rights and without.
        for token in [&administrator, &operator, &viewer] {
            requests.compare(token, operation, &format!("{path}?nope=1"), body.as_ref()).await?;
            for variable in ["{key}", "{id}", "{role}"].iter().filter(|variable| operation.path.contains(**variable)) {
                let wrong = operation.path.replace(variable, "~");
                let wrong = wrong.replace("{key}", "shop").replace("{role}", "web").replace("{id}", UNKNOWN_ID);
                requests.compare(token, operation, &wrong, body.as_ref()).await?;
            }
            for wrong in [json!([]), json!(null), json!({ "nope": 1 })].iter().filter(|_| changes) {
                requests.compare(token, operation, path, Some(wrong)).await?;
            }
        }
        // An entry that never existed; a definition creates it.
        let name = if operation.method == Method::PUT && operation.path.ends_with("/{key}") { "never" } else { "unheard" };
        let never = operation.path.replace("{key}", name).replace("{role}", "never").replace("{id}", UNKNOWN_ID);
        requests.compare(&administrator, operation, &never, body.as_ref()).await?;
        let never = operation.path.replace("{key}", "shop").replace("{role}", "nothing");
        if never.contains("/roles/") && !changes {
            requests.compare(&administrator, operation, &never, None).await?;
        }
    }
    // Existing entries are changed, then retired in several rounds, and at last defined again.
    let of = |wanted: &[Method]| -> Vec<&Operation> { all.iter().copied().filter(|one| wanted.contains(&one.method)).collect() };
    let (define, mut retire) = (of(&[Method::PUT, Method::PATCH]), of(&[Method::DELETE, Method::POST]));
    // Ventures and sites come before their contents, so the first round is refused.
    retire.reverse();
    requests.rounds(&define).await?;
    requests.rounds(&retire).await?;
    requests.rounds(&define).await?;

    let seen = &requests.seen;
    for (operation, statuses) in seen {
        let has = |status: u16| statuses.contains(&status);
        ensure!(has(200) && has(400) && has(401) && has(403), "{operation} answered only {statuses:?}");
        let is_definition = operation.starts_with("PUT ") && operation.ends_with("/{key}");
        ensure!(is_definition || has(404), "{operation} answered only {statuses:?}");
    }
    ensure!(seen.values().filter(|statuses| statuses.contains(&422)).count() >= 12, "{seen:?}");
    Ok(())
}
