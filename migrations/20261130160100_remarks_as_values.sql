-- Remarks are codes and values; the web crate writes the sentences. A remark that a view has now becomes the value that a
-- rebuild gives it: events of version 1 are read with their sentence as `text`.

CREATE FUNCTION pg_temp.remark_values(remarks text[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('code', 'text', 'text', left(r.text, 300)) ORDER BY r.place), '[]')
      FROM unnest(remarks) WITH ORDINALITY AS r (text, place)
$$;
ALTER TABLE views.devices ALTER COLUMN remarks TYPE jsonb USING pg_temp.remark_values(remarks);
DROP FUNCTION pg_temp.remark_values;
