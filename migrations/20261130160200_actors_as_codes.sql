-- Actors are codes; the web crate writes the words. The views get the codes that a rebuild gives them: events keep their words
-- and are read with the codes.

UPDATE views.timeline SET actor = replace(actor, ' ', '_')
 WHERE actor IN ('catalogue file', 'command line', 'drift check', 'first start');

UPDATE views.deployments SET started_by = replace(started_by, ' ', '_')
 WHERE started_by IN ('catalogue file', 'command line', 'drift check', 'first start');

UPDATE views.catalogue SET spec = jsonb_set(spec, '{ordered,by}', to_jsonb(replace(spec #>> '{ordered,by}', ' ', '_')))
 WHERE kind = 'drift' AND spec #>> '{ordered,by}' IN ('catalogue file', 'command line', 'drift check', 'first start');

UPDATE image_downloads SET actor = replace(actor, ' ', '_')
 WHERE actor IN ('catalogue file', 'command line', 'drift check', 'first start');
