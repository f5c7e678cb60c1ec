-- Which secrets devices refer to is asked with every question about readiness.
CREATE INDEX devices_now_by_credentials ON views.devices (management_credentials)
 WHERE valid_to IS NULL AND management_credentials IS NOT NULL AND NOT decommissioned;

-- Publishing records to the primaries of sites. These are no views: what a primary holds is known only by what it was
-- told and answered, and a rebuild must not forget it.

-- Up to which position of the views the changes of records are in `dns_work`.
CREATE TABLE public.dns_checkpoint (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint  NOT NULL
);
INSERT INTO public.dns_checkpoint (position) VALUES (0);

-- Sets of records (of a name and a type) that may differ between the views and their primary.
CREATE TABLE public.dns_work (
    name       text        NOT NULL,
    type       text        NOT NULL,
    -- Grows when the records change again, so that work on the earlier ones does not end it.
    generation bigint      NOT NULL DEFAULT 1,
    since      timestamptz NOT NULL,
    attempts   integer     NOT NULL DEFAULT 0,
    -- Nobody works on it before; a worker moves it on while it works.
    next_try   timestamptz NOT NULL,
    -- Why the last try came to nothing, and whether that is because the primary has records of somebody else.
    problem    text,
    conflict   boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (name, type)
);
CREATE INDEX dns_work_due ON public.dns_work (next_try);

-- What a primary (address and port) was told: written before it is told, since an update may be done although nobody heard
-- the answer, or lived to remember it.
CREATE TABLE public.dns_published (
    "primary" text NOT NULL,
    name      text NOT NULL,
    type      text NOT NULL,
    value     text NOT NULL,
    -- Whether the primary has answered with it since.
    answered  boolean NOT NULL,
    PRIMARY KEY ("primary", name, type, value)
);

CREATE INDEX dns_records_from ON views.dns_records (valid_from);
CREATE INDEX dns_records_to ON views.dns_records (valid_to) WHERE valid_to IS NOT NULL;
CREATE INDEX deployments_now_open_hostname ON views.deployments (hostname) WHERE valid_to IS NULL AND status = 'open';

-- When something outside of the log made the run worth another look.
ALTER TABLE leases ADD COLUMN woken_at timestamptz;
CREATE INDEX leases_woken ON leases (woken_at) WHERE woken_at >= taken_at;
