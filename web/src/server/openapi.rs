//! The description of the API (`OpenAPI` 3.1), generated from the handlers. What all routes have in common (security, problems,
//! headers, `?at=`) is added here once.

mod machines;
pub mod page;
mod rejected;
mod unreadable;

use crate::api;
use crate::http::auth::cookie;
use crate::http::error::problem::{KINDS, Problem};
use crate::http::request::unknown_parameters::Names;
use crate::machines::puppet;
use crate::server::health;
use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, resource};
use bootledger_aggregates::rules::Rule;
use bootledger_port::Preview;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::LazyLock;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi, ToSchema};

pub(crate) fn configure(config: &mut ServiceConfig) {
    config.service(resource("/api/openapi.json").get(show)).service(resource("/api/docs").get(page::show));
}

/// The names of the query parameters of each operation.
pub(crate) fn parameters() -> &'static Names {
    static NAMES: LazyLock<Names> = LazyLock::new(|| {
        let description = serde_json::to_value(document()).unwrap_or_default();
        let paths = description["paths"].as_object().into_iter().flatten();
        let operations = paths.flat_map(|(path, item)| {
            item.as_object()
                .into_iter()
                .flatten()
                .map(move |(method, operation)| ((method.clone(), path.clone()), names(operation)))
        });
        operations.collect()
    });
    &NAMES
}

fn names(operation: &Value) -> BTreeSet<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let of_query = parameters.filter(|parameter| parameter["in"] == "query");
    of_query.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)).collect()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bootledger",
        description = "Deploys physical servers and records every change as an event in a log. A position is the number of an event in the log. Requests read the views, which are tables computed from the events; a response names the position that it shows. A venture is the owner of servers, such as a team or a service. A role is what a server does in its venture. A plugin is one step of a deployment: `clean`, `role`, `dns`, `dhcp` and `reboot`. Lists are paged by cursor: `next` of one page is `after` of the next. `x-rules` of a response lists the rules that its problem can name."
    ),
    paths(
        api::devices::index, api::devices::create, api::devices::show, api::devices::change, api::devices::verify,
        api::devices::unverify, api::devices::lock, api::devices::unlock, api::devices::decommission, api::devices::record_facts, api::devices::settings,
        api::power::show, api::power::order,
        api::deployments::index, api::deployments::create, api::deployments::show, api::deployments::cancel,
        api::deployments::done, api::deployments::note, api::deployments::restart_reported, api::deployments::retry, api::deployments::events,
        api::installer::next_boot, api::installer::log,
        api::sites::index, api::sites::show, api::sites::define, api::sites::retire, api::sites::hostnames,
        api::drift::show, api::drift::check, api::drift::repair,
        api::racks::index, api::racks::show, api::racks::define, api::racks::retire,
        api::networks::index, api::networks::show, api::networks::define, api::networks::retire, api::networks::addresses,
        api::reservations::index, api::reservations::show, api::reservations::reserve, api::reservations::release,
        api::ventures::index, api::ventures::show, api::ventures::define, api::ventures::retire,
        api::ventures::define_role, api::ventures::retire_role,
        api::boot_images::index, api::boot_images::show, api::boot_images::define, api::boot_images::retire,
        api::image_library::index, api::image_library::show, api::image_library::add, api::image_library::downloads,
        api::image_library::download, api::image_library::cancel, api::image_library::resume,
        api::boot_image_files::put, api::boot_image_files::show, api::boot_image_files::remove,
        api::dhcp_servers::index, api::dhcp_servers::show, api::dhcp_servers::define, api::dhcp_servers::retire,
        api::imports::create, api::imports::show,
        api::bulk_actions::index, api::bulk_actions::create, api::bulk_actions::show, api::bulk_actions::retry, api::bulk_actions::stop,
        api::dns_records::index, api::dns_updates::index, api::dhcp_entries::index, api::boot_targets::index,
        api::events::index,
        api::search::index, api::search::address, api::search::mac, api::search::hostname,
        api::compare::show,
        api::tokens::index, api::tokens::create, api::tokens::show, api::tokens::revoke,
        api::users::index, api::users::create, api::users::show, api::users::change, api::users::set_password,
        api::users::disable, api::users::enable, api::users::unlock,
        api::sessions::index, api::sessions::end,
        api::webhooks::index, api::webhooks::show, api::webhooks::define, api::webhooks::retire, api::webhooks::pause,
        api::webhooks::resume, api::webhooks::set_position, api::webhooks::skip, api::webhooks::ping,
        api::secrets::index, api::secrets::show, api::secrets::define, api::secrets::retire,
        puppet::routes::show, puppet::routes::create,
        machines::script, machines::script_by_token, machines::file, machines::file_by_token, machines::done,
        machines::done_by_token, machines::progress, machines::log, machines::grub, machines::loader,
        machines::configuration, machines::confirmation, machines::zone,
        health::alive, health::readiness::ready, health::metrics::measured,
    ),
    modifiers(&InCommon)
)]
struct Document;

