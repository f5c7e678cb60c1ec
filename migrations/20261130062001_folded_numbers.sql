-- Serial and asset numbers are unique without regard to case, width and blanks (Claim::parts, Text::folded). Numbers that were
-- stored before are folded in the same way. Where two devices of an old log have numbers that differ in nothing else, the first
-- one keeps the claim; both devices keep their numbers. The letters are translated one by one, since what `lower` does depends
-- on the database's locale.
DELETE FROM claims c USING claims earlier
 WHERE c.kind IN ('serial', 'asset') AND earlier.kind = c.kind
   AND btrim(regexp_replace(translate(normalize(earlier.value, NFKC), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'), ' +', ' ', 'g'), ' ')
     = btrim(regexp_replace(translate(normalize(c.value, NFKC), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'), ' +', ' ', 'g'), ' ')
   AND (earlier.position, earlier.value COLLATE "C") < (c.position, c.value COLLATE "C");
UPDATE claims
   SET value = btrim(regexp_replace(translate(normalize(value, NFKC), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'), ' +', ' ', 'g'), ' ')
 WHERE kind IN ('serial', 'asset');

DELETE FROM views.holdings h USING views.holdings earlier
 WHERE h.kind IN ('serial', 'asset') AND earlier.kind = h.kind AND h.valid_to IS NULL AND earlier.valid_to IS NULL
   AND btrim(regexp_replace(translate(normalize(earlier.value, NFKC), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'), ' +', ' ', 'g'), ' ')
     = btrim(regexp_replace(translate(normalize(h.value, NFKC), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'), ' +', ' ', 'g'), ' ')
   AND (earlier.valid_from, earlier.value COLLATE "C") < (h.valid_from, h.value COLLATE "C");
UPDATE views.holdings
   SET value = btrim(regexp_replace(translate(normalize(value, NFKC), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'), ' +', ' ', 'g'), ' ')
 WHERE kind IN ('serial', 'asset');
