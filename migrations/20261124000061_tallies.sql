-- Counts of current rows, kept with the rows: how many there are is asked with every look at some pages, and counting a
-- hundred thousand takes longer than all the rest of them. Rows of nothing but noughts are not kept, so that the counts do not
-- depend on how the log was cut into batches. A service counts anew when it starts: here, a service of the version before may
-- still be at work, which keeps no counts.

-- What has a role of a venture: devices in use, and live deployments by their state. Every deployment has a role, so that the
-- sums over all roles are those of all deployments.
CREATE TABLE views.role_tallies (
    venture text NOT NULL,
    role text NOT NULL,
    devices bigint NOT NULL,
    open bigint NOT NULL,
    in_progress bigint NOT NULL,
    -- Of open and in_progress, those that take longer than their boot image allows.
    overdue bigint NOT NULL,
    PRIMARY KEY (venture, role)
);

-- How many addresses of a /24 are held: `part` is the address without its last eight bits.
CREATE TABLE views.address_tallies (
    part integer PRIMARY KEY,
    held bigint NOT NULL
);

-- The held host names of a domain and length: those that differ only in a number of as many digits are in the order of that number.
CREATE INDEX holdings_now_hostname ON views.holdings (length(value), (right(value, -strpos(value, '.'))), value COLLATE "C")
    WHERE valid_to IS NULL AND kind = 'hostname';

-- A zone's records are of one type, and in the order of their names those of all reverse zones come before most others.
CREATE INDEX dns_records_now_type ON views.dns_records (type, name, value, device) WHERE valid_to IS NULL;

-- A device's entries.
CREATE INDEX dhcp_entries_device ON views.dhcp_entries (device);

-- What is not at its primary yet, for the pages: a large import leaves a hundred thousand sets of records to be told.
CREATE INDEX dns_work_problem ON dns_work (since) WHERE problem IS NOT NULL;
CREATE INDEX dns_work_since ON dns_work (since, name, type);
