-- Lists of a hundred thousand rows: any part of a name, an address or a MAC is found without reading them all, and the orders
-- that people choose are those of an index.

-- In `public`, so that it stays when views are built anew. PostgreSQL lets the owner of a database install it.
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;

-- What is searched, in lower case. `rebuild` copies it with the table.
ALTER TABLE views.deployments ADD COLUMN search text NOT NULL
    GENERATED ALWAYS AS (lower(hostname || ' ' || host(ip) || ' ' || mac)) STORED;
CREATE INDEX deployments_now_search ON views.deployments USING gin (search public.gin_trgm_ops) WHERE valid_to IS NULL;
CREATE INDEX deployments_now_by_hostname ON views.deployments (hostname, id) WHERE valid_to IS NULL;
CREATE INDEX deployments_now_by_since ON views.deployments (status_since, id) WHERE valid_to IS NULL;
CREATE INDEX deployments_now_by_venture ON views.deployments (venture, id) WHERE valid_to IS NULL;

-- What needs a person is asked with every look at the dashboard: the plugins that wait or failed, not the thousands that did not.
CREATE INDEX plugin_runs_stuck ON views.plugin_runs (status, since) WHERE status IN ('waiting', 'failed');
CREATE INDEX deployments_now_overdue ON views.deployments (id) WHERE valid_to IS NULL AND overdue;

-- The timeline of somebody, of a type of event, and of one request.
CREATE INDEX timeline_of_actor ON views.timeline (actor, position);
CREATE INDEX timeline_of_type ON views.timeline (event_type, position);
CREATE INDEX timeline_of_request ON views.timeline (correlation_id, position);
