-- The tenant's own settings, laid over the operator's defaults as a JSON merge patch.
CREATE TABLE tenant_settings (
    tenant TEXT NOT NULL PRIMARY KEY,
    overrides TEXT NOT NULL,
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- What we own of a directory account: our lock and the budget of wrong codes. Keys are case-folded spellings.
CREATE TABLE account (
    tenant TEXT NOT NULL,
    realm_key TEXT NOT NULL,
    username_key TEXT NOT NULL,
    realm TEXT NOT NULL,
    username TEXT NOT NULL,
    user_id TEXT,
    otp_failures BIGINT NOT NULL,
    lock_reason TEXT,
    hold TEXT NOT NULL,
    directory TEXT NOT NULL,
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, realm_key, username_key)
);

-- All *_at and *_until are milliseconds since 1970, UTC. person, terms and metadata are JSON.
CREATE TABLE invitation (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    realm TEXT NOT NULL,
    username TEXT NOT NULL,
    realm_key TEXT NOT NULL,
    username_key TEXT NOT NULL,
    person TEXT NOT NULL,
    terms TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_by TEXT NOT NULL,
    purpose TEXT NOT NULL,
    method TEXT NOT NULL,
    status TEXT NOT NULL,
    generation BIGINT NOT NULL,
    resends BIGINT NOT NULL,
    verifier TEXT,
    retired_verifiers TEXT NOT NULL,
    attempts_left BIGINT,
    otp_used_at BIGINT,
    otp_replay BLOB,
    grant_jti TEXT,
    grant_expires_at BIGINT,
    accept_fence BIGINT NOT NULL,
    accept_jti TEXT,
    accept_lease_until BIGINT,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    issued_at BIGINT NOT NULL,
    accepted_at BIGINT,
    revoked_at BIGINT,
    failure TEXT
);

-- At most one live invitation an account, whoever races.
CREATE UNIQUE INDEX invitation_one_live ON invitation (tenant, realm_key, username_key)
    WHERE status IN ('provisioning', 'pending', 'accepting');
CREATE INDEX invitation_by_account ON invitation (tenant, realm_key, username_key, created_at);
CREATE INDEX invitation_expiring ON invitation (expires_at) WHERE status IN ('provisioning', 'pending');
CREATE INDEX invitation_accepting ON invitation (accept_lease_until) WHERE status = 'accepting';

-- What must happen outside: messages to people and states to reach in the directory. payload is sealed and wiped once settled.
CREATE TABLE outbox (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    invitation_id TEXT,
    generation BIGINT NOT NULL,
    realm_key TEXT NOT NULL,
    username_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    payload BLOB,
    attempts BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    lease_until BIGINT,
    next_attempt_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_error TEXT,
    provider_id TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (next_attempt_at, id) WHERE state = 'ready';
CREATE INDEX outbox_leased ON outbox (lease_until) WHERE state = 'sending';
CREATE INDEX outbox_expiring ON outbox (expires_at) WHERE state IN ('held', 'ready');
CREATE INDEX outbox_by_invitation ON outbox (invitation_id, generation);

-- One row a transition. Append-only: no statement of the service changes or deletes one. No secrets, no addresses.
CREATE TABLE audit_event (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    actor TEXT NOT NULL,
    request_id TEXT,
    invitation_id TEXT,
    realm_key TEXT,
    username_key TEXT,
    detail TEXT NOT NULL
);
CREATE INDEX audit_event_by_invitation ON audit_event (invitation_id, at);
