ALTER TABLE "dns_records" ADD COLUMN "confirmed_at" timestamp(3) with time zone;--> statement-breakpoint
ALTER TABLE "store_identity" ADD COLUMN "pruned_until" timestamp(3) with time zone;--> statement-breakpoint
ALTER TABLE "store_identity" ADD COLUMN "lineage" text;--> statement-breakpoint
-- Where the data of this database is: cluster, database, timeline, and the table itself. Another value
-- than the one that was remembered: the data was restored or the server is another one (epoch.ts). What
-- may not be asked here is a dash. The first two cannot change in a session: they are found out once.
CREATE FUNCTION store_lineage() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  cluster text := nullif(current_setting('instance_manager.cluster', true), '');
  timeline text;
BEGIN
  IF cluster IS NULL THEN
    BEGIN
      SELECT system_identifier INTO cluster FROM pg_control_system();
    EXCEPTION WHEN OTHERS THEN
      cluster := '-';
    END;
    SELECT cluster || '/' || oid INTO cluster FROM pg_database WHERE datname = current_database();
    PERFORM set_config('instance_manager.cluster', cluster, false);
  END IF;
  BEGIN
    -- The control file would name the timeline of the last checkpoint, which may be before a promotion.
    timeline := left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
  EXCEPTION WHEN OTHERS THEN
    timeline := '-';
  END;
  RETURN concat_ws('/', 'postgres', cluster, timeline, 'store_identity'::regclass::oid);
END $$;
