//! Determines the deployment whose files a request concerns: by the deployment's token, otherwise by the client's address.

use super::refusal::{Refusal, refuse};
use super::table::{BootTable, Lookup};
use super::token;
use crate::http::application::Application;
use crate::http::client;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use bootledger_aggregates::values::ids::DeploymentId;
use std::net::Ipv4Addr;

/// The client of a request, and the deployment that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BootClient {
    /// The client's address.
    pub(super) client: Ipv4Addr,
    /// The deployment whose token is in the path. It takes precedence over the address.
    pub(super) by_token: Option<DeploymentId>,
}

/// The message for an unusable token. It is the same whether the token is wrong, old or from another service.
const NO_SUCH_TOKEN: &str =
    "no deployment in progress has this token; a token is valid until the server is installed or the deployment is cancelled";

impl BootClient {
    /// Determines the client and the deployment of a request.
    ///
    /// # Errors
    /// Returns an error if the client's address is not known, or if the token in the path is not valid.
    pub(super) fn of(request: &HttpRequest, application: &Application) -> Result<Self, Refusal> {
        let client = client::address(request, &application.trusted_proxies)
            .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        Self::with(client, request.match_info().get("token"), application)
    }

    /// The client at an address, with a token if it sent one.
    ///
    /// # Errors
    /// Returns an error if the token is not valid.
    pub(super) fn with(client: Ipv4Addr, token: Option<&str>, application: &Application) -> Result<Self, Refusal> {
        let by_token = match token {
            None => None,
            Some(text) => {
                let known = token::verify(&application.key, text);
                Some(known.ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, NO_SUCH_TOKEN.to_owned()))?)
            }
        };
        Ok(Self { client, by_token })
    }

    /// Looks the deployment up in the boot table.
    pub(super) fn find(self, table: &BootTable) -> Lookup {
        match self.by_token {
            Some(deployment) => table.of_deployment(deployment),
            None => table.of_ip(self.client),
        }
    }

    /// The error answer if there is no single target.
    pub(super) fn refuse(self, request: &HttpRequest, found: &Lookup) -> HttpResponse {
        let (status, sentence) = self.problem(found);
        refuse(request, status, &sentence)
    }

    /// The status and message if there is no single target.
    pub(super) fn problem(self, found: &Lookup) -> (StatusCode, String) {
        let client = self.client;
        match found {
            Lookup::Nothing | Lookup::Target(_) if self.by_token.is_some() => (StatusCode::NOT_FOUND, NO_SUCH_TOKEN.to_owned()),
            Lookup::Nothing | Lookup::Target(_) => (StatusCode::NOT_FOUND, format!("no deployment is in progress for {client}")),
            Lookup::Ambiguous => (
                StatusCode::CONFLICT,
                format!("several deployments are in progress for {client}, so none is served; cancel all but one"),
            ),
            Lookup::Unusable => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("the deployment of {client} cannot be served: its boot image or network cannot be read; see the log"),
            ),
            Lookup::Unknown => {
                (StatusCode::SERVICE_UNAVAILABLE, "which deployments are in progress is not available yet; retry".to_owned())
            }
        }
    }
}
