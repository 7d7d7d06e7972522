ALTER TYPE "operation_kind" ADD VALUE 'SYNC_CONTAINER_TAGS';--> statement-breakpoint
ALTER TYPE "resource_kind" ADD VALUE 'CONTAINER_REPOSITORY';--> statement-breakpoint
ALTER TYPE "work_kind" ADD VALUE 'SYNC_CONTAINER_TAGS';--> statement-breakpoint
ALTER TABLE "container_repositories" ADD COLUMN "username" text;--> statement-breakpoint
ALTER TABLE "container_repositories" ADD COLUMN "password" jsonb;--> statement-breakpoint
ALTER TABLE "container_repositories" ADD COLUMN "insecure" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "container_repositories" ADD COLUMN "state" text DEFAULT 'READY' NOT NULL;--> statement-breakpoint
ALTER TABLE "container_repositories" ADD COLUMN "sequence" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "container_repositories" ADD COLUMN "tags_synced_at" timestamp(3) with time zone;--> statement-breakpoint
ALTER TABLE "container_tags" ADD COLUMN "digest" text;--> statement-breakpoint
ALTER TABLE "container_tags" ADD COLUMN "image_created_at" timestamp(3) with time zone;--> statement-breakpoint
ALTER TABLE "container_tags" ADD COLUMN "size_bytes" bigint;--> statement-breakpoint
ALTER TABLE "operations" ADD COLUMN "container_repository_id" uuid;--> statement-breakpoint
CREATE UNIQUE INDEX "operations_active_container_repository" ON "operations" ("container_repository_id") WHERE status in ('QUEUED', 'RUNNING') and container_repository_id is not null;--> statement-breakpoint
CREATE INDEX "operations_container_repository" ON "operations" ("container_repository_id","created_at");--> statement-breakpoint
ALTER TABLE "operations" ADD CONSTRAINT "operations_bLhpFrg7WL6Q_fkey" FOREIGN KEY ("container_repository_id") REFERENCES "container_repositories"("id");--> statement-breakpoint
ALTER TABLE "operations" DROP CONSTRAINT "operations_resource", ADD CONSTRAINT "operations_resource" CHECK (num_nonnulls(instance_id, host_id, container_repository_id) = 1);