-- Serial and asset numbers are unique without regard to case, width and blanks (Claim::parts, Text::folded). Numbers that were
-- stored before are folded in the same way. Where devices of an old log have numbers that differ in nothing else, the first one
-- keeps the claim; each device keeps its number. Views and claims become what a rebuild makes of the same log, past versions too:
-- a number that was taken while another device had it is not held, not even after that one gave it up.
--
-- The letters are translated one by one, since what `lower` does depends on the database's locale.
CREATE FUNCTION public.folded_number(value text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT btrim(regexp_replace(
        translate(normalize(value, NFKC), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'), ' +', ' ', 'g'), ' ')
$$;

DO $$
DECLARE
    version record;
    -- The last version that holds.
    kept_kind text;
    kept_folded text;
    kept_value text;
    kept_holder text;
    kept_from bigint;
    kept_to bigint;
BEGIN
    FOR version IN
        SELECT * FROM (
            SELECT kind, value, holder, valid_from, valid_to, public.folded_number(value) AS folded,
                   count(*) OVER (PARTITION BY kind, public.folded_number(value)) AS versions
              FROM views.holdings WHERE kind IN ('serial', 'asset')
        ) AS numbers WHERE versions > 1 ORDER BY kind, folded, valid_from, value COLLATE "C"
    LOOP
        IF (kept_kind, kept_folded) IS NOT DISTINCT FROM (version.kind, version.folded)
           AND kept_to = version.valid_from AND kept_holder = version.holder THEN
            -- The same device wrote its number in another way: it held it all the time.
            DELETE FROM views.holdings h
             WHERE h.kind = kept_kind AND h.value = kept_value AND h.valid_from = kept_from;
            UPDATE views.holdings h SET valid_from = kept_from
             WHERE h.kind = version.kind AND h.value = version.value AND h.valid_from = version.valid_from;
            kept_value := version.value;
            kept_to := version.valid_to;
        ELSIF (kept_kind, kept_folded) IS NOT DISTINCT FROM (version.kind, version.folded)
              AND (kept_to IS NULL OR kept_to > version.valid_from) THEN
            DELETE FROM views.holdings h
             WHERE h.kind = version.kind AND h.value = version.value AND h.valid_from = version.valid_from;
            IF version.valid_to IS NULL THEN
                DELETE FROM claims c
                 WHERE c.kind = version.kind AND c.value = version.value AND c.holder = version.holder;
            END IF;
        ELSE
            kept_kind := version.kind;
            kept_folded := version.folded;
            kept_value := version.value;
            kept_holder := version.holder;
            kept_from := version.valid_from;
            kept_to := version.valid_to;
        END IF;
    END LOOP;
END $$;

-- What the views have not seen yet.
DELETE FROM claims c USING claims earlier
 WHERE c.kind IN ('serial', 'asset') AND earlier.kind = c.kind AND public.folded_number(earlier.value) = public.folded_number(c.value)
   AND (earlier.position, earlier.value COLLATE "C") < (c.position, c.value COLLATE "C");

UPDATE claims SET value = public.folded_number(value) WHERE kind IN ('serial', 'asset') AND value <> public.folded_number(value);
UPDATE views.holdings SET value = public.folded_number(value) WHERE kind IN ('serial', 'asset') AND value <> public.folded_number(value);

DROP FUNCTION public.folded_number(text);
