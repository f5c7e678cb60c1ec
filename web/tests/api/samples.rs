//! Values of which the tests of the API and of the pages need the same.

use crate::support::TestSite;
use bootledger_aggregates::boot_image::{BootFile, BootImageEvent, FileKind, Needs};
use bootledger_aggregates::deployment::assignment::Assignment;
use bootledger_aggregates::values::ids::DeviceId;
use bootledger_port::Proposed;
use bootledger_web::images::store::Contents;
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

/// What the domain would deploy on this device, for the form of a deployment.
pub(crate) fn proposed(device: Uuid, ip: [u8; 4], hostname: &str) -> Proposed {
    let name = |text: &str| text.parse().expect("a name");
    let assignment = Assignment {
        device: DeviceId(device),
        mac: "52:54:00:00:00:01".parse().expect("a MAC"),
        ip: ip.into(),
        hostname: hostname.parse().expect("a host name"),
        venture: name("shop"),
        role: name("web"),
        boot_image: name("debian"),
    };
    Proposed { assignment, network: name("prod") }
}

/// The events that put a script, a template and a kernel into a boot image. The site's store has the contents.
pub(crate) async fn boot_files_put(site: &TestSite) -> Vec<Value> {
    let contents = Contents::new(site.boot.application.files.clone());
    let mut events = vec![];
    for (name, kind, content) in [
        ("boot.ipxe", FileKind::BootIpxe, "#!ipxe\necho {{ hostname }}\n"),
        ("ks.cfg", FileKind::Kickstart, "name {{ hostname }}\n"),
        ("vmlinuz", FileKind::Kernel, "a kernel"),
    ] {
        let stored = contents.store_bytes(content.into()).await.expect("stored");
        let (template, settings, needs) = (kind != FileKind::Kernel, BTreeSet::new(), Needs::default());
        let file = BootFile { kind, sha256: stored.sha256, size: stored.size, template, settings, needs };
        let put = BootImageEvent::BootFilePut { name: name.parse().expect("a name"), file };
        events.push(serde_json::to_value(put).expect("JSON"));
    }
    events
}
