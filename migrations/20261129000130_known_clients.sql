-- Where people have signed in from with their passwords: an address there has attempts of its own, which failed attempts from
-- elsewhere do not use up. Only the latest of each user are kept. It is no view: it is forgotten in time, and a rebuild must not
-- bring it back.
CREATE TABLE public.known_clients (
    user_name text        NOT NULL,
    -- An IPv4 address, or the first address of an IPv6 /64, as text.
    network   text        NOT NULL,
    last_used timestamptz NOT NULL,
    PRIMARY KEY (user_name, network)
);

-- People who sign in already keep their addresses.
INSERT INTO public.known_clients (user_name, network, last_used)
SELECT user_name, host(CASE family(client) WHEN 6 THEN network(set_masklen(client, 64))::inet ELSE client END), max(started_at)
FROM (
    SELECT spec -> 'session' ->> 'user' AS user_name, (spec -> 'session' ->> 'client')::inet AS client,
           (spec ->> 'started_at')::timestamptz AS started_at
    FROM views.catalogue
    WHERE kind = 'session' AND valid_to IS NULL AND spec -> 'session' ->> 'method' = 'password'
      AND spec -> 'session' ->> 'client' IS NOT NULL
) AS sessions
GROUP BY 1, 2;

DELETE FROM public.known_clients AS known
USING (
    SELECT user_name, network, row_number() OVER (PARTITION BY user_name ORDER BY last_used DESC, network) AS place
    FROM public.known_clients
) AS ranked
WHERE ranked.user_name = known.user_name AND ranked.network = known.network AND ranked.place > 64;
