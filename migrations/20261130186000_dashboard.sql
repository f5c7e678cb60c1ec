-- What the dashboard counts for each site and each rack, at a hundred thousand deployments.

-- Devices in use and live deployments of a site, maintained like `role_tallies`: rows of zeros are not kept, and the service
-- computes all rows when it starts.
CREATE TABLE views.site_tallies (
    site text PRIMARY KEY,
    devices bigint NOT NULL,
    open bigint NOT NULL,
    in_progress bigint NOT NULL,
    -- Of open and in_progress, those that take longer than their boot image allows.
    overdue bigint NOT NULL
);

-- How many units of a rack devices in use occupy: of a hundred thousand devices they cannot be counted with every look. The
-- projector counts the units of the racks that a batch changes, after it has written the devices.
CREATE TABLE views.rack_tallies (
    rack text PRIMARY KEY,
    units bigint NOT NULL
);
CREATE INDEX devices_now_by_unit ON views.devices (rack, rack_position)
    WHERE valid_to IS NULL AND NOT decommissioned AND rack IS NOT NULL AND rack_position IS NOT NULL;

-- The overdue deployments, the longest in their status first.
CREATE INDEX deployments_now_overdue_since ON views.deployments (status_since, id) WHERE valid_to IS NULL AND overdue;
