-- What operators write about a deployment, which the search of the list finds as well, like the reason of a cancellation.
ALTER TABLE views.deployments ADD COLUMN note text NOT NULL DEFAULT '';
ALTER TABLE views.deployments ADD COLUMN ticket text NOT NULL DEFAULT '';

-- The index of the column goes with it.
ALTER TABLE views.deployments DROP COLUMN search;
ALTER TABLE views.deployments ADD COLUMN search text NOT NULL
    GENERATED ALWAYS AS (lower(hostname || ' ' || host(ip) || ' ' || mac || ' ' || note || ' ' || ticket || ' '
                               || coalesce(reason, ''))) STORED;
CREATE INDEX deployments_now_search ON views.deployments USING gin (search public.gin_trgm_ops) WHERE valid_to IS NULL;
