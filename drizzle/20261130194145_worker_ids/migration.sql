ALTER SEQUENCE "worker_epochs" RENAME TO "worker_ids";--> statement-breakpoint
ALTER TABLE "workers" RENAME COLUMN "epoch" TO "id";