DROP INDEX outbox_by_provider_id;
