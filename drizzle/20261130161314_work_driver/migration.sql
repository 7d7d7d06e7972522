ALTER TABLE "work" ADD COLUMN "driver" text;--> statement-breakpoint
UPDATE "work" w SET "driver" = h."driver" FROM "hosts" h
 WHERE h."id" = w."resource_id"
    OR h."id" = (SELECT i."host_id" FROM "instances" i WHERE i."id" = w."resource_id");
