-- Each order that people choose for a list of a hundred thousand rows is that of an index. The texts are those that the cursors
-- hold (`cursor` in projections/src/rows/devices/list.rs and `Cursor` in rows/deployments/list.rs).

CREATE INDEX devices_now_by_asset ON views.devices ((coalesce(asset, '')), id) WHERE valid_to IS NULL;
CREATE INDEX devices_now_by_site ON views.devices (site, id) WHERE valid_to IS NULL;
CREATE INDEX devices_now_by_place ON views.devices
    ((coalesce(rack, '') || ' ' || lpad(coalesce(rack_position, 0)::text, 4, '0')), id) WHERE valid_to IS NULL;
CREATE INDEX devices_now_by_owner ON views.devices
    ((coalesce(venture, '') || ' ' || coalesce(role, '')), id) WHERE valid_to IS NULL;
CREATE INDEX devices_now_by_first_hostname ON views.devices ((coalesce(hostnames[1], '')), id) WHERE valid_to IS NULL;
CREATE INDEX devices_now_by_first_address ON views.devices
    ((coalesce(addresses[1], '0.0.0.0'::inet)), id) WHERE valid_to IS NULL;

CREATE INDEX deployments_now_by_ip ON views.deployments (ip, id) WHERE valid_to IS NULL;
CREATE INDEX deployments_now_by_owner ON views.deployments ((venture || ' ' || role), id) WHERE valid_to IS NULL;
CREATE INDEX deployments_now_by_image ON views.deployments (boot_image, id) WHERE valid_to IS NULL;
CREATE INDEX deployments_now_by_site ON views.deployments (site, id) WHERE valid_to IS NULL;

-- Few devices are decommissioned, so that counting them must not read the others.
CREATE INDEX devices_now_decommissioned ON views.devices (id) WHERE valid_to IS NULL AND decommissioned;
