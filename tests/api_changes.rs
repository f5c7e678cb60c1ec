//! Changes over the API, generated from its description: a spec that was read can be put back unchanged, and a dry run is
//! answered like the change itself.

mod dry_runs;
mod put_back;

use crate::support::rules::check_rules;
use crate::support::service::{Service, wait_for};
use anyhow::{Context, Result, ensure};
use bootledger_projections::database::log;
use bootledger_projections::projector::checkpoint;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A service with a catalogue in which every field has a value.
struct Place {
    service: Service,
    pool: PgPool,
    description: Value,
}

/// An operation of the API description.
struct Operation {
    method: Method,
    path: String,
    has_dry_run: bool,
}

impl Place {
    async fn with_every_field() -> Result<Self> {
        let service = Service::start(Ipv4Addr::LOCALHOST).await?;
        let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        service.write_secret("tsig", key)?;
        service.write_secret("hook", &format!("whsec_{key}"))?;
        service.write_secret("bmc", "root:calvin")?;
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("content"))?;
        std::fs::write(folder.path().join("content/linux"), "kernel\n")?;
        let every_field = include_str!("../src/catalogue_file/tests/every_field.yaml");
        // These lines name a file that must already be in the store.
        let catalogue: Vec<&str> = every_field.lines().filter(|line| !line.trim_start().starts_with("stored:")).collect();
        let file = folder.path().join("catalogue.yaml");
        std::fs::write(&file, catalogue.join("\n"))?;
        service.run(&["import", "--catalogue", file.to_str().context("a path")?]).await?;
        let pool = service.database().pool(2).await?;
        let description = service.get("/api/openapi.json").await?;
        let place = Self { service, pool, description };
        let end = place.position().await?;
        let shown = async || checkpoint::position(&place.pool).await.ok().filter(|shown| *shown >= end);
        wait_for("the views show the catalogue", Duration::from_secs(30), shown).await?;
        Ok(place)
    }

    /// The position of the log's last event.
    async fn position(&self) -> Result<i64> {
        Ok(log::last_position(&self.pool).await?)
    }

    /// The operations of the API.
    fn operations(&self) -> Result<Vec<Operation>> {
        let mut operations = vec![];
        for (path, item) in
            self.description["paths"].as_object().context("paths")?.iter().filter(|(path, _)| path.starts_with("/api/v1/"))
        {
            for (method, operation) in item.as_object().context("operations")? {
                let parameters = operation["parameters"].as_array();
                let has_dry_run = parameters.into_iter().flatten().any(|parameter| parameter["name"] == "dry_run");
                let method: Method = method.to_uppercase().parse()?;
                operations.push(Operation { method, path: path.clone(), has_dry_run });
            }
        }
        Ok(operations)
    }

    /// All entries of a kind: those of `/api/v1/sites/{key}` are listed at `/api/v1/sites`.
    async fn all(&self, path: &str) -> Result<Vec<Value>> {
        let list = path.rsplit_once('/').context("a list")?.0;
        let found = self.service.get(&format!("{list}?limit=1000")).await?;
        Ok(found["items"].as_array().context("items")?.clone())
    }

    /// Sends a request and returns the status and body of the answer.
    async fn send(&self, token: &str, method: &Method, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let mut request = Client::new().request(method.clone(), self.service.url(path));
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        let answer = serde_json::from_str(&text).with_context(|| format!("{method} {path}: {status} {text}"))?;
        check_rules(method, path, status, &answer);
        Ok((status, answer))
    }

    /// Sends a request that must succeed.
    async fn done(&self, method: &Method, path: &str, body: &Value) -> Result<Value> {
        let (status, answer) = self.send(self.service.token(), method, path, Some(body)).await?;
        ensure!((200..300).contains(&status), "{method} {path} {body}: {status} {answer}");
        Ok(answer)
    }

    /// A new token of this scope.
    async fn token(&self, scope: &str) -> Result<String> {
        let made = self.done(&Method::POST, "/api/v1/tokens", &json!({ "name": scope, "scope": scope })).await?;
        Ok(made["bearer"].as_str().context("a bearer")?.to_owned())
    }
}

/// The fields of an object that have these names.
fn only(object: &Value, names: &[&str]) -> Value {
    let fields = object.as_object().into_iter().flatten().filter(|(name, _)| names.contains(&name.as_str()));
    Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The names of a schema's properties.
fn names<'a>(description: &'a Value, schema: &str) -> Result<Vec<&'a str>> {
    let fields = description["components"]["schemas"][schema]["properties"].as_object().context("fields of the schema")?;
    Ok(fields.keys().map(String::as_str).collect())
}
