-- Lists of a hundred thousand devices, as 20261124000055 did for deployments: any part of a name, number, interface, host
-- name or address is found by an index, and so are the orders that people choose.

-- An array's text depends on no setting for these types, which only a function that says so can promise. It is in `public`
-- so that it stays when views are built anew.
CREATE FUNCTION public.device_search(name text, serial text, asset text, macs text[], hostnames text[], addresses inet[])
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lower(concat_ws(' ', name, serial, asset, array_to_string(macs, ' '), array_to_string(hostnames, ' '),
                       array_to_string(addresses, ' ')));

ALTER TABLE views.devices ADD COLUMN search text NOT NULL
    GENERATED ALWAYS AS (public.device_search(name, serial, asset, macs, hostnames, addresses)) STORED;
CREATE INDEX devices_now_search ON views.devices USING gin (search public.gin_trgm_ops) WHERE valid_to IS NULL;
CREATE INDEX devices_now_by_name ON views.devices (name, id) WHERE valid_to IS NULL;
CREATE INDEX devices_now_by_serial_number ON views.devices ((coalesce(serial, '')), id) WHERE valid_to IS NULL;
CREATE INDEX devices_now_by_change ON views.devices (changed_at, id) WHERE valid_to IS NULL;
CREATE INDEX devices_now_by_role ON views.devices (venture, role, id) WHERE valid_to IS NULL;
CREATE INDEX devices_now_by_parent ON views.devices (parent) WHERE valid_to IS NULL AND parent IS NOT NULL;
