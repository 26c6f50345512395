-- An account gets an id of its own that says nothing of the person. Invitations, the outbox and the audit trail name the account by it, so
-- that erasing the account's row leaves nothing behind that leads back to the person.
ALTER TABLE account ADD COLUMN id TEXT NOT NULL DEFAULT '';
UPDATE account SET id = 'acc_' || lower(hex(randomblob(16)));
CREATE UNIQUE INDEX account_by_id ON account (id);

ALTER TABLE invitation ADD COLUMN account_id TEXT NOT NULL DEFAULT '';
UPDATE invitation SET account_id = a.id FROM account a
    WHERE a.tenant = invitation.tenant AND a.realm_key = invitation.realm_key AND a.username_key = invitation.username_key;

ALTER TABLE outbox ADD COLUMN account_id TEXT;
UPDATE outbox SET account_id = a.id FROM account a
    WHERE a.tenant = outbox.tenant AND a.realm_key = outbox.realm_key AND a.username_key = outbox.username_key;
ALTER TABLE outbox DROP COLUMN realm_key;
ALTER TABLE outbox DROP COLUMN username_key;

ALTER TABLE audit_event ADD COLUMN account_id TEXT;
UPDATE audit_event SET account_id = a.id FROM account a
    WHERE a.tenant = audit_event.tenant AND a.realm_key = audit_event.realm_key AND a.username_key = audit_event.username_key;
ALTER TABLE audit_event DROP COLUMN realm_key;
ALTER TABLE audit_event DROP COLUMN username_key;
