ALTER TABLE "runs" ADD COLUMN "last_log_number" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "runtime_logs" ADD COLUMN "number" bigint;--> statement-breakpoint
UPDATE "runtime_logs" l SET "number" = n."number" FROM (SELECT "id", row_number() OVER (PARTITION BY "run_id" ORDER BY "id") AS "number" FROM "runtime_logs") n WHERE n."id" = l."id";--> statement-breakpoint
UPDATE "runs" r SET "last_log_number" = l."number" FROM (SELECT "run_id", max("number") AS "number" FROM "runtime_logs" GROUP BY "run_id") l WHERE l."run_id" = r."id";--> statement-breakpoint
ALTER TABLE "runtime_logs" ALTER COLUMN "number" SET NOT NULL;
