-- The timeline of a device by a name that it no longer has: all versions of the rows.
CREATE INDEX devices_by_name ON views.devices (lower(name)) WHERE name <> '';
