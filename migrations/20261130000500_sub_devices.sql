-- A device that was registered as a part of another one is among its sub-devices. Views that are built anew have that for every
-- moment; those that are there get it for now.
UPDATE views.devices AS parent
   SET sub_devices = ARRAY(SELECT DISTINCT part FROM unnest(parent.sub_devices || parts.ids) AS part ORDER BY part)
  FROM (SELECT devices.parent, array_agg(devices.id) AS ids
          FROM views.devices WHERE devices.valid_to IS NULL AND devices.parent IS NOT NULL GROUP BY devices.parent) AS parts
 WHERE parent.id = parts.parent AND parent.valid_to IS NULL;