/// The complete description.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// The description as bytes, rendered once.
#[derive(Debug)]
pub(crate) struct Rendered {
    json: String,
    page: String,
}

impl Rendered {
    pub(crate) fn new() -> Result<Self, serde_json::Error> {
        let document = document();
        let value = serde_json::to_value(&document)?;
        Ok(Self { json: serde_json::to_string(&document)?, page: page::page(&value).into_string() })
    }
}

async fn show(rendered: Data<Rendered>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(rendered.json.clone())
}

/// Adds what all routes have in common.
struct InCommon;

impl Modify for InCommon {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("bl_…")
            .description(Some(
                "An access token. Its scope is viewer (read), operator (also deploy), administrator (everything), or one purpose.",
            ))
            .build();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
        let session = ApiKeyValue::with_description(
            cookie::name(true),
            "The session of a signed-in user. Over plain HTTP the cookie is called `bootledger`. Changes are accepted only from pages of this service.",
        );
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(session)));
        let mut schemas = vec![(Problem::name().into_owned(), <Problem as utoipa::PartialSchema>::schema())];
        Problem::schemas(&mut schemas);
        schemas.push((Preview::name().into_owned(), <Preview as utoipa::PartialSchema>::schema()));
        components.schemas.extend(schemas);
        for (path, item) in &mut document.paths.paths {
            for (method, operation) in operations(item) {
                describe(path, method, operation);
            }
        }
    }
}

/// The operations of a path with their methods.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let all = [
        ("get", item.get.as_mut()),
        ("put", item.put.as_mut()),
        ("post", item.post.as_mut()),
        ("patch", item.patch.as_mut()),
        ("delete", item.delete.as_mut()),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation?)))
}

/// The ID of an operation, from the path's nouns and the handler's name, such as `devices_index`,
/// `devices_verify` or `boot_images_files_put`.
fn operation_id(path: &str, function: &str) -> String {
    let nouns = path.trim_start_matches("/api/v1").split('/').filter(|part| !part.is_empty() && !part.starts_with('{'));
    let mut parts: Vec<&str> = nouns.collect();
    if parts.last() != Some(&function) {
        parts.push(function);
    }
    parts.join("_").replace('-', "_")
}

/// The extension of a response that lists the codes of its rules, for programs.
const RULES: &str = "x-rules";

/// Adds the codes of rules to a response: to its description, and as a list.
fn add_rules(response: &mut RefOr<Response>, rules: &[Rule]) {
    let RefOr::T(response) = response else { return };
    let codes: Vec<&str> = rules.iter().map(|rule| rule.code()).collect();
    if !codes.is_empty() {
        response.description = format!("{}. Rules: `{}`", response.description, codes.join("`, `"));
    }
    response.extensions.get_or_insert_default().insert(RULES.to_owned(), codes.into());
}

/// The response with a problem.
fn problem(title: &str) -> RefOr<Response> {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    RefOr::T(ResponseBuilder::new().description(title).content("application/problem+json", content).build())
}

/// The title of the first kind of problem with a status.
fn title(status: &str) -> &'static str {
    KINDS.iter().find(|(_, number, _)| number.to_string() == status).map_or("", |(_, _, title)| *title)
}

