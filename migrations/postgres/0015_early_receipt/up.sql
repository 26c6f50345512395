-- Reports of gateways that came before the answer with the message's id was written down. Kept for minutes; no secrets, no addresses.
CREATE TABLE early_receipt (
    provider TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- The tenant that the route named; empty where any is meant.
    tenant TEXT NOT NULL,
    channel TEXT NOT NULL,
    code TEXT,
    request_id TEXT,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (provider, provider_id, kind, tenant)
);
CREATE INDEX early_receipt_by_age ON early_receipt (received_at);
-- Messages that a gateway may have taken without our knowing it yet.
CREATE INDEX outbox_tried ON outbox (channel) WHERE attempts > 0 AND state IN ('ready', 'sending');
