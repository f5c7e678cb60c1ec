//! The registry of all rule codes: which HTTP status each has, and what it means. Programs act on these codes, so a code
//! keeps its meaning, and only new ones are added. The enum in the API description and `docs/rules.md` are made from this list;
//! `web/src/server/openapi/rejected/` names the operations of each rule. Codes of requests and of import files are here too, so
//! that one list is complete.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// The HTTP status of a request that violates a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// 400: the request cannot be read.
    BadRequest,
    /// 404 if the error concerns the whole request, because then it is about the resource in the URL. An error of a field has
    /// status 422.
    NotFound,
    /// 422: the request can be read, and is refused.
    Rejected,
}

impl Status {
    /// The status as the documentation shows it.
    pub const fn shown(self) -> &'static str {
        match self {
            Self::BadRequest => "400",
            Self::NotFound => "404, or 422 for a field",
            Self::Rejected => "422",
        }
    }
}

/// Declares the rules in groups of one status: name in the source, code, meaning.
macro_rules! rules {
    ($($status:ident { $($rule:ident $code:literal $help:literal)+ })+) => {
        /// A rule that a request can violate. An error contains its code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[doc = $help] $rule,)+)+
        }

        impl Rule {
            /// All rules, in the order of the document.
            pub const ALL: &[Self] = &[$($(Self::$rule,)+)+];

            /// The stable code, in `snake_case`.
            pub const fn code(self) -> &'static str {
                match self {
                    $($(Self::$rule => $code,)+)+
                }
            }

            /// What the code means, in one sentence.
            pub const fn help(self) -> &'static str {
                match self {
                    $($(Self::$rule => $help,)+)+
                }
            }

            /// The HTTP status of a request that violates the rule.
            pub const fn status(self) -> Status {
                match self {
                    $($(Self::$rule => Status::$status,)+)+
                }
            }
        }
    };
}

