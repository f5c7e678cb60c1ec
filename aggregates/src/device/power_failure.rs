//! Why a management controller did not carry out an order, as a code with its values. The sentence is written from the value
//! when it is shown, in logs and on the command line too, so it is here and not in the web crate.
//!
//! The JSON of this type is part of stored events, so it is stored permanently.

#[cfg(test)]
mod tests;

use super::power::{PowerAction, PowerState};
use crate::controller::Host;
use crate::controller::management::ManagementProtocol;
use crate::values::text::Text;
use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// Why a management controller did not carry out an order. `detail` contains the words of the controller or of `ipmitool`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum PowerFailure {
    /// Nothing at the address answered like a controller with this protocol. The value has no details, so that it does not
    /// reveal which ports of which hosts are open; the service's log has them.
    NoAnswer {
        /// The management controller.
        controller: Host,
        /// The protocol.
        protocol: ManagementProtocol,
    },
    /// No address of the controller is known.
    AddressUnknown {
        /// The management controller.
        controller: Host,
    },
    /// The controller refused the user name or the password.
    Credentials {
        /// The management controller.
        controller: Host,
        /// The name of the user.
        user: Text,
    },
    /// The user name or the password is longer than IPMI supports.
    CredentialsTooLong {
        /// The management controller.
        controller: Host,
        /// The maximum length of a user name in bytes.
        user_bytes: usize,
        /// The maximum length of a password in bytes.
        password_bytes: usize,
    },
    /// The controller does not permit the user to carry out the order.
    NotPermitted {
        /// The management controller.
        controller: Host,
        /// The name of the user.
        user: Text,
        /// The controller's error message.
        detail: Text,
    },
    /// The user's privilege level in IPMI is too low: the order requires the level operator.
    PrivilegeLevel {
        /// The management controller.
        controller: Host,
        /// The name of the user.
        user: Text,
    },
    /// The controller accepts a password only in a session, and opened none.
    NoSession {
        /// The management controller.
        controller: Host,
        /// The status of its response, such as `503 Service Unavailable`.
        status: Text,
        /// The controller's error message.
        detail: Text,
    },
    /// The controller answered a request with an error.
    Refused {
        /// The management controller.
        controller: Host,
        /// The path of the request.
        path: Text,
        /// The status of its response, such as `400 Bad Request`.
        status: Text,
        /// The controller's error message.
        detail: Text,
    },
    /// The controller reported success, and that it did not carry out the request.
    NotDone {
        /// The management controller.
        controller: Host,
        /// The controller's error message.
        detail: Text,
    },
    /// The controller offers no reset of the server.
    NoReset {
        /// The management controller.
        controller: Host,
    },
    /// The controller does not offer the resets that the order needs.
    ResetNotOffered {
        /// The management controller.
        controller: Host,
        /// The kinds of reset that the order needs, one of them.
        wanted: Vec<Text>,
        /// The kinds of reset that the controller offers.
        offered: Vec<Text>,
    },
    /// The controller lists no system.
    NoSystem {
        /// The management controller.
        controller: Host,
    },
    /// The controller has several systems, and the device does not name its own.
    SeveralSystems {
        /// The management controller.
        controller: Host,
        /// How many systems it has.
        count: usize,
        /// The IDs of the first systems.
        systems: Vec<Text>,
    },
    /// The controller accepted a reset, but its task failed.
    ResetTask {
        /// The management controller.
        controller: Host,
        /// The kind of reset.
        reset: Text,
        /// The state of the task, or its error message.
        detail: Text,
    },
    /// The controller accepted a reset with a warning.
    ResetWarning {
        /// The management controller.
        controller: Host,
        /// The kind of reset.
        reset: Text,
        /// The warning.
        detail: Text,
    },
    /// The controller accepted the request to boot from the network once, but its task failed.
    NetworkBootTask {
        /// The management controller.
        controller: Host,
        /// The state of the task, or its error message.
        detail: Text,
    },
    /// The controller did not accept the request to boot from the network once.
    NetworkBoot {
        /// The management controller.
        controller: Host,
        /// How it boots instead.
        setting: BootSetting,
        /// The controller's error message.
        #[serde(default, skip_serializing_if = "Text::is_empty")]
        detail: Text,
    },
    /// The controller accepted the order, but the server is not in the requested power state.
    WrongState {
        /// The management controller.
        controller: Host,
        /// The requested action.
        action: PowerAction,
        /// For how many seconds Bootledger waited.
        seconds: u64,
        /// The power state that the controller reports.
        state: PowerState,
    },
    /// The program `ipmitool`, which controls servers by IPMI, is not installed.
    NoIpmitool {},
    /// The program `ipmitool` cannot be run.
    IpmitoolUnusable {
        /// The error message of the operating system.
        detail: Text,
    },
    /// `ipmitool` reported an error.
    Ipmitool {
        /// The management controller.
        controller: Host,
        /// The last line of the program's output.
        detail: Text,
    },
    /// `ipmitool` reported success with unexpected output.
    UnexpectedOutput {
        /// The management controller.
        controller: Host,
        /// The beginning of the program's output.
        detail: Text,
    },
    /// The order did not end in time.
    Deadline {
        /// The time limit in seconds.
        seconds: u64,
    },
    /// An internal error: a defect of the program, or damaged data.
    Internal {
        /// The error message.
        detail: Text,
    },
    /// The reason in an event that was stored before reasons had codes.
    Text {
        /// The sentence as it was stored.
        text: Text,
    },
}

