-- Boot images that are being added from the library: what is wanted, and how far it has come. This is no history: the event
-- of the image that comes of it is. It is beside the views because a rebuild must not forget what is under way.
CREATE TABLE public.image_downloads (
    id uuid PRIMARY KEY,
    recipe text NOT NULL,
    image text NOT NULL,
    mirror text,
    is_update boolean NOT NULL,
    replaces boolean NOT NULL,
    actor text NOT NULL,
    correlation_id text NOT NULL,
    status text NOT NULL CHECK (status IN ('queued', 'running', 'interrupted', 'done', 'failed', 'cancelled')),
    progress json,
    message text,
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    -- Until when the instance that works on it is taken to live.
    alive_until timestamptz
);
-- One at a time, over all instances.
CREATE UNIQUE INDEX image_downloads_running ON public.image_downloads ((true)) WHERE status = 'running';
CREATE INDEX image_downloads_created ON public.image_downloads (created_at);
