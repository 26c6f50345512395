DROP INDEX account_check;
ALTER TABLE account DROP COLUMN checks_failed;
ALTER TABLE account DROP COLUMN check_after;