/// How a server boots whose controller did not accept the request to boot from the network once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "protocol", rename_all = "snake_case", deny_unknown_fields)]
pub enum BootSetting {
    /// The boot flags of an IPMI controller, in hexadecimal digits.
    Ipmi {
        /// The flags.
        flags: Text,
    },
    /// The boot source override of a Redfish controller.
    Redfish {
        /// For which boots the override is enabled.
        enabled: Option<Text>,
        /// The override's target.
        target: Option<Text>,
        /// The firmware's boot mode, if it is not the requested one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<Text>,
        /// The targets that the controller offers, if a boot from the network is not among them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        offered: Vec<Text>,
    },
}

impl PowerFailure {
    /// The words of the controller or of `ipmitool`, if there are any.
    pub fn detail(&self) -> Option<&Text> {
        match self {
            Self::NotPermitted { detail, .. }
            | Self::NoSession { detail, .. }
            | Self::Refused { detail, .. }
            | Self::NotDone { detail, .. }
            | Self::ResetTask { detail, .. }
            | Self::ResetWarning { detail, .. }
            | Self::NetworkBootTask { detail, .. }
            | Self::NetworkBoot { detail, .. }
            | Self::IpmitoolUnusable { detail }
            | Self::Ipmitool { detail, .. }
            | Self::UnexpectedOutput { detail, .. }
            | Self::Internal { detail } => Some(detail).filter(|detail| !detail.is_empty()),
            _ => None,
        }
    }
}

