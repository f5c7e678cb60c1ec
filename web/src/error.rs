//! The errors that an HTTP request can end with, and their one form: RFC 9457 `application/problem+json`. The cause of an
//! internal error is never sent to the client. The chain of causes is logged once, in [`crate::edge`], which also adds
//! the correlation ID.

pub mod problem;

use crate::auth::level::Level;
use crate::commands::{CommandError, RowError};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use bootledger_aggregates::rules::BrokenRule;
use bootledger_projections::cause::Cause;
use problem::{Problem, ProblemError};

/// The authentication scheme that a 401 answer offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// RFC 6750, for programs.
    Bearer,
    /// RFC 7617, for Puppet: the password is the token.
    Basic,
}

/// The reasons why a request fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The thing that the request names does not exist: 404.
    #[error("{0}")]
    NotFound(String),
    /// Validation failed: 422. `total` also counts the errors that are not listed.
    #[error("{}", told(reasons, *total))]
    Rejected {
        /// The errors, at most 10,000.
        reasons: Vec<ProblemError>,
        /// The total number of errors.
        total: usize,
    },
    /// Others changed the same thing: 409.
    #[error("{0}")]
    Conflict(String),
    /// An idempotency key was already used for a different request: 422.
    #[error("the idempotency key was used before for another request; use a new one")]
    KeyReused,
    /// There is no valid token or session: 401.
    #[error("{message}")]
    Unauthorized {
        /// What the caller can do.
        message: String,
        /// The authentication scheme to offer.
        challenge: Challenge,
    },
    /// The caller may not do this: 403.
    #[error("{has} may not do this: the role {needed} is needed")]
    Forbidden {
        /// The lowest role that may.
        needed: Level,
        /// The caller and the caller's role.
        has: String,
    },
    /// A page of another site sent a request for a change: 403.
    #[error("{0}")]
    CrossSite(String),
    /// The password was set by someone else, and must be changed before anything else: 403.
    #[error("the password is for one time only; set one of your own at /settings/password")]
    PasswordDue,
    /// There were too many attempts to sign in: 429 with `Retry-After`.
    #[error("too many attempts to sign in; wait {} and try again", waiting(*retry_after))]
    TooMany {
        /// The number of seconds after which to retry.
        retry_after: u32,
    },
    /// The request may succeed later: 503 with `Retry-After`.
    #[error("{message}")]
    Unavailable {
        /// What is not available.
        message: String,
        /// The number of seconds after which to retry.
        retry_after: u32,
        /// The cause, for the log.
        source: Option<anyhow::Error>,
    },
    /// The caller has used up its own share: 503 with `Retry-After`. Others are served.
    #[error("{message}")]
    Busy {
        /// The limit that was reached.
        message: String,
        /// The number of seconds after which to retry.
        retry_after: u32,
    },
    /// A disk is full: 507 with `Retry-After`.
    #[error("{message}")]
    StorageFull {
        /// Which disk is full, and what to do.
        message: String,
        /// The number of seconds after which to retry.
        retry_after: u32,
        /// The cause, for the log.
        source: anyhow::Error,
    },
    /// The body is larger than this number of bytes: 413.
    #[error("the body is larger than {0} bytes, the most that is taken here; send less at once")]
    TooLarge(u64),
    /// The body does not have the required content type: 415.
    #[error("the body must be {0}; say so in the header Content-Type")]
    UnsupportedMediaType(&'static str),
    /// The body is compressed: 415.
    #[error("a body with the header Content-Encoding is not read; send it as it is, not compressed")]
    Encoded,
    /// The body arrived too slowly: 408. Contains the time limit in seconds.
    #[error("the body did not arrive within {0} seconds")]
    TooSlow(u64),
    /// The request cannot be parsed: 400.
    #[error("{}", told(.0, .0.len()))]
    BadRequest(Vec<ProblemError>),
    /// A management controller did not carry out a request: 502. If it took too long or the result is not known: 504.
    #[error("{message}")]
    Controller {
        /// The controller's error.
        message: String,
        /// Whether the controller took too long.
        slow: bool,
    },
    /// A defect: 500.
    #[error("something is wrong inside; the log says more under this correlation id")]
    Internal(#[source] anyhow::Error),
}

/// A waiting time, for messages.
fn waiting(seconds: u32) -> String {
    match seconds {
        0 | 1 => "a second".to_owned(),
        2..100 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

/// A summary of the errors: the text of a few, or the number of many.
fn told(reasons: &[ProblemError], total: usize) -> String {
    if total > 3 {
        return format!("{total} things are wrong; nothing was done. `errors` lists them");
    }
    reasons.iter().map(|reason| reason.message.as_str()).collect::<Vec<_>>().join("; ")
}

/// Maximum number of errors that an answer lists.
const LISTED: usize = 10_000;

impl Error {
    /// A request that cannot be parsed, for one reason. `field` is the parameter, header or part of the body.
    pub fn bad_request(field: &str, rule: &str, message: impl Into<String>) -> Self {
        Self::BadRequest(vec![ProblemError::new(field, rule, message)])
    }

    /// A request that fails validation for one reason.
    pub fn rejected(field: &str, rule: &str, message: impl Into<String>) -> Self {
        Self::Rejected { reasons: vec![ProblemError::new(field, rule, message)], total: 1 }
    }

    /// A file with rows that fail validation.
    pub fn rejected_rows(rows: Vec<RowError>) -> Self {
        let total = rows.len();
        Self::Rejected { reasons: rows.into_iter().take(LISTED).map(ProblemError::from).collect(), total }
    }

    /// Something that is temporarily not available.
    pub fn unavailable(message: impl Into<String>, retry_after: u32) -> Self {
        Self::Unavailable { message: message.into(), retry_after, source: None }
    }

    /// A failure of the database or a disk, according to its cause.
    pub fn impeded(cause: Cause, source: impl Into<anyhow::Error>) -> Self {
        let (message, retry_after, source) = (cause.sentence().to_owned(), cause.retry_seconds(), source.into());
        match cause {
            Cause::Defect => Self::Internal(source),
            _ if cause.is_full() => Self::StorageFull { message, retry_after, source },
            _ => Self::Unavailable { message, retry_after, source: Some(source) },
        }
    }

    /// The error's stable name: the end of the problem's `type`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not-found",
            Self::Rejected { .. } => "rejected",
            Self::Conflict(_) => "conflict",
            Self::KeyReused => "key-reused",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::CrossSite(_) => "cross-site",
            Self::PasswordDue => "password-due",
            Self::TooMany { .. } => "too-many-attempts",
            Self::Unavailable { .. } => "unavailable",
            Self::Busy { .. } => "busy",
            Self::StorageFull { .. } => "storage-full",
            Self::TooLarge(_) => "too-large",
            Self::UnsupportedMediaType(_) | Self::Encoded => "unsupported-media-type",
            Self::TooSlow(_) => "too-slow",
            Self::BadRequest(_) => "bad-request",
            Self::Controller { slow: false, .. } => "controller-failed",
            Self::Controller { slow: true, .. } => "controller-slow",
            Self::Internal(_) => "internal",
        }
    }

    /// The problem that is sent to the client, still without instance and correlation ID.
    pub fn problem(&self) -> Problem {
        let (errors, total) = match self {
            Self::Rejected { reasons, total } => (reasons.clone(), *total),
            Self::BadRequest(reasons) => (reasons.clone(), reasons.len()),
            _ => (vec![], 0),
        };
        let omitted = total - errors.len();
        Problem { errors, errors_omitted: omitted, ..Problem::new(self.name(), self.status_code(), self.to_string()) }
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Rejected { .. } | Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } | Self::CrossSite(_) | Self::PasswordDue => StatusCode::FORBIDDEN,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } | Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::StorageFull { .. } => StatusCode::INSUFFICIENT_STORAGE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) | Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Controller { slow: false, .. } => StatusCode::BAD_GATEWAY,
            Self::Controller { slow: true, .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.problem().response();
        let headers = response.headers_mut();
        match self {
            Self::Unauthorized { challenge, .. } => {
                let value = match challenge {
                    Challenge::Bearer => "Bearer realm=\"Bootledger\"",
                    Challenge::Basic => "Basic realm=\"Bootledger\", charset=\"UTF-8\"",
                };
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(value));
            }
            Self::Unavailable { retry_after, .. }
            | Self::StorageFull { retry_after, .. }
            | Self::Busy { retry_after, .. }
            | Self::TooMany { retry_after } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(*retry_after));
            }
            _ => {}
        }
        response
    }
}

