-- The bulk actions that have rows to work through: a worker asks for them after every change of the log.
CREATE INDEX catalogue_now_bulk ON views.catalogue (key) WHERE kind = 'bulk' AND valid_to IS NULL AND NOT retired;