/// The sentence for a failure, without a full stop.
impl fmt::Display for PowerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer { controller, protocol } => write!(
                f,
                "the management controller {controller} did not answer as {}. An administrator sees the details on its power \
                 page and in the service's log",
                protocol_name(*protocol)
            ),
            Self::AddressUnknown { controller } => {
                write!(f, "the address of the management controller {controller} is not known")
            }
            Self::Credentials { controller, user } => {
                write!(f, "the management controller {controller} refused user {user}: wrong name or password")
            }
            Self::CredentialsTooLong { controller, user_bytes, password_bytes } => write!(
                f,
                "IPMI supports a user name of at most {user_bytes} bytes and a password of at most {password_bytes}, but those \
                 for {controller} are longer"
            ),
            Self::NotPermitted { controller, user, detail } => {
                write!(f, "the management controller {controller} does not let user {user} do this: {detail}")
            }
            Self::PrivilegeLevel { controller, user } => write!(
                f,
                "the management controller {controller} does not let user {user} do this: the user needs the privilege level \
                 operator"
            ),
            Self::NoSession { controller, status, detail } => write!(
                f,
                "the management controller {controller} accepts a password only in a session, and opened none ({status}): \
                 {detail}. Close unused sessions on its web pages, or wait until they expire"
            ),
            Self::Refused { controller, path, status, detail } => {
                write!(f, "the management controller {controller} answered {path} with {status}: {detail}")
            }
            Self::NotDone { controller, detail } => {
                write!(f, "the management controller {controller} did not carry out the request: {detail}")
            }
            Self::NoReset { controller } => {
                write!(f, "the management controller {controller} offers no reset of the server")
            }
            Self::ResetNotOffered { controller, wanted, offered } => write!(
                f,
                "the management controller {controller} offers none of {} for the server, only {}",
                joined(wanted),
                joined(offered)
            ),
            Self::NoSystem { controller } => write!(f, "the management controller {controller} lists no system"),
            Self::SeveralSystems { controller, count, systems } => write!(
                f,
                "the management controller {controller} has {count} systems ({}); set management.system to the system of this \
                 server",
                joined(systems)
            ),
            Self::ResetTask { controller, reset, detail } => write!(
                f,
                "the management controller {controller} accepted the request ({reset}), but its task ended with {detail}"
            ),
            Self::ResetWarning { controller, reset, detail } => {
                write!(f, "the management controller {controller} accepted the request ({reset}) with a warning: {detail}")
            }
            Self::NetworkBootTask { controller, detail } => write!(
                f,
                "the management controller {controller} accepted the request to boot from the network once, but its task ended \
                 with {detail}"
            ),
            Self::NetworkBoot { controller, setting, detail } => {
                let refused = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
                write!(
                    f,
                    "the management controller {controller} did not accept the request to boot from the network once: \
                     {setting}{refused}"
                )
            }
            Self::WrongState { controller, action, seconds, state } => write!(
                f,
                "the management controller {controller} accepted the request (power {}), but after {seconds} s it reports that \
                 the power is {}",
                action.as_str(),
                state.as_str()
            ),
            Self::NoIpmitool {} => {
                f.write_str("the program ipmitool, which talks to management controllers by IPMI, is not installed here")
            }
            Self::IpmitoolUnusable { detail } => write!(f, "the program ipmitool cannot be run: {detail}"),
            Self::Ipmitool { controller, detail } => {
                write!(f, "the management controller {controller} did not carry out the request; output of ipmitool: {detail}")
            }
            Self::UnexpectedOutput { controller, detail } => {
                write!(f, "unexpected output of ipmitool for the management controller {controller}: {detail:?}")
            }
            Self::Deadline { seconds } => write!(f, "the management controller did not finish within {seconds} s"),
            Self::Internal { detail } => detail.fmt(f),
            Self::Text { text } => text.fmt(f),
        }
    }
}

impl fmt::Display for BootSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ipmi { flags } => write!(f, "its boot flags are still {flags}"),
            Self::Redfish { enabled, target, mode, offered } => {
                write!(f, "its override is {} for {}", or_nothing(enabled.as_ref()), or_nothing(target.as_ref()))?;
                if mode.is_some() {
                    write!(f, " as {}", or_nothing(mode.as_ref()))?;
                }
                if !offered.is_empty() {
                    write!(f, "; it offers only {}", joined(offered))?;
                }
                Ok(())
            }
        }
    }
}

fn or_nothing(text: Option<&Text>) -> &str {
    text.map(Text::as_str).filter(|text| !text.is_empty()).unwrap_or("nothing")
}

fn protocol_name(protocol: ManagementProtocol) -> &'static str {
    match protocol {
        ManagementProtocol::Ipmi => "IPMI",
        ManagementProtocol::Redfish => "Redfish",
    }
}

fn joined(texts: &[Text]) -> String {
    texts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
