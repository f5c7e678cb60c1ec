-- Every start of a deployment looks up whether its address is that of a router or server (infrastructure::at). The addresses
-- that a description names are found by an index; whether one is that of a router or server is for the program to say.
CREATE FUNCTION public.addresses_in(spec text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $$
    SELECT COALESCE(array_agg(DISTINCT found[1]), '{}')
      FROM regexp_matches(spec, '[0-9]{1,3}(?:\.[0-9]{1,3}){3}', 'g') AS found
$$;
CREATE INDEX catalogue_now_addresses ON views.catalogue USING gin (public.addresses_in(spec::text)) WITH (fastupdate = off)
 WHERE valid_to IS NULL AND kind IN ('site', 'network', 'dhcp_server');
