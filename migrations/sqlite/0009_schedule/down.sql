-- Without the state, a message is claimed at its time all the same; reminders have nobody who knows them.
UPDATE outbox SET state = 'superseded', payload = NULL WHERE state = 'scheduled' AND kind LIKE 'reminder%';
UPDATE outbox SET state = 'ready' WHERE state = 'scheduled';
DROP INDEX outbox_scheduled;
DROP INDEX outbox_expiring;
CREATE INDEX outbox_expiring ON outbox (expires_at) WHERE state IN ('held', 'ready');
ALTER TABLE invitation DROP COLUMN send_at;
ALTER TABLE invitation DROP COLUMN grace_verifier;
ALTER TABLE invitation DROP COLUMN grace_until;
ALTER TABLE invitation DROP COLUMN revoke_reason;
