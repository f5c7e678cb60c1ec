//! Explains failed requests, without the password.

use super::{Http, LIMIT};
use crate::Trouble;
use crate::redfish::messages;
use bootledger_aggregates::device::management::ManagementProtocol;
use bootledger_aggregates::device::power_failure::PowerFailure;
use bootledger_aggregates::values::text::Text;
use reqwest::StatusCode;

impl Http {
    pub(super) fn unreachable(&self, error: &reqwest::Error) -> Trouble {
        let host = &self.host;
        if error.is_timeout() {
            let reason = format!("the management controller {host} did not answer by Redfish within {} s", LIMIT.as_secs());
            return Trouble { slow: true, ..self.unanswered(reason) };
        }
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let cause = self.redact(&cause.to_string());
        if cause.contains("certificate") {
            return self.unanswered(format!(
                "the management controller {host} is not trusted, so no password was sent: {cause}; if it is the right one, pin its certificate with management.tls, or add the authority that signed it to this machine's trusted authorities"
            ));
        }
        let base = self.base.as_str().trim_end_matches('/');
        if cause.contains("HandshakeFailure") || cause.contains("ProtocolVersion") {
            return self.unanswered(format!(
                "the management controller {host} has no TLS 1.2 or 1.3 in common with Bootledger ({cause}); update its firmware"
            ));
        }
        self.unanswered(format!("the management controller {host} cannot be reached by Redfish at {base}: {cause}"))
    }

    pub(in crate::redfish) fn unanswered(&self, reason: impl Into<String>) -> Trouble {
        Trouble::unanswered(&self.host, ManagementProtocol::Redfish, reason)
    }

    pub(super) fn refused(&self, status: StatusCode, path: &str, body: &[u8]) -> Trouble {
        let (controller, user) = (self.host.clone(), Text::fitted(&self.credentials.user));
        if status == StatusCode::UNAUTHORIZED {
            return Trouble::certain(PowerFailure::Credentials { controller, user });
        }
        if status.is_redirection() {
            return self.not_followed(status, "this kind of redirect would change the request");
        }
        let words = messages::short(&self.redact(&messages::said(body)));
        let path = self.redact(path);
        // Only a response in the form of a Redfish error comes from a controller.
        if words.is_empty() {
            return self.unanswered(format!("the management controller {controller} answered {path} with {status}"));
        }
        let detail = Text::fitted(&words);
        Trouble::certain(if status == StatusCode::FORBIDDEN {
            PowerFailure::NotPermitted { controller, user, detail }
        } else {
            PowerFailure::Refused { controller, path: Text::fitted(&path), status: Text::fitted(&status.to_string()), detail }
        })
    }
}
