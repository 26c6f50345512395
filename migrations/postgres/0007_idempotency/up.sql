-- Calls that carried an Idempotency-Key. One without an answer is still running, for as long as its lease: expires_at ends that, or the
-- keeping of the answer. The key and the caller are only in the digest, the request only in a MAC, the answer is sealed.
CREATE TABLE idempotency (
    key_hash BYTEA NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    fence BIGINT NOT NULL,
    answer BYTEA,
    account_id TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX idempotency_expiring ON idempotency (expires_at);
CREATE INDEX idempotency_by_account ON idempotency (account_id) WHERE account_id IS NOT NULL;
