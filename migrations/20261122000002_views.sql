-- The read side, in a schema of its own so that a rebuild can fill a second one and switch.
-- Rows with `valid_from` and `valid_to` are temporal: positions of the log; current rows have no `valid_to`.
-- Only the projector writes here.

CREATE SCHEMA views;

CREATE TABLE views.checkpoint (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint  NOT NULL
);
INSERT INTO views.checkpoint (position) VALUES (0);

-- Events that could not be applied, and the later ones of the same aggregate.
CREATE TABLE views.parked (
    position       bigint PRIMARY KEY,
    aggregate_type text NOT NULL,
    aggregate_id   text NOT NULL,
    event_type     text NOT NULL,
    reason         text NOT NULL
);
CREATE INDEX parked_aggregates ON views.parked (aggregate_type, aggregate_id);

-- Sites, racks, networks, DHCP servers, ventures, boot images, tokens: small, and looked up by key.
CREATE TABLE views.catalogue (
    kind       text   NOT NULL,
    key        text   NOT NULL,
    sequence   bigint NOT NULL,
    spec       jsonb  NOT NULL,
    retired    boolean NOT NULL,
    valid_from bigint NOT NULL,
    valid_to   bigint,
    PRIMARY KEY (kind, key, valid_from)
);
CREATE UNIQUE INDEX catalogue_now ON views.catalogue (kind, key) WHERE valid_to IS NULL;

CREATE TABLE views.devices (
    id                     uuid    NOT NULL,
    sequence               bigint  NOT NULL,
    kind                   text    NOT NULL,
    name                   text    NOT NULL,
    serial                 text,
    asset                  text,
    site                   text    NOT NULL,
    rack                   text,
    rack_position          integer,
    macs                   text[]  NOT NULL,
    management_address     inet,
    management_protocol    text,
    management_credentials text,
    parent                 uuid,
    venture                text,
    role                   text,
    verified               boolean NOT NULL,
    decommissioned         boolean NOT NULL,
    addresses              inet[]  NOT NULL,
    hostnames              text[]  NOT NULL,
    operating_system       text,
    software               text[]  NOT NULL,
    disk_shares            text[]  NOT NULL,
    uptime_seconds         bigint,
    sub_devices            uuid[]  NOT NULL,
    remarks                text[]  NOT NULL,
    registered_at          timestamptz NOT NULL,
    changed_at             timestamptz NOT NULL,
    valid_from             bigint  NOT NULL,
    valid_to               bigint,
    PRIMARY KEY (id, valid_from)
);
CREATE UNIQUE INDEX devices_now ON views.devices (id) WHERE valid_to IS NULL;
CREATE INDEX devices_now_by_mac ON views.devices USING gin (macs) WHERE valid_to IS NULL;
CREATE INDEX devices_now_by_serial ON views.devices (serial) WHERE valid_to IS NULL;
CREATE INDEX devices_now_by_rack ON views.devices (site, rack) WHERE valid_to IS NULL;

CREATE TABLE views.deployments (
    id                  uuid    NOT NULL,
    device              uuid    NOT NULL,
    mac                 text    NOT NULL,
    ip                  inet    NOT NULL,
    hostname            text    NOT NULL,
    venture             text    NOT NULL,
    role                text    NOT NULL,
    boot_image          text    NOT NULL,
    boot_image_revision integer NOT NULL,
    network             text    NOT NULL,
    site                text    NOT NULL,
    import              uuid,
    -- open, in_progress, done, cancelled
    status              text    NOT NULL,
    status_since        timestamptz NOT NULL,
    overdue             boolean NOT NULL,
    open_minutes        integer NOT NULL,
    in_progress_minutes integer NOT NULL,
    started_at          timestamptz NOT NULL,
    started_by          text    NOT NULL,
    in_progress_at      timestamptz,
    ended_at            timestamptz,
    -- Who said done or cancelled, and why.
    ended_by            text,
    reason              text,
    plan                jsonb   NOT NULL,
    valid_from          bigint  NOT NULL,
    valid_to            bigint,
    PRIMARY KEY (id, valid_from)
);
CREATE UNIQUE INDEX deployments_now ON views.deployments (id) WHERE valid_to IS NULL;
CREATE INDEX deployments_now_by_status ON views.deployments (status, id) WHERE valid_to IS NULL;
CREATE INDEX deployments_now_by_device ON views.deployments (device) WHERE valid_to IS NULL;
CREATE INDEX deployments_now_live ON views.deployments (mac, ip) WHERE valid_to IS NULL AND status IN ('open', 'in_progress');
CREATE INDEX deployments_by_import ON views.deployments (import) WHERE valid_to IS NULL AND import IS NOT NULL;

