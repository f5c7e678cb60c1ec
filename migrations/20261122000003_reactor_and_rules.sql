-- A plugin that waits for confirmed DHCP configurations looks again when one is confirmed that has its deployment's entry,
-- not at each one: with thousands of deployments under way, nearly all of them would look in vain.
ALTER TABLE views.plugin_runs ADD COLUMN entry_position bigint;
COMMENT ON COLUMN views.plugin_runs.entry_position IS 'the position of the last DHCP entry that was made for the deployment';

-- No server is given the address by which a device is managed.
CREATE INDEX devices_now_by_management_address ON views.devices (management_address)
 WHERE valid_to IS NULL AND management_address IS NOT NULL;