fn describe(path: &str, method: &str, operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next().cloned().unwrap_or_default();
    let function = operation.operation_id.take().unwrap_or_default();
    operation.operation_id = Some(operation_id(path, &function));
    if ["boot", "dhcp", "dns"].contains(&tag.as_str()) {
        machines::refusals(path, operation);
        if path.ends_with("/confirmation") {
            let token = SecurityRequirement::new("token", Vec::<String>::new());
            operation.security = Some(vec![token]);
        }
    }
    if !path.starts_with("/api/v1/") {
        let rejected = rejected::rules(path, method, operation);
        if tag != "boot" && !rejected.is_empty() {
            let response = operation.responses.responses.entry("422".to_owned());
            add_rules(response.or_insert_with(|| problem(title("422"))), &rejected);
        }
        return;
    }
    let pings = path.ends_with("/ping");
    let returns_secret = ["/api/v1/tokens", "/api/v1/users", "/api/v1/users/{name}/password"].contains(&path);
    let schemes = ["token", "session"].map(|scheme| SecurityRequirement::new(scheme, Vec::<String>::new()));
    operation.security = Some(schemes.to_vec());
    let text = || ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).build();
    let number = || ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer)).build();
    let parameter = |name: &str, place: ParameterIn, description: &str, schema| -> RefOr<Parameter> {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(schema))
            .build()
            .into()
    };
    let parameters = operation.parameters.get_or_insert_default();
    let least = "Waits until the views show this position (event number), at most 10 seconds";
    parameters.push(parameter("Bootledger-Min-Position", ParameterIn::Header, least, number()));
    if method == "get" {
        let at = "The state as of this position (event number) of the log, or as of this RFC 3339 time";
        parameters.push(parameter("at", ParameterIn::Query, at, text()));
    } else if method == "post" && !returns_secret && !pings {
        let key = "1 to 200 visible ASCII characters. A repeated request with the same key returns the first response";
        parameters.push(parameter("Idempotency-Key", ParameterIn::Header, key, text()));
    }
    let weighs = tag != "imports" && parameters.iter().any(|one| matches!(one, RefOr::T(one) if one.name == "dry_run"));
    let mut problems = vec!["400", "401", "403", "422", "500", "503"];
    if path.contains('{') || path == "/api/v1/compare" {
        problems.push("404");
    }
    if path.ends_with("/power") {
        problems.extend(["502", "504"]);
    }
    if method != "get" {
        problems.extend(["409", "507"]);
    }
    if operation.request_body.is_some() {
        problems.extend(["408", "413", "415"]);
    }
    let (unreadable, rejected) = (unreadable::rules(path, method, operation), rejected::rules(path, method, operation));
    let responses = &mut operation.responses.responses;
    if method != "get" && tag != "imports" && tag != "tokens" && !returns_secret && !pings {
        let accepted = "The change is saved, but the views do not show it yet, after 10 seconds. The response contains only the ID and the position";
        responses.insert("202".to_owned(), RefOr::T(ResponseBuilder::new().description(accepted).build()));
    }
    if let (true, Some(RefOr::T(response))) = (weighs, responses.get_mut("200")) {
        // A dry run returns what would change with it.
        for content in response.content.values_mut() {
            if let RefOr::T(content) = content
                && let Some(done) = content.schema.take()
            {
                let either = AnyOfBuilder::new().item(done).item(Ref::from_schema_name(Preview::name())).build();
                content.schema = Some(RefOr::T(Schema::AnyOf(either)));
            }
        }
    }
    for response in responses.values_mut() {
        if let RefOr::T(response) = response {
            if response.description.is_empty() {
                "As described".clone_into(&mut response.description);
            }
            let position = HeaderBuilder::new()
                .schema(Some(number()))
                .description(Some("The position (event number) of the state in the response"))
                .build();
            response.headers.insert("Bootledger-Position".to_owned(), RefOr::T(position));
        }
    }
    for status in problems {
        let response = responses.entry(status.to_owned()).or_insert_with(|| problem(title(status)));
        match status {
            "400" => add_rules(response, &unreadable),
            "422" => add_rules(response, &rejected),
            _ => {}
        }
    }
}
