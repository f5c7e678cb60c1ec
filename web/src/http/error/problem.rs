//! The body of every error answer: RFC 9457 `application/problem+json`.

use super::Error;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bootledger_aggregates::rules::{BrokenRule, Rule};
use bootledger_aggregates::values::shortened;
use bootledger_port::RowError;
use serde::Serialize;
use utoipa::ToSchema;

/// An error: what is wrong with a request, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// The kind of problem, as the URL of its documentation.
    #[serde(rename = "type")]
    #[schema(example = "/api/docs#problem-rejected")]
    pub kind: String,
    /// The kind of problem as text.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    /// The path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The correlation ID. The log and, for a change, the events contain it too. Include it when you report a problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Every validation error.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemError>,
    /// The number of errors that `errors` leaves out.
    #[serde(skip_serializing_if = "is_zero")]
    pub errors_omitted: usize,
}

/// One validation error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemError {
    /// The field of the body, the parameter or the header; empty if the error concerns the whole request.
    pub field: String,
    /// The line in the file, counted from 1; 0 if the error concerns the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<u64>,
    /// The column in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The rule's stable code.
    #[schema(value_type = Rule)]
    pub rule: String,
    /// What is wrong, and what to do next.
    pub message: String,
    /// What holds the requested value, such as `device 0192…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The kinds of problems: name, status, title. The documentation lists them.
pub const KINDS: [(&str, u16, &str); 21] = [
    ("bad-request", 400, "Malformed request"),
    ("unauthorized", 401, "Authentication required"),
    ("forbidden", 403, "Another role required"),
    ("cross-site", 403, "Request from another site"),
    ("password-due", 403, "Password change required"),
    ("not-found", 404, "Not found"),
    ("method-not-allowed", 405, "Method not allowed"),
    ("too-slow", 408, "Request timeout"),
    ("conflict", 409, "Conflict with another change"),
    ("too-large", 413, "Body too large"),
    ("unsupported-media-type", 415, "Unsupported media type"),
    ("rejected", 422, "Validation failed"),
    ("key-reused", 422, "Idempotency key already used"),
    ("too-many-attempts", 429, "Too many sign-in attempts"),
    ("internal", 500, "Internal error"),
    ("controller-failed", 502, "Management controller failed"),
    ("controller-slow", 504, "Management controller timeout"),
    ("unavailable", 503, "Temporarily unavailable"),
    ("busy", 503, "Too many concurrent requests"),
    ("storage-full", 507, "Disk full"),
    ("other", 0, "Request failed"),
];

impl Problem {
    /// A problem of a kind.
    pub fn new(name: &str, status: StatusCode, detail: impl Into<String>) -> Self {
        let title = KINDS.iter().find(|(known, _, _)| *known == name).map_or("Request failed", |(_, _, title)| title);
        Self {
            kind: format!("/api/docs#problem-{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            instance: None,
            correlation_id: None,
            errors: vec![],
            errors_omitted: 0,
        }
    }

    /// The problem for an answer that has only a status, such as the answer for a route that does not exist.
    pub fn of_status(status: StatusCode) -> Self {
        let (name, detail) = match status {
            StatusCode::NOT_FOUND => ("not-found", "there is nothing at this path; /api/docs lists all paths"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("method-not-allowed", "this path does not support this method; the header Allow lists the supported methods")
            }
            _ => {
                let number = status.as_u16();
                (KINDS.iter().find(|(_, known, _)| *known == number).map_or("other", |(name, _, _)| name), "")
            }
        };
        let mut problem = Self::new(name, status, detail);
        if detail.is_empty() {
            problem.detail.clone_from(&problem.title);
        }
        problem
    }

    /// The answer with this problem as its body.
    pub fn response(&self) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(self).unwrap_or_default();
        HttpResponse::build(status).content_type("application/problem+json").body(body)
    }
}

impl ProblemError {
    /// Whether the error is about this rule.
    pub(crate) fn is(&self, rule: Rule) -> bool {
        self.rule == rule.code()
    }

    /// A validation error that does not concern a file.
    pub fn new(field: &str, rule: Rule, message: impl Into<String>) -> Self {
        let message = shortened(message.into());
        Self { field: field.to_owned(), row: None, column: None, rule: rule.code().to_owned(), message, holder: None }
    }

    /// An error of the request that a page shows beside a field. It is about no rule; its code is the kind of the problem.
    pub(crate) fn of_kind(field: &str, error: &Error) -> Self {
        let message = shortened(error.to_string());
        Self { field: field.to_owned(), row: None, column: None, rule: error.name().to_owned(), message, holder: None }
    }
}

impl From<BrokenRule> for ProblemError {
    fn from(BrokenRule { field, rule, message, holder, .. }: BrokenRule) -> Self {
        Self { field, row: None, column: None, rule, message: shortened(message), holder }
    }
}

impl From<RowError> for ProblemError {
    fn from(RowError { row, column, broken }: RowError) -> Self {
        Self { row: Some(row), column: Some(column), ..Self::from(broken) }
    }
}
