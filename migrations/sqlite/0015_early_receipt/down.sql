DROP INDEX outbox_tried;
DROP TABLE early_receipt;
