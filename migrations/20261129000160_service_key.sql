-- Which key the instances on this database derive deployments' tokens from. Instances with different keys would refuse each
-- other's tokens, so an instance with another key does not start. The fingerprint is an HMAC under the key, which has at
-- least 32 random bytes: it cannot be turned back into the key. Not a view: a rebuild must not forget it.
CREATE TABLE service_key (
    one         boolean     PRIMARY KEY DEFAULT true CHECK (one),
    fingerprint bytea       NOT NULL CHECK (octet_length(fingerprint) = 32),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
