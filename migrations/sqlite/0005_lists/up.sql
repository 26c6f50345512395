-- Lists: an index for every way in which a page of them is read, each ending with the order (a time, then the id).

-- The one message of an invitation's current generation carries the invitation's own created_at, so that invitations can be listed by
-- the state of their message. It is NULL for everything else in the outbox. Where nothing is sent there is a row that says so.
ALTER TABLE outbox ADD COLUMN listed_at BIGINT;
UPDATE outbox SET listed_at = i.created_at FROM invitation i
    WHERE i.id = outbox.invitation_id AND i.generation = outbox.generation
        AND outbox.kind NOT IN ('activation_email', 'activation_sms', 'account_sync') AND outbox.kind NOT LIKE 'reminder%';
INSERT INTO outbox (id, tenant, invitation_id, generation, kind, channel, state, attempts, fence, next_attempt_at, created_at, updated_at,
                    account_id, listed_at)
    SELECT 'msg_' || substr(i.id, 5), i.tenant, i.id, i.generation,
        CASE i.purpose WHEN 'onboarding' THEN 'invitation_' ELSE 'password_reset_' END || i.method,
        CASE i.method WHEN 'sms_otp' THEN 'sms' ELSE 'email' END,
        'skipped', 0, 0, i.issued_at, i.issued_at, i.issued_at, i.account_id, i.created_at
    FROM invitation i
    WHERE NOT EXISTS (SELECT 1 FROM outbox o WHERE o.invitation_id = i.id AND o.listed_at IS NOT NULL);

DROP INDEX invitation_by_account;
CREATE INDEX invitation_by_account ON invitation (tenant, realm_key, username_key, created_at, id);
CREATE INDEX invitation_by_age ON invitation (tenant, created_at, id);
CREATE INDEX invitation_by_status ON invitation (tenant, status, created_at, id);
CREATE INDEX invitation_by_expiry ON invitation (tenant, status, expires_at, id);
CREATE INDEX invitation_by_kind ON invitation (tenant, method, purpose, created_at, id);
CREATE INDEX invitation_by_realm ON invitation (tenant, realm_key, created_at, id);

CREATE INDEX outbox_by_listing ON outbox (tenant, state, listed_at, invitation_id) WHERE listed_at IS NOT NULL;
CREATE INDEX outbox_by_age ON outbox (tenant, created_at, id);
CREATE INDEX outbox_by_state ON outbox (tenant, state, created_at, id);
CREATE INDEX outbox_by_kind ON outbox (tenant, kind, created_at, id);

CREATE INDEX audit_event_by_age ON audit_event (tenant, at, id);
CREATE INDEX audit_event_by_actor ON audit_event (tenant, actor, at, id);
CREATE INDEX audit_event_by_name ON audit_event (tenant, event, at, id);
CREATE INDEX audit_event_by_account ON audit_event (tenant, account_id, at, id) WHERE account_id IS NOT NULL;
DROP INDEX audit_event_by_invitation;
CREATE INDEX audit_event_by_invitation ON audit_event (tenant, invitation_id, at, id) WHERE invitation_id IS NOT NULL;

-- The audit trail is append-only for everybody. docs/operations.md has how an operator prunes it.
CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END;
CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END;
