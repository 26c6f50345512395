-- A message may wait for a time that the caller chose, and reminders for theirs: outbox.state 'scheduled', due at next_attempt_at.
ALTER TABLE invitation ADD COLUMN send_at BIGINT;
CREATE INDEX outbox_scheduled ON outbox (priority, next_attempt_at, id) WHERE state = 'scheduled';
DROP INDEX outbox_expiring;
CREATE INDEX outbox_expiring ON outbox (expires_at) WHERE state IN ('held', 'scheduled', 'ready');

-- The secret before the last one, as generation:method:verifier, and until when it is good; NULL when it is not.
ALTER TABLE invitation ADD COLUMN grace_verifier TEXT;
ALTER TABLE invitation ADD COLUMN grace_until BIGINT;

-- Who ended a revoked invitation: an administrator, a newer invitation in its place, or the person.
ALTER TABLE invitation ADD COLUMN revoke_reason TEXT;
UPDATE invitation SET revoke_reason = 'administrator' WHERE status = 'revoked';