/// The number of seconds after which a caller whose share is used up may retry.
const BUSY_SECONDS: u32 = 2;

impl From<CommandError> for Error {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NotFound(message) => Self::NotFound(message),
            CommandError::Refused(broken) => broken.into(),
            CommandError::Conflict(message) => Self::Conflict(message),
            CommandError::KeyReused => Self::KeyReused,
            CommandError::Busy(message) => Self::Busy { message, retry_after: BUSY_SECONDS },
            CommandError::Unavailable(source) => {
                Self::impeded(Cause::in_chain(source.chain()).unwrap_or(Cause::Unreachable), source)
            }
            CommandError::Controller { reason, slow } => Self::Controller { message: reason, slow },
            CommandError::Internal(source) => Self::Internal(source),
        }
    }
}

impl From<Vec<BrokenRule>> for Error {
    fn from(broken: Vec<BrokenRule>) -> Self {
        let total = broken.len();
        Self::Rejected { reasons: broken.into_iter().take(LISTED).map(ProblemError::from).collect(), total }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::impeded(Cause::of(&error), error)
    }
}

impl From<bootledger_projections::Error> for Error {
    fn from(error: bootledger_projections::Error) -> Self {
        use bootledger_projections::Error as E;
        match error {
            E::Database(error) => error.into(),
            E::Cursor(_) => Self::bad_request("after", "cursor_malformed", error.to_string()),
            E::RebuildRuns | E::Stopped => Self::unavailable(error.to_string(), 30),
            E::Damaged(_) | E::DamagedJson(_) => Self::Internal(error.into()),
        }
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        match Cause::in_chain(error.chain()) {
            Some(cause) => Self::impeded(cause, error),
            None => Self::Internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;
    use bootledger_projections::cause::Impediment;

    #[test]
    fn every_broken_rule_is_told_with_its_field_and_holder() {
        let error = Error::from(CommandError::Refused(vec![
            BrokenRule::new("hostname", "hostname_claimed", "h200.dc1.example is held by device 7").held_by("device 7"),
            BrokenRule::new("role", "role_unknown", "the venture has no role web"),
        ]));
        insta::assert_json_snapshot!(error.problem(), @r#"
        {
          "type": "/api/docs#problem-rejected",
          "title": "Rules are broken",
          "status": 422,
          "detail": "h200.dc1.example is held by device 7; the venture has no role web",
          "errors": [
            {
              "field": "hostname",
              "rule": "hostname_claimed",
              "message": "h200.dc1.example is held by device 7",
              "holder": "device 7"
            },
            {
              "field": "role",
              "rule": "role_unknown",
              "message": "the venture has no role web"
            }
          ]
        }
        "#);
    }

    #[test]
    fn a_row_is_told_with_its_line_and_column() {
        let row = |row| RowError {
            row,
            column: "mac".to_owned(),
            broken: BrokenRule::new("mac", "malformed", "\"x\" is not a MAC address"),
        };
        let error = Error::rejected_rows(vec![row(7)]);
        insta::assert_json_snapshot!(error.problem().errors, @r#"
        [
          {
            "field": "mac",
            "row": 7,
            "column": "mac",
            "rule": "malformed",
            "message": "\"x\" is not a MAC address"
          }
        ]
        "#);
        let many = Error::rejected_rows((0..10_007).map(row).collect()).problem();
        assert_eq!((many.errors.len(), many.errors_omitted), (10_000, 7));
        assert!(many.detail.starts_with("10007 things are wrong"), "{}", many.detail);
    }

    #[test]
    fn the_cause_of_an_internal_error_stays_inside() {
        let error = Error::from(CommandError::Internal(anyhow!("password authentication failed for user \"x\"")));
        let problem = serde_json::to_string(&error.problem()).expect("JSON");
        assert!(!problem.contains("password"), "{problem}");
        assert_eq!(error.status_code(), 500);
    }

    #[test]
    fn a_lost_database_is_worth_a_second_try_and_a_defect_is_not() {
        let lost = Error::from(anyhow::Error::new(sqlx::Error::PoolTimedOut));
        assert_eq!(lost.status_code(), 503);
        assert!(lost.error_response().headers().contains_key("retry-after"));
        assert_eq!(Error::from(sqlx::Error::RowNotFound).status_code(), 500);
    }
    #[test]
    fn a_full_disk_is_507_with_the_reason_and_a_time_to_wait() {
        let full = std::io::Error::from_raw_os_error(28);
        let error = Error::from(anyhow::Error::new(full).context("secret/path cannot be written"));
        assert_eq!((error.status_code().as_u16(), error.name()), (507, "storage-full"));
        assert_eq!(error.to_string(), "the service's disk is full; free space on it, then try again");
        assert_eq!(error.error_response().headers().get(RETRY_AFTER).map(HeaderValue::as_bytes), Some(&b"30"[..]));
        let read_only = Impediment { cause: Cause::ReadOnly, message: "cannot execute INSERT".to_owned() };
        let error = Error::from(CommandError::Unavailable(read_only.into()));
        assert_eq!(error.status_code(), 503);
        assert!(error.to_string().contains("read-only"), "{error}");
    }
}