rules! {
    BadRequest {
        AtMalformed "at_malformed" "The value of `at` is neither an event number nor an RFC 3339 time."
        BodyBroken "body_broken" "The request's body ended early."
        BodyIncomplete "body_incomplete" "The upload ended early."
        CursorMalformed "cursor_malformed" "The value of `after` is not a cursor of this list."
        DownloadsAreNow "downloads_are_now" "The service does not keep past states of downloads."
        FieldMalformed "field_malformed" "A field of the form is not UTF-8 text."
        FieldRepeated "field_repeated" "The JSON object has a field twice."
        FieldTooLong "field_too_long" "A field of the form is too long."
        FormMalformed "form_malformed" "The uploaded form cannot be read."
        IdempotencyKeyMalformed "idempotency_key_malformed"
            "The header `Idempotency-Key` is not 1 to 200 visible ASCII characters, or is there twice."
        JsonMalformed "json_malformed" "The body is not JSON."
        JsonTooDeep "json_too_deep" "The JSON body has too many levels of nested lists and objects."
        ParameterMalformed "parameter_malformed" "A query parameter cannot be read."
        ParameterUnknown "parameter_unknown" "The operation has no such query parameter."
        PathMalformed "path_malformed" "A part of the path does not have the form of its field."
        PositionMalformed "position_malformed" "The header's value is not an event number, or is there twice."
        PowerIsNow "power_is_now" "The service does not keep past power states."
        QueryMalformed "query_malformed" "The query string cannot be read."
        ReportMalformed "report_malformed" "The body is not a Puppet report."
    }
    NotFound {
        BootImageUnknown "boot_image_unknown" "No boot image has this name."
        BulkUnknown "bulk_unknown" "No bulk action has this ID."
        DeploymentUnknown "deployment_unknown" "No deployment has this ID."
        DeviceUnknown "device_unknown" "No device has this ID."
        DhcpServerUnknown "dhcp_server_unknown" "No DHCP server has this name."
        DriftUnknown "drift_unknown" "The difference no longer exists."
        PluginUnknown "plugin_unknown" "The deployment's plan has no such plugin."
        ReservationUnknown "reservation_unknown" "The address is not reserved."
        RoleUnknown "role_unknown" "The venture has no such role."
        SessionUnknown "session_unknown" "No session has this ID."
        SiteUnknown "site_unknown" "No site has this name."
        TokenUnknown "token_unknown" "No token has this ID."
        UserUnknown "user_unknown" "No user has this name."
        VentureUnknown "venture_unknown" "No venture has this name."
        WebhookUnknown "webhook_unknown" "No webhook has this name."
    }
    Rejected {
        ActionUnknown "action_unknown" "The page does not offer the requested action."
        AddressHeld "address_held" "A device or a reservation holds an address that the change would take out of its network, or reserve."
        AddressIsManagement "address_is_management" "The address is the management address of a device."
        AddressNotAHost "address_not_a_host" "The address cannot be the address of one host."
        AddressNotAllowed "address_not_allowed"
            "The service may not connect to the address: its settings for outbound connections forbid it."
        AddressOfInfrastructure "address_of_infrastructure"
            "The catalogue uses the address or name for a gateway, a name server or another service."
        AddressOfNoHost "address_of_no_host" "The network reserves the address, as its gateway or its broadcast address."
        AfterInFuture "after_in_future" "The event number is greater than that of the last event."
        AfterNegative "after_negative" "The event number is negative."
        AlreadyDeploying "already_deploying" "The device has a live deployment."
        AssetClaimed "asset_claimed" "Another device has the asset number."
        AtInFuture "at_in_future" "The requested time or event number is in the future."
        AtNegative "at_negative" "The event number in `at` is negative."
        AtNotHere "at_not_here" "The page shows only the current state."
        AtNotKept "at_not_kept" "The service does not keep past states of this list."
        BootChainUnknown "boot_chain_unknown" "The setting `boot_chain` has a value that is neither `ipxe` nor `signed`."
        BootImageChanged "boot_image_changed" "The boot image changed after the caller read it."
        BootImageExists "boot_image_exists" "A boot image with this name exists."
        BootImageInUse "boot_image_in_use" "Roles, ventures or live deployments use the boot image."
        BootImageIncomplete "boot_image_incomplete" "The boot image lacks a file or a value without which it cannot boot."
        BootImageInvalid "boot_image_invalid" "The file's cell is not a valid name of a boot image."
        BootImageMissing "boot_image_missing"
            "The request names no boot image, and neither the role nor the venture has a default."
        BootImageNotSigned "boot_image_not_signed"
            "The device boots with Secure Boot, and the boot image has no template for signed loaders."
        BootImageRetired "boot_image_retired" "The boot image is retired."
        BootUrlNotAHost "boot_url_not_a_host" "The address in the boot URL cannot be the address of one host."
        BulkEmpty "bulk_empty" "The bulk action has no rows."
        BulkNoChange "bulk_no_change" "The bulk action changes no value."
        BulkNothingRefused "bulk_nothing_refused" "No row of the bulk action was refused."
        BulkRowTwice "bulk_row_twice" "The bulk action names a row twice."
        BulkRunning "bulk_running" "The bulk action is still running."
        BulkTagTwice "bulk_tag_twice" "The bulk action adds and removes the same tag."
        ChangedMeanwhile "changed_meanwhile" "Another user changed the entry after this form was loaded."
        ChassisDeploying "chassis_deploying" "The device that contains this device has a live deployment."
        ChassisInFile "chassis_in_file" "The file deploys a device and one of its sub-devices."
        CidrHostBits "cidr_host_bits" "The network's address has host bits set."
        CidrSpecial "cidr_special" "The address range is reserved for another purpose, such as loopback or multicast."
        CidrTooWide "cidr_too_wide" "The network's prefix is shorter than /8."
        Claimed "claimed" "Another deployment or device holds a value that a step needs."
        ColumnCount "column_count" "The row has too few or too many columns."
        ColumnMissing "column_missing" "The header lacks a required column."
        ColumnRepeated "column_repeated" "The header names a column more than once."
        ColumnUnknown "column_unknown" "The header names a column that the import does not know."
        ColumnUnnamed "column_unnamed" "The row has a value in a column that has no heading."
        ConfirmedNothing "confirmed_nothing" "The confirmation lacks the revision or the event number."
        ContentEmpty "content_empty" "The uploaded file is empty."
        ContentOtherThanAnnounced "content_other_than_announced"
            "The uploaded bytes do not have the announced SHA-256 checksum."
        ControllerClaimed "controller_claimed" "Another device has the same management controller."
        ControllerFailed "controller_failed" "The management controller did not carry out the order."
        ControllerShared "controller_shared"
            "The management controller is that of another device, and `management.system` does not distinguish the two."
        CredentialsMissing "credentials_missing" "The management controller has no credentials."
        CsvEmpty "csv_empty" "The file has no rows."
        CsvErrors "csv_errors" "The file has more errors than the response lists; the rest of the file was not read."
        CsvForeign "csv_foreign" "No row of the file can be read as a row of servers."
        CsvTooLong "csv_too_long" "The file has more rows than one import may have."
        CsvUnreadable "csv_unreadable" "The file is not readable CSV."
        DaysUnknown "days_unknown" "The form does not offer this lifetime of a token."
        DefaultBootImage "default_boot_image" "A venture or role has a default boot image that is not in use."
        DeploymentClaimed "deployment_claimed" "Another deployment of the device is live."
        DeploymentEnded "deployment_ended" "The deployment is done or cancelled."
        DeploymentExists "deployment_exists" "A deployment with this ID exists."
        DeploymentLive "deployment_live" "The change contradicts a live deployment."
        DeploymentNotInProgress "deployment_not_in_progress" "The named deployment is not in progress on this device."
        DeploymentNotLive "deployment_not_live" "The deployment is not the live deployment of the device."
        DeviceCircle "device_circle" "The device would become a part of its own sub-device."
        DeviceDecommissioned "device_decommissioned" "The device is decommissioned."
        DeviceExists "device_exists" "A device with this ID exists."
        DeviceHasParent "device_has_parent" "The device is already a part of another device."
        DeviceLocked "device_locked" "The device is locked; only an administrator can unlock it."
        DeviceNotVerified "device_not_verified" "The device is not verified."
        DeviceOwnParent "device_own_parent" "The device names itself as its parent."
        DevicePlaced "device_placed" "A device's site, rack, rack unit or role depends on the entry."
        DeviceUnidentified "device_unidentified" "The device has no serial number, asset number or MAC address."
        DeviceVerified "device_verified" "The device is verified, so only a deployment changes its venture and role."
        DhcpFileRejected "dhcp_file_rejected" "The site's DHCP server would reject its configuration with this change."
        DhcpOptionCustom "dhcp_option_custom"
            "The code, name or type of a custom DHCP option is missing or contradicts a standard option."
        DhcpOptionMalformed "dhcp_option_malformed" "The form's DHCP option cannot be read."
        DhcpOptionRepeated "dhcp_option_repeated" "The list has the DHCP option twice."
        DhcpOptionReserved "dhcp_option_reserved" "The service or the DHCP server sets this DHCP option itself."
        DhcpOptionType "dhcp_option_type" "The DHCP option has another type."
        DhcpOptionUnknown "dhcp_option_unknown" "No DHCP option has this name."
        DhcpOptionUnwritable "dhcp_option_unwritable" "The DHCP server's configuration file cannot express the option's value."
        DhcpOptionValue "dhcp_option_value" "The value of the DHCP option is invalid."
        DhcpOptionsTooMany "dhcp_options_too_many" "The list has too many DHCP options."
        DhcpServerInSite "dhcp_server_in_site" "A DHCP server's site is not in use."
        DhcpServerInUse "dhcp_server_in_use" "Live deployments or DHCP entries need the DHCP server."
        DnsServersUnusable "dns_servers_unusable" "A DNS server's address cannot be used by the servers of the network."
        DnsmasqOption "dnsmasq_option" "dnsmasq cannot send the DHCP option as it is."
        DriftAlias "drift_alias" "The difference is an alias, which a repair does not remove."
        DriftForeign "drift_foreign" "A repair removes records of others only if the request names them."
        DriftSite "drift_site" "The difference belongs to another site."
        DryRunUnsupported "dry_run_unsupported" "The operation has no dry run."
        EventNotFailing "event_not_failing" "The event is not one that fails to be delivered."
        EventTypeUnknown "event_type_unknown" "No event type matches the pattern."
        EventsMissing "events_missing" "The webhook names no event types."
        ExpiresInPast "expires_in_past" "The end of the token or of the reservation is in the past."
        FieldUnknown "field_unknown" "The service sets this field itself; a request must leave it out."
        FileNameTaken "file_name_taken" "The service uses the file name for something else under `/pxe/`."
        FreeRange "free_range" "The number of free addresses to list is out of range."
        GatewayNotAHost "gateway_not_a_host" "The gateway is the network's own address or its broadcast address."
        GatewayOutside "gateway_outside" "The gateway is outside the network."
        HeightRange "height_range" "The height of the device is out of range."
        HostnameClaimed "hostname_claimed" "Another device or deployment holds the host name."
        HostnameInvalid "hostname_invalid" "The file's cell is not a valid host name."
        HostnameMissing "hostname_missing" "The request has no host name, and the site's template offers none."
        HostnameRepeated "hostname_repeated" "The file has the host name in an earlier row."
        HostnameTemplateMissing "hostname_template_missing" "The site has no template for host names."
        HostnamesUsedUp "hostnames_used_up" "Every host name of the site's template is in use."
        IdempotencyKeyNotTaken "idempotency_key_not_taken" "The operation does not support `Idempotency-Key`."
        InUse "in_use" "Devices, networks or deployments depend on the current values."
        InstallerFailuresFull "installer_failures_full" "The deployment has the maximum number of recorded installer failures."
        InstallerLogsFull "installer_logs_full" "The deployment has the maximum number of installer logs."
        InstallerNextBootsFull "installer_next_boots_full"
            "The installer changed the next network boot the maximum number of times."
        InstallerReportsFull "installer_reports_full" "The deployment has the maximum number of installer reports."
        InvisibleCharacter "invisible_character" "A text contains a character that cannot be seen."
        IpClaimed "ip_claimed" "Another device, a deployment or a reservation holds the IP address."
        IpInMargin "ip_in_margin" "The network reserves the IP address at its start or end."
        IpInvalid "ip_invalid" "The file's cell is not a valid IPv4 address."
        IpIsBroadcast "ip_is_broadcast" "The IP address is the broadcast address of its network."
        IpIsGateway "ip_is_gateway" "The IP address is the gateway of its network."
        IpIsInfrastructure "ip_is_infrastructure"
            "The catalogue uses the IP address for a name server, a next server or another service."
        IpIsManagement "ip_is_management" "The IP address is the management address of a device."
        IpIsNetwork "ip_is_network" "The IP address is the address of the network itself."
        IpMissing "ip_missing" "The request names neither an IP address nor a network, and no network reaches the device's rack."
        IpOutsideNetworks "ip_outside_networks" "The IP address is in no known network, or outside the named network."
        IpRepeated "ip_repeated" "The file has the IP address in an earlier row."
        LastAdministrator "last_administrator" "The user is the last administrator who can sign in."
        LimitOfStream "limit_of_stream" "A stream of events has no limit."
        LimitRange "limit_range" "The page size is out of range."
        LimitTooLong "limit_too_long" "The time limit is longer than a year."
        LimitZero "limit_zero" "The time limit is zero."
        LinkedElsewhere "linked_elsewhere" "The user is linked to another account of the OpenID Connect provider."
        MacClaimed "mac_claimed" "Another device has the MAC address."
        MacDeploying "mac_deploying" "The live deployment boots from this MAC address."
        MacHasDhcpEntry "mac_has_dhcp_entry" "The MAC address has a DHCP entry."
        MacInvalid "mac_invalid" "The file's cell is not a valid MAC address."
        MacMissing "mac_missing" "The request names no MAC address, and the device has none."
        MacNotOfDevice "mac_not_of_device" "The MAC address is not one of the device's."
        MacRepeated "mac_repeated" "The file has the MAC address, or another one of the same device, in an earlier row."
        MacsTooMany "macs_too_many" "The device has too many MAC addresses."
        Malformed "malformed" "The value does not have the form of its field."
        ManagementAddressTaken "management_address_taken"
            "The management address is in use by a server, a network or a service."
        ManagementDeploying "management_deploying" "The live deployment may need the management controller."
        ManagementIpInvalid "management_ip_invalid" "The file's cell is not a valid management address."
        ManagementIpRepeated "management_ip_repeated" "The file has the management address in an earlier row."
        ManagementMissing "management_missing" "The device has no management controller."
        MirrorRefused "mirror_refused"
            "The service may not connect to the mirror: its settings for outbound connections forbid it."
        Missing "missing" "The form lacks a required value."
        MissingField "missing_field" "The JSON object lacks a required field."
        NameEmpty "name_empty" "The token has no name."
        NameHeld "name_held" "A device or deployment holds a name that the change would remove from DNS."
        NameServerUnknown "name_server_unknown" "The zone has no address record for one of its name servers."
        NameTaken "name_taken" "An entry with this name exists."
        NeedsFolder "needs_folder" "The service has no folder for images, which this recipe needs."
        NetworkBootWithoutStart "network_boot_without_start" "The order switches the server off and requests a network boot."
        NetworkFull "network_full" "No address of the network is free."
        NetworkInSite "network_in_site" "A network's site is not in use."
        NetworkInUse "network_in_use" "Addresses of the network are in use."
        NetworkInvalid "network_invalid" "The file's cell is not a valid name of a network."
        NetworkMissing "network_missing"
            "The row names no network, and neither its address nor the device's rack determines it."
        NetworkOfEntry "network_of_entry" "The address is not in the network of its DHCP entry."
        NetworkOfOtherSite "network_of_other_site" "The address is in a network of another site."
        NetworkOverlaps "network_overlaps" "The network shares addresses with another network."
        NetworkTooWide "network_too_wide" "The network of the secret's scope is too wide."
        NetworkUnknown "network_unknown" "No network has this name."
        NetworkWithoutAddresses "network_without_addresses" "The network has no address that a server can use."
        NetworkWithoutDhcp "network_without_dhcp" "The network has no DHCP, so a server cannot get its address there."
        NetworksMissing "networks_missing" "The secret's scope names no networks."
        NetworksTooMany "networks_too_many" "The secret's scope names too many networks."
        NextServerNotAHost "next_server_not_a_host" "The next server's address cannot be the address of one host."
        NotInProgress "not_in_progress" "The deployment is not in progress."
        NotUtf8 "not_utf8" "The file is not UTF-8 text."
        NoteInvalid "note_invalid" "The file's cell is not a valid note."
        NoteMissing "note_missing" "The request has no note that says what it is for."
        NothingNamed "nothing_named" "The form names no difference."
        OrderNotUnderWay "order_not_under_way" "The power order is not under way."
        ParentDecommissioned "parent_decommissioned" "The parent is decommissioned."
        ParentOfOtherRack "parent_of_other_rack" "The parent is in another rack."
        ParentOfOtherSite "parent_of_other_site" "The parent is at another site."
        ParentUnknown "parent_unknown" "No device has the parent's ID."
        PasswordDiffers "password_differs" "The two new passwords differ."
        PasswordElsewhere "password_elsewhere" "The user signs in through OpenID Connect and has no password here."
        PasswordHere "password_here" "The user signs in with a password, not through OpenID Connect."
        PasswordLong "password_long" "The password is too long."
        PasswordOfNobody "password_of_nobody" "An access token has no password."
        PasswordSame "password_same" "The new password is the current password."
        PasswordShort "password_short" "The password is too short."
        PasswordWeak "password_weak" "The password is easy to guess."
        PasswordWrong "password_wrong" "The current password is wrong."
        PlanInvalid "plan_invalid" "The plan of plugins is invalid."
        PluginOfPast "plugin_of_past" "The service does not keep past states of plugins."
        PluginSucceeded "plugin_succeeded" "The plugin has succeeded, and does not run again."
        PluginTooEarly "plugin_too_early" "Plugins before this plugin have not succeeded."
        PortRange "port_range" "The port is not between 1 and 65535."
        PortsTooMany "ports_too_many" "The secret's scope names too many ports."
        PositionInFuture "position_in_future" "The event number is greater than that of the last event."
        PositionRange "position_range" "The position is out of range."
        PowerBusy "power_busy" "Another power order for the device is under way."
        ProtocolsMissing "protocols_missing" "The secret's scope names no protocols."
        PuppetClassName "puppet_class_name" "The name is not valid for a Puppet class."
        PuppetEnvironmentName "puppet_environment_name" "The name is not valid for a Puppet environment."
        PuppetParameterName "puppet_parameter_name" "The name is not valid for a Puppet variable."
        PuppetParameterTaken "puppet_parameter_taken" "Bootledger or Puppet sets this variable itself."
        PuppetTooLarge "puppet_too_large" "The Puppet classes and parameters are too large."
        PuppetValue "puppet_value" "Puppet would not read the value as it is written."
        RackExists "rack_exists" "A rack with this name exists."
        RackInSite "rack_in_site" "A rack's site is not in use."
        RackInUse "rack_in_use" "Devices or networks are in the rack."
        RackInvalid "rack_invalid" "The file's cell is not a valid name of a rack."
        RackOfNetwork "rack_of_network" "A network reaches a rack that its site does not have."
        RackOfOtherSite "rack_of_other_site" "The device's rack belongs to another site."
        RackOther "rack_other" "The file is for one rack, and the row names another one."
        RackUnitTaken "rack_unit_taken" "Another device takes the rack unit on the same side."
        RackUnknown "rack_unknown" "The site has no such rack."
        RangeClaimed "range_claimed" "Another zone manages addresses of the range."
        ReasonMissing "reason_missing" "The request gives no reason."
        RecipeSetByLibrary "recipe_set_by_library" "Only the image library sets the recipe."
        RecordConflicts "record_conflicts" "The DNS record conflicts with another record of the zone."
        RecordMalformed "record_malformed" "The DNS record cannot be read."
        ReservationHeld "reservation_held" "A DHCP entry would lose its network or its DHCP server."
        RestartNotAwaited "restart_not_awaited" "The deployment does not wait for a manual restart."
        RestartOrdered "restart_ordered" "The deployment has already ordered this restart."
        ReverseZoneNotManaged "reverse_zone_not_managed" "No zone of the site holds the PTR record of the address."
        RoleInUse "role_in_use" "Devices have the role."
        RoleInvalid "role_invalid" "The file's cell is not a valid name of a role."
        RoleMissing "role_missing" "The request names no role, and the device has none."
        RowIncomplete "row_incomplete" "The row has only one value."
        SavedViewForeign "saved_view_foreign" "The saved view belongs to another user or token."
        ScopeUnknown "scope_unknown" "The form does not offer this scope of a token."
        SecretForBootFiles "secret_for_boot_files" "Secrets for boot files are sent to no controller."
        SecretInScript "secret_in_script" "A script that every server can read uses a secret."
        SecretMissing "secret_missing" "The service has no usable secret with this name."
        SecretNotForBoot "secret_not_for_boot" "The secret is not for boot files."
        SecretUsedElsewhere "secret_used_elsewhere" "The secret of the controllers is used for something else."
        SerialClaimed "serial_claimed" "Another device has the serial number."
        SerialFiller "serial_filler" "The serial number is a placeholder that many devices have."
        SerialInvalid "serial_invalid" "The file's cell is not a valid serial number."
        SerialRepeated "serial_repeated" "The file has the serial number in an earlier row."
        ServerInstalled "server_installed" "The server is installed, and its plugins no longer run."
        SessionExists "session_exists" "A session with this ID exists."
        SettingChangesScript "setting_changes_script" "The setting's value would change the meaning of the boot script."
        SettingInUse "setting_in_use" "A template uses the setting."
        SettingInvalid "setting_invalid" "The declaration of the setting is invalid."
        SettingMalformed "setting_malformed" "The form's setting cannot be read."
        SettingMissing "setting_missing" "A setting that the boot image requires has no value."
        SettingNotSecret "setting_not_secret" "The boot image declares the setting as a secret."
        SettingRepeated "setting_repeated" "The form has the setting twice."
        SettingUndeclared "setting_undeclared" "A template uses a setting that the boot image does not declare."
        SettingWrongType "setting_wrong_type" "The setting's value has another type than the boot image declares."
        SettingsTooLarge "settings_too_large" "The settings are too large."
        SettingsTooMany "settings_too_many" "The list has too many settings."
        SiteInUse "site_in_use" "Racks, networks or devices are at the site."
        SitesMissing "sites_missing" "The secret's scope names no sites."
        SitesTooMany "sites_too_many" "The secret's scope names too many sites."
        StageMissing "stage_missing" "The installer's first report names no stage."
        SubDeviceDeploying "sub_device_deploying" "A sub-device has a live deployment."
        TagsTooMany "tags_too_many" "The device has too many tags."
        TemplateWrong "template_wrong" "The template has an error."
        TicketInvalid "ticket_invalid" "The file's cell is not a valid reference of a ticket."
        TlsOffNotAllowed "tls_off_not_allowed" "Only an administrator can switch TLS off for a management controller."
        TlsPinNotAllowed "tls_pin_not_allowed" "Only an administrator can pin a certificate together with credentials."
        TokenExists "token_exists" "A token with this ID exists."
        TooLarge "too_large" "The file is too large."
        TooMany "too_many" "The request names too many entries."
        UnitsRange "units_range" "The rack has no units."
        UnknownField "unknown_field" "The JSON object has a field that the operation does not know."
        UrlInvalid "url_invalid" "The URL is invalid."
        UserDisabled "user_disabled" "The user is disabled."
        UserExists "user_exists" "A user with this name exists."
        VentureCircle "venture_circle" "The venture would become a part of its own sub-venture."
        VentureHasParts "venture_has_parts" "A venture's parent is not in use."
        VentureInUse "venture_in_use" "Devices or sub-ventures belong to the venture."
        VentureInvalid "venture_invalid" "The file's cell is not a valid name of a venture."
        VentureMissing "venture_missing" "The request names no venture, and the device has none."
        VlanRange "vlan_range" "The VLAN number is not between 1 and 4094."
        WrongType "wrong_type" "The value has another JSON type."
        YamlMalformed "yaml_malformed" "The text is not readable YAML."
        ZoneListedTwice "zone_listed_twice" "The site lists the zone twice."
        ZoneMalformed "zone_malformed" "A field of the zone is invalid."
        ZoneNotManaged "zone_not_managed" "No zone of the site holds the host name."
        ZoneStatedTwice "zone_stated_twice" "Another site states the fields of the zone."
        ZonesMissing "zones_missing" "The site publishes DNS updates and has no zones."
    }
}

impl Rule {
    /// All rules in the order of their codes.
    pub fn by_code() -> Vec<Self> {
        let mut rules = Self::ALL.to_vec();
        rules.sort_unstable_by_key(|rule| rule.code());
        rules
    }

    /// The rule with a code.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.code() == code)
    }
}

impl PartialSchema for Rule {
    fn schema() -> RefOr<Schema> {
        let codes: Vec<&str> = Self::by_code().into_iter().map(Self::code).collect();
        let description =
            "The stable code of a rule. `/api/docs#schema-Rule` says what each means. Later versions may add codes.";
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some(description))
            .enum_values(Some(codes))
            .build()
            .into()
    }
}

impl ToSchema for Rule {}

#[cfg(test)]
mod tests;
