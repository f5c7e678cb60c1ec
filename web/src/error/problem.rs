//! The body of every error answer: RFC 9457 `application/problem+json`.

use crate::commands::RowError;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use bootledger_aggregates::rules::BrokenRule;
use bootledger_aggregates::values::shortened;
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
    #[schema(example = "hostname_claimed")]
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
    ("bad-request", 400, "The request cannot be read"),
    ("unauthorized", 401, "A sign-in or a valid token is needed"),
    ("forbidden", 403, "This is for another role"),
    ("cross-site", 403, "A page of another site asked for it"),
    ("password-due", 403, "The password has to be changed first"),
    ("not-found", 404, "There is no such thing"),
    ("method-not-allowed", 405, "This cannot be done here"),
    ("too-slow", 408, "The request came too slowly"),
    ("conflict", 409, "Somebody else changed the same thing"),
    ("too-large", 413, "The body is too large"),
    ("unsupported-media-type", 415, "The body is of another type"),
    ("rejected", 422, "Rules are broken"),
    ("key-reused", 422, "The idempotency key was used before"),
    ("too-many-attempts", 429, "Too many attempts to sign in"),
    ("internal", 500, "Something is wrong inside"),
    ("controller-failed", 502, "A management controller did not do as it was told"),
    ("controller-slow", 504, "A management controller took too long"),
    ("unavailable", 503, "Not possible at the moment"),
    ("busy", 503, "The caller uses its whole share"),
    ("storage-full", 507, "A disk is full"),
    ("other", 0, "The request failed"),
];

impl Problem {
    /// A problem of a kind.
    pub fn new(name: &str, status: StatusCode, detail: impl Into<String>) -> Self {
        let title = KINDS.iter().find(|(known, _, _)| *known == name).map_or("The request failed", |(_, _, title)| title);
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
            StatusCode::NOT_FOUND => ("not-found", "there is nothing at this path; /api/docs lists what there is"),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("method-not-allowed", "this path does not take this method; the header Allow lists those that it takes")
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
    /// A validation error that does not concern a file.
    pub fn new(field: &str, rule: &str, message: impl Into<String>) -> Self {
        let message = shortened(message.into());
        Self { field: field.to_owned(), row: None, column: None, rule: rule.to_owned(), message, holder: None }
    }
}

impl From<BrokenRule> for ProblemError {
    fn from(BrokenRule { field, rule, message, holder }: BrokenRule) -> Self {
        Self { field, row: None, column: None, rule, message: shortened(message), holder }
    }
}

impl From<RowError> for ProblemError {
    fn from(RowError { row, column, broken }: RowError) -> Self {
        Self { row: Some(row), column: Some(column), ..Self::from(broken) }
    }
}
