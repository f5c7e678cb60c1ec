-- What installers report, and what servers that are being installed fetched last. In a table of its own, so that a report
-- does not write another version of the deployment's row, which is wide. Deployments that fetched and reported nothing have
-- no row.
CREATE TABLE views.installations (
    deployment       uuid    NOT NULL,
    -- What the installer is doing, how far that is, and its words; null and empty before its first report.
    stage            text,
    percent          integer,
    text             text    NOT NULL,
    -- Whether its last report is a failure.
    failed           boolean NOT NULL,
    -- The same while it has to be seen to: until the deployment ends or the server is installed.
    failing          boolean NOT NULL,
    reported_at      timestamptz,
    -- The last log that it sent, and how many it has sent.
    log_sha256       text,
    log_size         bigint,
    log_at           timestamptz,
    logs             integer NOT NULL,
    -- The file that the server fetched last.
    last_file        text,
    last_file_at     timestamptz,
    last_client      inet,
    -- What the next network boot gets: network, disk. And why, where that was ever set.
    next_boot        text    NOT NULL,
    next_boot_reason jsonb,
    next_boot_at     timestamptz,
    valid_from       bigint  NOT NULL,
    valid_to         bigint,
    PRIMARY KEY (deployment, valid_from)
);
CREATE UNIQUE INDEX installations_now ON views.installations (deployment) WHERE valid_to IS NULL;
CREATE INDEX installations_failing ON views.installations (reported_at, deployment) WHERE valid_to IS NULL AND failing;

-- The same for `/pxe/`, which answers from this table.
ALTER TABLE views.boot_targets ADD COLUMN next_boot text NOT NULL DEFAULT 'network';

-- How long an image's installations took lately.
CREATE INDEX deployments_now_done ON views.deployments (boot_image, status_since) WHERE valid_to IS NULL AND status = 'done';
