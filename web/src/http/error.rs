//! The errors that an HTTP request can end with, and their one form: RFC 9457 `application/problem+json`. The cause of an
//! internal error is never sent to the client. The chain of causes is logged once, in [`crate::http::edge`], which also adds
//! the correlation ID.

mod conversions;
pub mod problem;
#[cfg(test)]
mod tests;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use bootledger_aggregates::rules::Rule;
use bootledger_aggregates::user::Role;
use bootledger_port::RowError;
use bootledger_projections::database::cause::Cause;
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
    #[error("{}", sentence_of(reasons, *total))]
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
    #[error("{has} may not do this: the role {needed} is required")]
    Forbidden {
        /// The lowest role that may.
        needed: Role,
        /// The caller and the caller's role.
        has: String,
    },
    /// A page of another site sent a request for a change: 403.
    #[error("{0}")]
    CrossSite(String),
    /// The password was set by someone else, and must be changed before anything else: 403.
    #[error("the password is a one-time password; set your own at /settings/password")]
    PasswordDue,
    /// There were too many attempts to sign in: 429 with `Retry-After`.
    #[error("too many sign-in attempts; wait {} and try again", waiting(*retry_after))]
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
    #[error("the body is larger than {0} bytes, the limit for this request; send less")]
    TooLarge(u64),
    /// The body does not have the required content type: 415.
    #[error("the body must be {0}; set the header Content-Type accordingly")]
    UnsupportedMediaType(&'static str),
    /// The body is compressed: 415.
    #[error("a body with the header Content-Encoding is not supported; send it uncompressed")]
    Encoded,
    /// The body arrived too slowly: 408. Contains the time limit in seconds.
    #[error("the body did not arrive within {0} seconds")]
    TooSlow(u64),
    /// The request cannot be parsed: 400.
    #[error("{}", sentence_of(.0, .0.len()))]
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
    #[error("internal error; see the log entry with this correlation id")]
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
fn sentence_of(reasons: &[ProblemError], total: usize) -> String {
    if total > 3 {
        return format!("{total} problems; nothing was changed. `errors` lists them");
    }
    reasons.iter().map(|reason| reason.message.as_str()).collect::<Vec<_>>().join("; ")
}

/// Maximum number of errors that an answer lists.
const LISTED: usize = 10_000;

impl Error {
    /// A request that cannot be parsed, for one reason. `field` is the parameter, header or part of the body.
    pub fn bad_request(field: &str, rule: Rule, message: impl Into<String>) -> Self {
        Self::BadRequest(vec![ProblemError::new(field, rule, message)])
    }

    /// A request that fails validation for one reason.
    pub fn rejected(field: &str, rule: Rule, message: impl Into<String>) -> Self {
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
