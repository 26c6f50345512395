-- Where a tenant wants its events sent. The secrets that sign are sealed by the master keys. A slot each, so that their number has an
-- end whoever races.
CREATE TABLE webhook_endpoint (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    slot BIGINT NOT NULL,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    description TEXT,
    secret BLOB NOT NULL,
    previous_secret BLOB,
    previous_until BIGINT,
    disabled_at BIGINT,
    disabled_reason TEXT,
    failing_since BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX webhook_endpoint_slot ON webhook_endpoint (tenant, slot);

-- An event on its way: which one, and to whom. What it says is made of the audit trail when it is sent.
ALTER TABLE outbox ADD COLUMN endpoint_id TEXT;
ALTER TABLE outbox ADD COLUMN event_id TEXT;
ALTER TABLE outbox ADD COLUMN event_type TEXT;
CREATE INDEX outbox_events_due ON outbox (endpoint_id, state, next_attempt_at, id) WHERE endpoint_id IS NOT NULL;
CREATE INDEX outbox_events_of_account ON outbox (endpoint_id, account_id, id) WHERE endpoint_id IS NOT NULL;
