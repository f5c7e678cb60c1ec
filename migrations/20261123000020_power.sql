-- What else has to be known to reach a management controller: port, system, TLS, boot mode. It is shown, never searched.
-- Null, as it is in rows of before, is the same as all defaults.
ALTER TABLE views.devices ADD COLUMN management_access jsonb;
