-- Names are ordered as people expect: the root collation of Unicode, with numbers by their value. No
-- index uses it: an index would have to be rebuilt for another version of ICU. Keys are ordered by
-- code point. Both are then the same in every database, whatever its own collation is. The ICU of
-- PGlite understands this form of the locale alone; the others turn it into und-u-kn.
CREATE COLLATION name_order (provider = icu, locale = 'und@colNumeric=yes');
--> statement-breakpoint
ALTER TABLE solutions
  ALTER COLUMN name TYPE text COLLATE name_order, ALTER COLUMN key TYPE text COLLATE "C";
--> statement-breakpoint
ALTER TABLE container_repositories
  ALTER COLUMN name TYPE text COLLATE name_order, ALTER COLUMN key TYPE text COLLATE "C";
--> statement-breakpoint
ALTER TABLE device_repositories
  ALTER COLUMN name TYPE text COLLATE name_order, ALTER COLUMN key TYPE text COLLATE "C";
--> statement-breakpoint
ALTER TABLE billing_subscriptions
  ALTER COLUMN name TYPE text COLLATE name_order, ALTER COLUMN key TYPE text COLLATE "C";
--> statement-breakpoint
ALTER TABLE hosts
  ALTER COLUMN name TYPE text COLLATE name_order, ALTER COLUMN key TYPE text COLLATE "C";
--> statement-breakpoint
ALTER TABLE instances
  ALTER COLUMN name TYPE text COLLATE name_order, ALTER COLUMN key TYPE text COLLATE "C";
--> statement-breakpoint
-- Text as filters compare it: without case, accents and differences of width. ASCII takes the short
-- way; not STRICT, so that PostgreSQL can put the expression in place of the call.
CREATE FUNCTION folded(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE WHEN octet_length(value) = length(value) THEN upper(value COLLATE "C")
    ELSE upper(regexp_replace(normalize(value, NFKD) COLLATE "C", '[\u0300-\u036f]', '', 'g')
      COLLATE name_order) COLLATE "C" END;
