//! One attempt to deliver a message to a receiver.

use super::webhook_message::{Message, Signer};
use bootledger_aggregates::values::text::Text;
use bootledger_aggregates::webhook::WebhookUrl;
use bootledger_outbound::{Guard, Refused};
use bootledger_projections::progress::delivery_problem::DeliveryProblem;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// How long an attempt may take.
const LIMIT: Duration = Duration::from_secs(10);

/// How much of a response is read, in bytes: its text is only for troubleshooting.
const READ: usize = 1024;

/// The longest time for which a receiver may request a pause.
const LONGEST_REST: Duration = Duration::from_mins(15);

/// The result of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    /// The status of the response, if there was one.
    pub(crate) status: Option<StatusCode>,
    /// The text of the response if the receiver has accepted the message.
    pub(crate) answer: Text,
    /// Why the receiver has not accepted the message, if it has not.
    pub(crate) problem: Option<DeliveryProblem>,
    /// The pause that the receiver requested.
    pub(crate) retry_after: Option<Duration>,
}

impl Tried {
    /// An attempt without a response.
    fn unanswered(problem: DeliveryProblem) -> Self {
        Self { status: None, answer: Text::default(), problem: Some(problem), retry_after: None }
    }
}

/// A webhook's receiver. Connections to it are kept open.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    url: String,
    origin: String,
    client: Client,
    guard: Guard,
}

impl Receiver {
    /// The receiver at this URL, for this many concurrent messages.
    pub(crate) fn new(url: &WebhookUrl, at_once: usize, guard: &Guard) -> reqwest::Result<Self> {
        // Only the URL that an administrator has chosen is contacted: redirects and proxies of the environment are not used.
        let client = guard
            .client()
            .timeout(LIMIT)
            .pool_max_idle_per_host(at_once)
            .user_agent(concat!("bootledger/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { url: url.as_str().to_owned(), origin: url.origin(), client, guard: guard.clone() })
    }

    /// Sends the message once, signed for the current time. A 2xx response accepts it; any other response does not.
    pub(crate) async fn send(&self, message: &Message, signer: &Signer, now: OffsetDateTime) -> Tried {
        if let Err(error) = self.guard.check_text(&self.url) {
            return Tried::unanswered(match error.downcast_ref::<Refused>() {
                Some(refused) => not_allowed(refused),
                None => DeliveryProblem::Internal { detail: Text::fitted(&format!("the webhook's URL cannot be used: {error}")) },
            });
        }
        let timestamp = now.unix_timestamp();
        let request = self.client.post(&self.url).header(CONTENT_TYPE, "application/json");
        let request = request
            .header("webhook-id", &message.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signer.sign(message, timestamp));
        let mut answer = match request.body(message.body.clone()).send().await {
            Ok(answer) => answer,
            Err(error) => return self.lost(error),
        };
        let status = answer.status();
        let mut body = vec![];
        // The status decides; a body that breaks off, or does not end, does not change the result.
        while body.len() < READ
            && let Ok(Some(chunk)) = answer.chunk().await
        {
            body.extend_from_slice(&chunk[..chunk.len().min(READ - body.len())]);
        }
        let said = String::from_utf8_lossy(&body);
        let said = said.trim();
        let said = Text::fitted(said);
        if status.is_success() {
            return Tried { status: Some(status), answer: said, problem: None, retry_after: None };
        }
        let retry_after = retry_after(answer.headers(), now);
        let problem = DeliveryProblem::Status { receiver: self.name(), status: status.as_u16(), detail: said };
        Tried { status: Some(status), answer: Text::default(), problem: Some(problem), retry_after }
    }

    /// The origin of the URL: its path may be confidential.
    fn name(&self) -> Text {
        Text::fitted(&self.origin)
    }

    fn lost(&self, error: reqwest::Error) -> Tried {
        // The URL may contain words that are confidential between service and receiver.
        let error = error.without_url();
        if error.is_timeout() {
            return Tried::unanswered(DeliveryProblem::Timeout { receiver: self.name(), seconds: LIMIT.as_secs() });
        }
        let mut cause: &(dyn std::error::Error + 'static) = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Tried::unanswered(match cause.downcast_ref::<Refused>() {
            Some(refused) => not_allowed(refused),
            None => DeliveryProblem::Unreachable { receiver: self.name(), detail: Text::fitted(&cause.to_string()) },
        })
    }
}

fn not_allowed(refused: &Refused) -> DeliveryProblem {
    DeliveryProblem::AddressNotAllowed {
        address: refused.address,
        host: refused.host.as_deref().map(Text::fitted),
        option: Text::fitted(refused.option),
    }
}

/// The pause that a receiver requests (RFC 9110, 10.2.3), in seconds or as a time; at most a quarter of an hour.
fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wanted = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => Duration::try_from(OffsetDateTime::parse(text, &Rfc2822).ok()? - now).ok()?,
    };
    Some(wanted.min(LONGEST_REST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retry_after_may_name_seconds_or_a_time_within_a_limit() {
        let now = OffsetDateTime::from_unix_timestamp(1_700_000_000).expect("a time");
        let requested = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().expect("a header"))]);
            retry_after(&headers, now).map(|rest| rest.as_secs())
        };
        assert_eq!(requested("7"), Some(7));
        assert_eq!(requested("0"), Some(0));
        assert_eq!(requested("31536000"), Some(900));
        assert_eq!(requested("Tue, 14 Nov 2023 22:14:20 GMT"), Some(60));
        for text in ["Tue, 14 Nov 2023 22:13:00 GMT", "-1", "soon", "", "99999999999999999999"] {
            assert_eq!(requested(text), None, "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
