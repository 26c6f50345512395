DROP TABLE early_receipt;
