-- Version 3. A finding says what other scanners may say as well, and since when it is known.
ALTER TABLE nodes ADD COLUMN rule TEXT;
ALTER TABLE nodes ADD COLUMN component TEXT;
ALTER TABLE nodes ADD COLUMN cve TEXT;
ALTER TABLE nodes ADD COLUMN fixed_in TEXT;
ALTER TABLE nodes ADD COLUMN first_seen_at TEXT;
