-- Settings of boot images: a device's own, and those that a deployment was started with. Null where there are none, so that
-- rows from before cost nothing and stay as they are.
ALTER TABLE views.devices
    -- values by name; of a secret its name
    ADD COLUMN settings jsonb;
-- Which secrets are in use is looked up for /readyz.
CREATE INDEX devices_settings ON views.devices (id) WHERE settings IS NOT NULL AND valid_to IS NULL;
ALTER TABLE views.deployments
    -- by name the value and where it came from
    ADD COLUMN settings jsonb;
ALTER TABLE views.boot_targets
    ADD COLUMN settings jsonb;
