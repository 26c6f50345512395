DROP INDEX outbox_events_of_account;
DROP INDEX outbox_events_due;
DELETE FROM outbox WHERE endpoint_id IS NOT NULL;
ALTER TABLE outbox DROP COLUMN event_type;
ALTER TABLE outbox DROP COLUMN event_id;
ALTER TABLE outbox DROP COLUMN endpoint_id;
DROP TABLE webhook_endpoint;
