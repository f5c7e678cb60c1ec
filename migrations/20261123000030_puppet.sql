-- Puppet may have the last word about a deployment: whose word ends it, since when the server is installed where that is
-- not the end, and the last run of Puppet's agent that failed.
ALTER TABLE views.deployments
    -- server, puppet
    ADD COLUMN done_by        text NOT NULL DEFAULT 'server',
    ADD COLUMN installed_at   timestamptz,
    ADD COLUMN puppet_failure jsonb;
