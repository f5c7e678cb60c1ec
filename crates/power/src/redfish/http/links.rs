//! Restricts requests to the service's own origin, whatever its links and redirects say.

use super::Http;
use crate::Trouble;
use reqwest::StatusCode;
use url::Url;

impl Http {
    /// The URL of a link from the service. A link to a different origin would send the password there.
    pub(super) fn locate(&self, link: &str) -> Result<Url, Trouble> {
        let foreign = || {
            let link = self.redact(link);
            self.unanswered(format!("the management controller {} refers to {link:?}, which is not its own", self.host))
        };
        let relative = link.starts_with('/') && !link.starts_with("//");
        if !relative && !link.starts_with("http://") && !link.starts_with("https://") {
            return Err(foreign());
        }
        let url = self.base.join(link).map_err(|_| foreign())?;
        self.own(url).ok_or_else(foreign)
    }

    /// A URL of this service, with its path: a gateway may pass on the links of the controllers behind it unchanged.
    fn own(&self, mut url: Url) -> Option<Url> {
        let credentials = !url.username().is_empty() || url.password().is_some();
        if url.origin() != self.base.origin() || credentials {
            return None;
        }
        url.set_fragment(None);
        let below = url.path().strip_prefix(&self.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if !below {
            if !url.path().starts_with("/redfish/") {
                return None;
            }
            url.set_path(&format!("{}{}", self.prefix, url.path()));
        }
        Some(url)
    }

    /// The target of a redirect, if it is within the service.
    pub(super) fn follow(&self, from: &Url, location: &str) -> Result<Url, String> {
        let Ok(url) = from.join(location) else { return Err("its Location is not a URL".to_owned()) };
        if location.is_empty() {
            return Err("it has no Location".to_owned());
        }
        let secure = self.base.scheme() == "http" && url.scheme() == "https" && url.host() == self.base.host();
        if secure {
            return Err(
                "it leads to TLS. Set management.tls to verify, or to sha256: and the fingerprint of its certificate".to_owned()
            );
        }
        let to = format!("it leads to {}, which is not this controller", url.origin().ascii_serialization());
        self.own(url).ok_or(to)
    }

    pub(super) fn not_followed(&self, status: StatusCode, why: &str) -> Trouble {
        let why = self.redact(why);
        self.unanswered(format!(
            "the management controller {} answered with a redirect ({status}) that is not followed: {why}",
            self.host
        ))
    }
}
