//! The names of the commands.

use super::{
    AccountAction, BulkOrder, CatalogueAction, Command, DeploymentAction, DeviceAction, DhcpServerAction, ReservationAction,
    SavedViewAction, TokenAction, WebhookAction,
};

/// Lists the commands without a group, and then those of each group. A command that is missing here does not compile.
macro_rules! names {
    ($($alone:ident)+; $($group:ident($actions:ident): $($action:ident)+;)+) => {
        impl Command {
            /// The names of all commands.
            pub const NAMES: &[&str] = &[$(stringify!($alone),)+ $($(stringify!($action)),+),+];

            /// The command's name for logs, such as `StartDeployment`. It contains nothing of the command's content.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$alone { .. } => stringify!($alone),)+
                    $(Self::$group(action) => action.name(),)+
                }
            }
        }

        $(impl $actions {
            /// The command's name for logs.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$action { .. } => stringify!($action),)+
                }
            }
        })+
    };
}

names! {
    OrderPower RepairDrift;
    Device(DeviceAction): RegisterDevice ChangeDevice RecordFacts VerifyDevice UnverifyDevice LockDevice UnlockDevice
        DecommissionDevice;
    Deployment(DeploymentAction):
        StartDeployment CancelDeployment MarkDone ReportPuppetRun RetryPlugin RetryPlugins RecordBoot ReportInstaller
        RecordInstallerLog SetNextBoot ReportRestart NoteDeployment;
    Catalogue(CatalogueAction):
        DefineSite DefineRack DefineNetwork DefineDhcpServer DefineVenture DefineRole RetireRole DefineBootImage PutBootFile
        RemoveBootFile ReplaceBootImage DefineSecret Retire;
    Reservation(ReservationAction): ReserveAddress ReleaseAddress ExpireReservation;
    Webhook(WebhookAction): DefineWebhook PauseWebhook ResumeWebhook SetWebhookPosition SkipWebhookEvent;
    Bulk(BulkOrder): StartBulk RecordBulkResults RetryBulk StopBulk;
    DhcpServer(DhcpServerAction): ConfirmConfiguration ReportConfigurationFailure;
    Token(TokenAction): CreateToken RevokeToken;
    SavedView(SavedViewAction): SaveView DeleteView;
    Account(AccountAction):
        CreateUser AdmitUser ChangeUserRole SetPassword DisableUser EnableUser LockOut RecordFailedSignIns UnlockUser
        StartSession EndSession;
}
