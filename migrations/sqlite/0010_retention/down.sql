DROP INDEX outbox_settled_events;
DROP INDEX outbox_by_account;
DROP INDEX outbox_settled;
DROP INDEX invitation_ended;
