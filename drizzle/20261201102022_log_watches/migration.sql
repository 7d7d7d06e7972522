CREATE TABLE "log_watches" (
	"id" uuid NOT NULL,
	"instance_id" uuid PRIMARY KEY,
	"watched_until" timestamp(3) with time zone NOT NULL,
	"followed_run_id" uuid
);
--> statement-breakpoint
ALTER TABLE "runtime_logs" ADD COLUMN "is_copy" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "log_watches" ADD CONSTRAINT "log_watches_instance_id_instances_id_fkey" FOREIGN KEY ("instance_id") REFERENCES "instances"("id");