//! The variables of templates: the values of one server, and nothing else.
//!
//! Every value is of a type that contains no control characters, so that none can begin a new line in a script.

use super::target::Target;
use crate::images::settings::{SettingValues, texts};
use bootledger_aggregates::boot_image::FileKind;
use bootledger_aggregates::values::name::Name;
use minijinja::value::{Object, Value};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// The name of every variable, in the order in which messages list them.
pub const NAMES: [&str; 24] = [
    "filename",
    "filetype",
    "mac",
    "ip",
    "hostname",
    "domain",
    "venture",
    "role",
    "site",
    "network",
    "gateway",
    "netmask",
    "prefix",
    "base_url",
    "files_url",
    "done_url",
    "progress_url",
    "log_url",
    "token",
    "kernel_url",
    "initrd_url",
    "kickstart_url",
    DNS_SERVERS,
    SETTINGS,
];

/// The meaning of each variable, in the same order.
pub(crate) const MEANINGS: [&str; NAMES.len()] = [
    "the file's name in the boot image",
    "what the file is for, such as boot_ipxe",
    "the interface that the server boots from; with the filters none, colon or cisco in other notations",
    "the server's address",
    "the server's full host name",
    "the network's domain, or the site's if the network has none",
    "the server's venture",
    "the server's role",
    "the site's code",
    "the name of the address's network",
    "the network's router; empty where it has none",
    "the network's mask",
    "the network's mask as the number of its bits, such as 24",
    "the URL of Bootledger for servers",
    "where the image's files are: add a slash and a file's name",
    "the URL that the server requests when it is installed",
    "where the installer reports its progress",
    "where the installer sends the end of its log",
    "the deployment's token, a secret of this server",
    "the URL of the kernel; empty if the image has none",
    "the URL of the initial RAM disk (initrd); empty if the image has none",
    "the URL of the installer's answer file; empty if the image has none",
    "the network's resolvers, a list",
    "the image's settings: settings.NAME is the value for this server",
];

/// The only variable that is a list.
const DNS_SERVERS: &str = "dns_servers";

/// The only variable that has parts.
pub(crate) const SETTINGS: &str = "settings";

/// How many variables are texts.
const TEXTS: usize = NAMES.len() - 2;

/// The values for one file of one server. A value that does not exist (a gateway, a kernel) is an empty text.
#[derive(Debug)]
pub struct Variables {
    /// The values of `NAMES` in that order, except for the last two.
    texts: [String; TEXTS],
    dns_servers: Vec<Ipv4Addr>,
    settings: Arc<SettingValues>,
}

impl Variables {
    /// The values for a file of a target. `base_url` has no final slash; `token` is the deployment's, and `settings`
    /// are the file's.
    pub fn new(
        target: &Target,
        filename: &Name,
        filetype: FileKind,
        base_url: &str,
        token: &str,
        settings: SettingValues,
    ) -> Self {
        let (server, place) = (&target.identity.assignment, &target.place);
        let files_url = format!("{base_url}/pxe/t/{token}");
        let url = |rest: &str| format!("{files_url}/{rest}");
        let url_of = |kind| target.image.file_of_kind(kind).map_or_else(String::new, |(name, _)| url(name.as_str()));
        let texts = [
            filename.to_string(),
            filetype.to_string(),
            server.mac.to_string(),
            server.ip.to_string(),
            server.hostname.to_string(),
            place.domain.clone(),
            server.venture.to_string(),
            server.role.to_string(),
            place.site.to_string(),
            place.network.to_string(),
            place.gateway.map_or_else(String::new, |gateway| gateway.to_string()),
            place.netmask.to_string(),
            u32::from(place.netmask).count_ones().to_string(),
            base_url.to_owned(),
            files_url.clone(),
            url("DONE/"),
            url("progress"),
            url("log"),
            token.to_owned(),
            url_of(FileKind::Kernel),
            url_of(FileKind::Initrd),
            url_of(FileKind::Kickstart),
        ];
        Self { texts, dns_servers: place.dns_servers.clone(), settings: Arc::new(settings) }
    }

    /// The same values with these settings.
    #[must_use]
    pub(crate) fn with_settings(self, settings: SettingValues) -> Self {
        Self { settings: Arc::new(settings), ..self }
    }

    /// The settings of the file. They record which unknown setting the template used.
    pub(crate) fn settings(&self) -> Arc<SettingValues> {
        Arc::clone(&self.settings)
    }

    /// The values of a server that has everything, to check templates with.
    pub fn sample() -> Self {
        let token = "0".repeat(64);
        let files_url = format!("http://10.0.0.1:8080/pxe/t/{token}");
        let url = |rest: &str| format!("{files_url}/{rest}");
        let texts = [
            "boot.ipxe".to_owned(),
            "boot_ipxe".to_owned(),
            "52:54:00:12:34:56".to_owned(),
            "10.0.0.20".to_owned(),
            "h200.dc1.example".to_owned(),
            "dc1.example".to_owned(),
            "shop".to_owned(),
            "web".to_owned(),
            "dc1".to_owned(),
            "dc1-servers".to_owned(),
            "10.0.0.1".to_owned(),
            "255.255.255.0".to_owned(),
            "24".to_owned(),
            "http://10.0.0.1:8080".to_owned(),
            files_url.clone(),
            url("DONE/"),
            url("progress"),
            url("log"),
            token.clone(),
            url("vmlinuz"),
            url("initrd.img"),
            url("preseed.cfg"),
        ];
        let dns_servers = vec![Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 3)];
        Self { texts, dns_servers, settings: Arc::default() }
    }

    /// The same server in a network without gateway and resolvers, with an image that has no kernel, initrd or kickstart.
    pub fn bare_sample() -> Self {
        let mut sample = Self::sample();
        for (name, text) in NAMES.iter().zip(&mut sample.texts) {
            if matches!(*name, "gateway" | "kernel_url" | "initrd_url" | "kickstart_url") {
                text.clear();
            }
        }
        sample.dns_servers.clear();
        sample
    }
}

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        if name == DNS_SERVERS {
            return Some(texts(self.dns_servers.iter().map(ToString::to_string)));
        }
        if name == SETTINGS {
            return Some(Value::from_dyn_object(Arc::clone(&self.settings)));
        }
        let (_, text) = NAMES.iter().zip(&self.texts).find(|(known, _)| **known == name)?;
        // The types refuse control characters. If one passed nevertheless, the variable is undefined and rendering fails.
        (!text.contains(char::is_control)).then(|| Value::from(text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_a_control_character_is_never_written() {
        let mut variables = Variables::sample();
        variables.texts[4] = "h200.dc1.example\nchain http://evil.example/".to_owned();
        assert!(Arc::new(variables).get_value_by_str("hostname").is_none());
    }
}
