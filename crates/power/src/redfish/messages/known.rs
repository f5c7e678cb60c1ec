//! The meaning of messages, by their names in the registries that define them. A name is the same in all versions of a
//! registry.
//!
//! - Base: DMTF's registry (DSP8011), as bmcweb's `base_message_registry.hpp` and HPE's iLO 6 documentation (1.70) list it.
//! - iLO, `HpeCommon`: the message registries in HPE's documentation of iLO 6 1.70 (HPEDevCom/redfishdocs).
//! - SWC, SYS, RAC, PSU: iDRAC's codes do not reveal their meaning, so their severity decides.

/// What a message says about the change that it responds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The change was made, or will be at the next reset.
    Done,
    /// The change was not made.
    Refused,
    /// The message has no meaning of its own: it refers to the other messages.
    Nothing,
}

/// Messages about changes that were made. Some of these are warnings in their registry.
const DONE: &[&str] = &[
    // Base
    "Success",
    "Created",
    "NoOperation",
    "AccountModified",
    "AccountRemoved",
    "ActionDeprecated",
    "ConditionInRelatedResource",
    "PropertyDeprecated",
    "PropertyModified",
    "PropertyValueDeprecated",
    "PropertyValueModified",
    "ResetRecommended",
    "ResetRequired",
    "ResourceDeprecated",
    "SessionTerminated",
    // iLO, HpeCommon
    "Accepted",
    "ChassisResetRequired",
    "ConditionalSuccess",
    "DeviceResetRequired",
    "NoContent",
    "OperationWillCompleteAfterSystemPOST",
    "PowerLimitMayNotTakeEffect",
    "PropertyValueAlreadySet",
    "ResetInProgress",
    "SuccessFeedback",
    "SystemResetRequired",
    "TaskCreated",
    "iLOResetAndSystemRebootRequired",
];

/// Messages about changes that were not made.
const REFUSED: &[&str] = &[
    // Base
    "AccessDenied",
    "AccountNotModified",
    "ActionNotSupported",
    "ActionParameterDuplicate",
    "ActionParameterMissing",
    "ActionParameterNotSupported",
    "ActionParameterUnknown",
    "ActionParameterValueConflict",
    "ActionParameterValueError",
    "ActionParameterValueFormatError",
    "ActionParameterValueNotInList",
    "ActionParameterValueOutOfRange",
    "ActionParameterValueTypeError",
    "ArraySizeTooLong",
    "ArraySizeTooShort",
    "AuthenticationTokenRequired",
    "ChassisPowerStateOffRequired",
    "ChassisPowerStateOnRequired",
    "CouldNotEstablishConnection",
    "CreateFailedMissingReqProperties",
    "CreateLimitReachedForResource",
    "EmptyJSON",
    "GenerateSecretKeyRequired",
    "HeaderInvalid",
    "HeaderMissing",
    "InsufficientPrivilege",
    "InsufficientStorage",
    "InternalError",
    "InvalidIndex",
    "InvalidJSON",
    "InvalidObject",
    "InvalidURI",
    "LicenseRequired",
    "MalformedJSON",
    "MaximumErrorsExceeded",
    "MissingOrMalformedPart",
    "NoValidSession",
    "OperationFailed",
    "OperationNotAllowed",
    "OperationTimeout",
    "PasswordChangeRequired",
    "PayloadTooLarge",
    "PreconditionFailed",
    "PreconditionRequired",
    "PropertyDuplicate",
    "PropertyMissing",
    "PropertyNotUpdated",
    "PropertyNotWritable",
    "PropertyUnknown",
    "PropertyValueConflict",
    "PropertyValueError",
    "PropertyValueExternalConflict",
    "PropertyValueFormatError",
    "PropertyValueIncorrect",
    "PropertyValueNotInList",
    "PropertyValueOutOfRange",
    "PropertyValueResourceConflict",
    "PropertyValueTypeError",
    "QueryCombinationInvalid",
    "QueryNotSupported",
    "QueryNotSupportedOnOperation",
    "QueryNotSupportedOnResource",
    "ResourceAlreadyExists",
    "ResourceAtUriInUnknownFormat",
    "ResourceAtUriUnauthorized",
    "ResourceCannotBeDeleted",
    "ResourceCreationConflict",
    "ResourceExhaustion",
    "ResourceInStandby",
    "ResourceInUse",
    "ResourceMissingAtURI",
    "ResourceNotFound",
    "ResourceTypeIncompatible",
    "ServiceDisabled",
    "ServiceInUnknownState",
    "ServiceShuttingDown",
    "ServiceTemporarilyUnavailable",
    "SessionLimitExceeded",
    "StringValueTooLong",
    "StringValueTooShort",
    "UndeterminedFault",
    "UnrecognizedRequestBody",
    // iLO, HpeCommon
    "ArrayPropertyOutOfBound",
    "ArrayPropertyValueBadParam",
    "AuthenticationTokenExpired",
    "DeviceIsBusy",
    "InternalErrorWithParam",
    "InvalidConfigurationSpecified",
    "InvalidOperationForAutoPowerOnState",
    "InvalidOperationForSystemState",
    "LicenseKeyRequired",
    "OperationAvailableAfterSystemPOST",
    "PropertyNotSupported",
    "PropertyNotWritableOrUnknown",
    "PropertyValueBadParam",
    "PropertyValueExceedsMaxLength",
    "PropertyValueIncompatible",
    "PropertyValueRequired",
    "PropertyValueUnAvailable",
    "RequiredPropertyMissing",
    "ResourceBeingFlashed",
    "ResourceInUseWithDetail",
    "ResourceNotReadyRetry",
    "ResourceTemporarilyUnavailable",
    "ServerConfigurationLockEnabled",
    "SystemPowerStateChangeFailed",
    "SystemSecurityRestriction",
    "TokenRequired",
    "UnableModifyRights",
    "UnableToModifyDueToMissingComponent",
    "UnableToModifyDuringSystemPOST",
    "UnsupportedHwConfiguration",
    "UnsupportedOperation",
    "UnsupportedOperationInChassisVersion",
    "UnsupportedOperationInLegacyBootMode",
    "UnsupportedOperationInSystemBIOS",
];

/// The meaning of the message with this name; `None` if it is not known here.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    match name {
        "GeneralError" | "ExtendedInfo" => Some(Meaning::Nothing),
        name if DONE.contains(&name) => Some(Meaning::Done),
        name if REFUSED.contains(&name) => Some(Meaning::Refused),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_message_has_one_meaning() {
        let mut seen = HashSet::new();
        for name in DONE.iter().chain(REFUSED) {
            assert!(seen.insert(name), "{name}");
        }
    }
}
