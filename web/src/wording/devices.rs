//! Texts about devices: their remarks, and how their power is controlled.

use bootledger_aggregates::device::event::ManagementProtocol;
use bootledger_aggregates::device::remark::Remark;

/// Text for the protocol of a management controller.
pub(crate) fn protocol(protocol: ManagementProtocol) -> &'static str {
    match protocol {
        ManagementProtocol::Ipmi => "IPMI",
        ManagementProtocol::Redfish => "Redfish",
    }
}

/// A remark, without a full stop unless an operator wrote one.
pub(crate) fn remark(remark: &Remark) -> String {
    match remark {
        Remark::OldRole { venture, role, until } => {
            format!("Remarks below are for {venture}/{role} until {}", until.0.date())
        }
        Remark::Text { text } => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::remark;

    #[test]
    fn a_remark_names_the_old_role_and_the_day_of_the_clean() {
        let stored = r#"{"code":"old_role","venture":"shop","role":"web","until":"2026-03-01T12:00:00Z"}"#;
        let stored = serde_json::from_str(stored).expect("a remark");
        assert_eq!(remark(&stored), "Remarks below are for shop/web until 2026-03-01");
    }
}
