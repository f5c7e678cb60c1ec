-- The host name of a management controller that has no address of its own: then `management_address` is null.
ALTER TABLE views.devices ADD COLUMN management_host text;
CREATE INDEX devices_now_by_management_host ON views.devices (management_host)
 WHERE valid_to IS NULL AND management_host IS NOT NULL;

-- Controllers that devices hold, whichever of their systems.
CREATE INDEX holdings_now_controller ON views.holdings (split_part(value, '#', 1))
 WHERE valid_to IS NULL AND kind = 'controller';
