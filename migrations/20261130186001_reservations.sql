-- The current reservations of addresses, few among the many that ended: a worker looks for expired ones every minute.
CREATE INDEX catalogue_now_reservations ON views.catalogue (key)
    WHERE valid_to IS NULL AND kind = 'reservation' AND NOT retired;
