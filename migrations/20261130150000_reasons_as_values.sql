-- Reasons of plugins, and who ended a deployment, are codes and values; the web crate writes the sentences. A sentence that a
-- view has now becomes the value that a rebuild gives it: events of version 1 are read with their sentence as `text`.

ALTER TABLE views.plugin_runs ALTER COLUMN reason TYPE jsonb USING
    CASE WHEN reason IS NOT NULL THEN
        jsonb_build_object(CASE status WHEN 'waiting' THEN 'waiting' ELSE 'failed' END,
                           jsonb_build_object('code', 'text', 'text', reason))
    END;

-- A stopped run keeps its last reason, and only the log knows whether that was a failure.
UPDATE views.plugin_runs r SET reason = jsonb_build_object('waiting', r.reason -> 'failed')
 WHERE r.status = 'stopped' AND r.reason IS NOT NULL
   AND 'PluginWaiting' = (
       SELECT e.event_type FROM events e
        WHERE e.aggregate_type = 'deployment' AND e.aggregate_id = r.deployment::text
          AND e.event_type IN ('PluginWaiting', 'PluginFailed') AND e.payload ->> 'plugin' = r.plugin
        ORDER BY e.sequence DESC LIMIT 1);

-- The deployment's server and its token are named by an address, and Puppet by a certificate name; others are actors.
ALTER TABLE views.deployments ALTER COLUMN ended_by TYPE jsonb USING
    CASE
        WHEN ended_by IS NULL THEN NULL
        WHEN status = 'done' AND ended_by ~ '^server [0-9.]+$' THEN
            jsonb_build_object('ip', jsonb_build_object('address', substr(ended_by, 8)))
        WHEN status = 'done' AND ended_by ~ '^[0-9.]+ with the deployment''s token$' THEN
            jsonb_build_object('token', jsonb_build_object('address', split_part(ended_by, ' ', 1)))
        WHEN status = 'done' AND ended_by LIKE 'Puppet for %' THEN
            jsonb_build_object('puppet', jsonb_build_object('certname', substr(ended_by, 12)))
        ELSE jsonb_build_object('operator', jsonb_build_object('name', ended_by))
    END;
