ALTER TABLE "device_values" ADD COLUMN "received_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL;--> statement-breakpoint
UPDATE "device_values" SET "received_at" = "at";--> statement-breakpoint
ALTER TABLE "device_values" ADD COLUMN "run_ordinal" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "device_values" ADD COLUMN "number" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "runs" ADD COLUMN "ordinal" bigint GENERATED ALWAYS AS IDENTITY (sequence name "runs_ordinal_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1);--> statement-breakpoint
ALTER TABLE "runs" ADD COLUMN "device_repository_id" uuid;--> statement-breakpoint
ALTER TABLE "runs" ADD CONSTRAINT "runs_device_repository_id_device_repositories_id_fkey" FOREIGN KEY ("device_repository_id") REFERENCES "device_repositories"("id");