-- The work queue; not temporal.
CREATE TABLE views.plugin_runs (
    deployment  uuid    NOT NULL,
    plugin      text    NOT NULL,
    -- The plugin's place in the plan.
    place       integer NOT NULL,
    stage       text    NOT NULL,
    requires    text[]  NOT NULL,
    -- blocked (by requirements), due, waiting, failed, succeeded, stopped (with the deployment)
    status      text    NOT NULL,
    attempts    integer NOT NULL,
    reason      text,
    awaited     text[]  NOT NULL,
    -- Since when it has this status and reason, and the position of the event that gave it.
    since       timestamptz NOT NULL,
    since_position bigint NOT NULL,
    -- When it may run; never while blocked, succeeded or stopped.
    retry_at    timestamptz,
    PRIMARY KEY (deployment, plugin)
);
CREATE INDEX plugin_runs_due ON views.plugin_runs (retry_at) WHERE retry_at IS NOT NULL;
CREATE INDEX plugin_runs_waiting ON views.plugin_runs USING gin (awaited) WHERE status = 'waiting';

-- Who held what when: the claims, as a view.
CREATE TABLE views.holdings (
    kind       text   NOT NULL,
    value      text   NOT NULL,
    holder     text   NOT NULL,
    -- The value of an `ip` again, as an address, for questions about networks.
    ip         inet,
    valid_from bigint NOT NULL,
    valid_to   bigint,
    PRIMARY KEY (kind, value, valid_from)
);
CREATE UNIQUE INDEX holdings_now ON views.holdings (kind, value) WHERE valid_to IS NULL;
CREATE INDEX holdings_now_ip ON views.holdings (ip) WHERE valid_to IS NULL AND ip IS NOT NULL;
CREATE INDEX holdings_now_holder ON views.holdings (holder) WHERE valid_to IS NULL;

CREATE TABLE views.dns_records (
    name       text   NOT NULL,
    -- A or PTR
    type       text   NOT NULL,
    value      text   NOT NULL,
    device     uuid   NOT NULL,
    valid_from bigint NOT NULL,
    valid_to   bigint,
    PRIMARY KEY (name, type, value, device, valid_from)
);
CREATE UNIQUE INDEX dns_records_now ON views.dns_records (name, type, value, device) WHERE valid_to IS NULL;
CREATE INDEX dns_records_now_device ON views.dns_records (device) WHERE valid_to IS NULL;

CREATE TABLE views.dhcp_entries (
    ip         inet   NOT NULL,
    mac        text   NOT NULL,
    hostname   text,
    network    text   NOT NULL,
    device     uuid   NOT NULL,
    valid_from bigint NOT NULL,
    valid_to   bigint,
    PRIMARY KEY (ip, mac, device, valid_from)
);
CREATE UNIQUE INDEX dhcp_entries_now ON views.dhcp_entries (ip, mac, device) WHERE valid_to IS NULL;
CREATE INDEX dhcp_entries_now_network ON views.dhcp_entries (network) WHERE valid_to IS NULL;

-- The deployments in progress, by the address that they boot with.
CREATE TABLE views.boot_targets (
    ip                  inet    NOT NULL,
    deployment          uuid    NOT NULL,
    device              uuid    NOT NULL,
    mac                 text    NOT NULL,
    hostname            text    NOT NULL,
    venture             text    NOT NULL,
    role                text    NOT NULL,
    boot_image          text    NOT NULL,
    boot_image_revision integer NOT NULL,
    network             text    NOT NULL,
    site                text    NOT NULL,
    valid_from          bigint  NOT NULL,
    valid_to            bigint,
    PRIMARY KEY (ip, deployment, valid_from)
);
CREATE UNIQUE INDEX boot_targets_now ON views.boot_targets (ip, deployment) WHERE valid_to IS NULL;
CREATE INDEX boot_targets_from ON views.boot_targets (valid_from);
CREATE INDEX boot_targets_to ON views.boot_targets (valid_to) WHERE valid_to IS NOT NULL;

-- The position of the last event that may have changed a site's DHCP configuration.
CREATE TABLE views.dhcp_sites (
    site     text   PRIMARY KEY,
    position bigint NOT NULL
);

-- One readable sentence an event.
CREATE TABLE views.timeline (
    position       bigint PRIMARY KEY,
    recorded_at    timestamptz NOT NULL,
    aggregate_type text NOT NULL,
    aggregate_id   text NOT NULL,
    event_type     text NOT NULL,
    actor          text NOT NULL,
    correlation_id text NOT NULL,
    device         uuid,
    deployment     uuid,
    sentence       text NOT NULL
);
CREATE INDEX timeline_of_aggregate ON views.timeline (aggregate_type, aggregate_id, position);
CREATE INDEX timeline_of_device ON views.timeline (device, position) WHERE device IS NOT NULL;
CREATE INDEX timeline_of_deployment ON views.timeline (deployment, position) WHERE deployment IS NOT NULL;

-- Counts and sums a day (UTC) and site: deployments_started, deployments_done, deployments_cancelled,
-- plugin_failures, open_seconds, in_progress_seconds. Not temporal.
CREATE TABLE views.statistics (
    day     date   NOT NULL,
    site    text   NOT NULL,
    measure text   NOT NULL,
    amount  bigint NOT NULL,
    PRIMARY KEY (day, site, measure)
);
