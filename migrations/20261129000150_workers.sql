-- Which workers live. Each instance of the service writes its row once a second; a lease counts only while the row of its
-- worker is young. All times are of the database's clock. The table says nothing that has to survive a crash of the
-- database: after one, every worker registers again.
CREATE UNLOGGED TABLE public.workers (
    worker   uuid        PRIMARY KEY,
    -- Whose worker it is. A restarted instance removes the rows of its earlier runs, whose work is then free at once.
    instance uuid        NOT NULL,
    beat_at  timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The one place that says how long a worker may be silent.
CREATE FUNCTION public.worker_lives(one uuid) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT EXISTS (SELECT FROM public.workers WHERE worker = one AND beat_at > clock_timestamp() - interval '4 seconds')
$$;

-- All of them, for questions about many leases: written as a subquery, it is computed once.
CREATE FUNCTION public.live_workers() RETURNS uuid[] LANGUAGE sql VOLATILE AS $$
    SELECT ARRAY(SELECT worker FROM public.workers WHERE public.worker_lives(worker))
$$;

-- Whose work it is while it is worked on.
ALTER TABLE public.dns_work ADD COLUMN worker uuid;
CREATE INDEX dns_work_taken ON public.dns_work (worker) WHERE worker IS NOT NULL;
ALTER TABLE public.drift_checks ADD COLUMN worker uuid;
ALTER TABLE public.image_downloads ADD COLUMN worker uuid;
