ALTER TABLE "instances" ADD COLUMN "secret_settings" jsonb DEFAULT '[]' NOT NULL;--> statement-breakpoint
WITH "declared" AS (
  SELECT d."solution_id", s."name" FROM (
    SELECT "solution_id", "definition" FROM "solution_versions"
    UNION ALL
    SELECT "id", "definition" FROM "solutions"
  ) d, jsonb_each(CASE jsonb_typeof(d."definition"->'settings') WHEN 'object' THEN d."definition"->'settings' ELSE '{}' END) s("name", "setting")
  WHERE s."setting"->>'secret' = 'true'
), "solutions_of" AS (
  SELECT "id" AS "instance_id", "solution_id" FROM "instances"
  UNION
  SELECT r."instance_id", v."solution_id" FROM "runs" r JOIN "solution_versions" v ON v."id" = r."solution_version_id"
), "secrets" AS (
  SELECT i."id", jsonb_agg(DISTINCT d."name") AS "names"
  FROM "instances" i JOIN "solutions_of" o ON o."instance_id" = i."id" JOIN "declared" d ON d."solution_id" = o."solution_id"
  WHERE i."settings" ? d."name" GROUP BY i."id"
)
UPDATE "instances" i SET "secret_settings" = s."names" FROM "secrets" s WHERE s."id" = i."id";
