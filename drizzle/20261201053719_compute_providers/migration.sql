ALTER TYPE "resource_kind" ADD VALUE 'COMPUTE_PROVIDER';--> statement-breakpoint
CREATE TABLE "compute_providers" (
	"id" uuid PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"key" text COLLATE "C" NOT NULL,
	"name" text COLLATE "name_order" NOT NULL,
	"description" text,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"archived_at" timestamp(3) with time zone,
	"labels" jsonb DEFAULT '{}' NOT NULL,
	"kind" text NOT NULL,
	"configuration" jsonb DEFAULT '{}' NOT NULL,
	"secrets" jsonb,
	"is_default" boolean DEFAULT false NOT NULL,
	"status" jsonb,
	"check_due_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "compute_providers_key" UNIQUE("organization_id","key"),
	CONSTRAINT "compute_providers_default_live" CHECK (not is_default or archived_at is null)
);
--> statement-breakpoint
CREATE TABLE "driver_fences" (
	"subject" text PRIMARY KEY,
	"token" bigint NOT NULL,
	"raised_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX "compute_providers_default" ON "compute_providers" ("organization_id") WHERE is_default;--> statement-breakpoint
ALTER TABLE "compute_providers" ADD CONSTRAINT "compute_providers_organization_id_organizations_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id");--> statement-breakpoint
-- Every organization has its provider "local" from its first row on.
CREATE FUNCTION add_local_provider() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO compute_providers (id, organization_id, key, name, kind, is_default)
    VALUES (gen_random_uuid(), NEW.id, 'local', 'This machine', 'PROCESS', true);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER organizations_local_provider AFTER INSERT ON "organizations"
  FOR EACH ROW EXECUTE FUNCTION add_local_provider();
--> statement-breakpoint
INSERT INTO "compute_providers" ("id", "organization_id", "key", "name", "kind", "is_default")
  SELECT gen_random_uuid(), "id", 'local', 'This machine', 'PROCESS', true FROM "organizations";
--> statement-breakpoint
ALTER TABLE "hosts" ADD COLUMN "provider_id" uuid;--> statement-breakpoint
UPDATE "hosts" h SET "provider_id" = p."id" FROM "compute_providers" p
  WHERE p."organization_id" = h."organization_id" AND p."key" = 'local';--> statement-breakpoint
ALTER TABLE "hosts" ALTER COLUMN "provider_id" SET NOT NULL;--> statement-breakpoint
CREATE INDEX "hosts_provider" ON "hosts" ("provider_id");--> statement-breakpoint
ALTER TABLE "hosts" ADD CONSTRAINT "hosts_provider_id_compute_providers_id_fkey" FOREIGN KEY ("provider_id") REFERENCES "compute_providers"("id");
