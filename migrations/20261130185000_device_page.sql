-- What the page of a device shows: its lock, lasting notes and tags, and the units of the rack that it takes. No stored event has
-- any of them yet, so the defaults are what a rebuild makes of the same log: one unit on both sides, as racks were drawn so far.
ALTER TABLE views.devices
    -- the reason, who locked the device, and when; null if it is not locked
    ADD COLUMN lock   jsonb,
    ADD COLUMN notes  text    NOT NULL DEFAULT '',
    ADD COLUMN tags   text[]  NOT NULL DEFAULT '{}',
    -- in rack units, from rack_position upwards
    ADD COLUMN height integer NOT NULL DEFAULT 1,
    -- both, front or rear
    ADD COLUMN face   text    NOT NULL DEFAULT 'both';

CREATE INDEX devices_now_by_tag ON views.devices USING gin (tags) WHERE valid_to IS NULL;
-- Few devices are locked.
CREATE INDEX devices_now_locked ON views.devices (id) WHERE lock IS NOT NULL AND valid_to IS NULL;

-- The search finds tags too.
CREATE FUNCTION public.device_search(name text, serial text, asset text, macs text[], hostnames text[], addresses inet[], tags text[])
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN lower(concat_ws(' ', name, serial, asset, array_to_string(macs, ' '), array_to_string(hostnames, ' '),
                       array_to_string(addresses, ' '), array_to_string(tags, ' ')));
ALTER TABLE views.devices DROP COLUMN search;
ALTER TABLE views.devices ADD COLUMN search text NOT NULL
    GENERATED ALWAYS AS (public.device_search(name, serial, asset, macs, hostnames, addresses, tags)) STORED;
CREATE INDEX devices_now_search ON views.devices USING gin (search public.gin_trgm_ops) WHERE valid_to IS NULL;
