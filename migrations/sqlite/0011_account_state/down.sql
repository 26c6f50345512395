ALTER TABLE account DROP COLUMN awaits;
