ALTER TYPE "operation_kind" ADD VALUE 'UPDATE_RUNTIME' BEFORE 'DETACH_INSTANCE';--> statement-breakpoint
ALTER TYPE "work_kind" ADD VALUE 'PULL_IMAGE' BEFORE 'INSTANCE_DEADLINE';--> statement-breakpoint
ALTER TYPE "work_kind" ADD VALUE 'PULL_DEADLINE' BEFORE 'INSTANCE_DEADLINE';--> statement-breakpoint
ALTER TABLE "instances" ADD COLUMN "asks_tag" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "operations" ADD COLUMN "runtime_update" jsonb;