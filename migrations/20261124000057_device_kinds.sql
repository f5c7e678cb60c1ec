-- Lists of the rarer kinds of devices, without reading all the servers. What most devices are needs no index.
CREATE INDEX devices_now_by_kind ON views.devices (kind, id) WHERE valid_to IS NULL AND kind <> 'physical';
