CREATE TABLE "host_checks" (
	"host_id" uuid PRIMARY KEY,
	"checks" jsonb NOT NULL
);
--> statement-breakpoint
ALTER TABLE "host_checks" ADD CONSTRAINT "host_checks_host_id_hosts_id_fkey" FOREIGN KEY ("host_id") REFERENCES "hosts"("id") ON DELETE CASCADE;