CREATE TYPE "access_key_kind" AS ENUM('ADMIN', 'SESSION', 'SIGN_IN_CODE', 'RUN');--> statement-breakpoint
CREATE TYPE "change_kind" AS ENUM('TRANSITION', 'CREATED', 'UPDATED', 'ARCHIVED', 'DESIRED', 'REACHABILITY', 'OPERATION', 'REMOVING');--> statement-breakpoint
CREATE TYPE "deployment_type" AS ENUM('MANAGED', 'CLOUD', 'ON_PREMISE');--> statement-breakpoint
CREATE TYPE "desired_instance_state" AS ENUM('RUNNING', 'PAUSED', 'STOPPED');--> statement-breakpoint
CREATE TYPE "edition" AS ENUM('APP', 'CONTAINER', 'CLUSTER');--> statement-breakpoint
CREATE TYPE "host_size" AS ENUM('EXTRA_SMALL', 'SMALL', 'MEDIUM', 'LARGE', 'EXTRA_LARGE');--> statement-breakpoint
CREATE TYPE "host_state" AS ENUM('OFFLINE', 'DEPLOYING', 'CONFIGURING_DNS', 'DEPLOYING_CONTAINER', 'STARTING_CONTAINER', 'RUNNING', 'RESTARTING_HOST', 'RESTARTING_CONTAINER', 'FAILED_DEPLOYMENT', 'FAILED_HEALTH_CHECK');--> statement-breakpoint
CREATE TYPE "instance_state" AS ENUM('OFFLINE', 'STARTING_RUNTIME', 'INITIALIZING', 'STARTING', 'RUNNING', 'PAUSING', 'PAUSED', 'STOPPING', 'STOPPED', 'FAILED_TO_INITIALIZE', 'FAILED_TO_START', 'FATAL_ERROR');--> statement-breakpoint
CREATE TYPE "log_level" AS ENUM('DEBUG', 'INFO', 'WARN', 'ERROR');--> statement-breakpoint
CREATE TYPE "meter" AS ENUM('COMPUTE', 'RUN', 'PAUSED');--> statement-breakpoint
CREATE TYPE "operation_kind" AS ENUM('DEPLOY_INSTANCE', 'START_INSTANCE', 'PAUSE_INSTANCE', 'RESUME_INSTANCE', 'STOP_INSTANCE', 'RESTART_INSTANCE', 'DETACH_INSTANCE', 'DEPLOY_HOST', 'RESTART_HOST', 'RESTART_CONTAINER', 'REMOVE_HOST');--> statement-breakpoint
CREATE TYPE "operation_status" AS ENUM('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'CANCELLED', 'SUPERSEDED');--> statement-breakpoint
CREATE TYPE "reachability" AS ENUM('OK', 'UNKNOWN');--> statement-breakpoint
CREATE TYPE "resource_kind" AS ENUM('INSTANCE', 'HOST');--> statement-breakpoint
CREATE TYPE "runtime_command_kind" AS ENUM('LOAD_SOLUTION', 'START_LISTENING', 'PAUSE', 'RESUME', 'STOP');--> statement-breakpoint
CREATE TYPE "storage" AS ENUM('CLOUD', 'LOCAL');--> statement-breakpoint
CREATE TYPE "unreachable_because" AS ENUM('HOST', 'RUNTIME');--> statement-breakpoint
CREATE TYPE "work_kind" AS ENUM('ALLOCATE_HOST', 'CONFIGURE_DNS', 'DEPLOY_CONTAINER', 'CONFIRM_HOST', 'RESTART_HOST', 'RESTART_CONTAINER', 'RELEASE_HOST', 'CHECK_HOST', 'HOST_DEADLINE', 'REMOVAL_DEADLINE', 'START_RUNTIME', 'STOP_RUNTIME', 'KILL_RUNTIME', 'WATCH_RUNTIME', 'CONTINUE_RESTART', 'INSTANCE_DEADLINE');--> statement-breakpoint
CREATE SEQUENCE "public"."fencing_tokens" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE SEQUENCE "public"."log_revisions" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE SEQUENCE "public"."worker_epochs" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "access_keys" (
	"id" uuid PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"kind" "access_key_kind" NOT NULL,
	"hash" text NOT NULL UNIQUE,
	"name" text NOT NULL,
	"run_id" uuid,
	"instance_id" uuid,
	"created_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"expires_at" timestamp(3) with time zone,
	"revoked_at" timestamp(3) with time zone
);
--> statement-breakpoint
CREATE TABLE "billing_subscriptions" (
	"id" uuid PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"key" text NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"archived_at" timestamp(3) with time zone,
	"trial" boolean DEFAULT false NOT NULL,
	CONSTRAINT "billing_subscriptions_key" UNIQUE("organization_id","key")
);
--> statement-breakpoint
CREATE TABLE "container_repositories" (
	"id" uuid PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"key" text NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"archived_at" timestamp(3) with time zone,
	"image" text NOT NULL,
	"default_tag" text NOT NULL,
	CONSTRAINT "container_repositories_key" UNIQUE("organization_id","key")
);
--> statement-breakpoint
CREATE TABLE "container_tags" (
	"id" uuid PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"repository_id" uuid NOT NULL,
	"tag" text NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "container_tags_tag" UNIQUE("repository_id","tag")
);
--> statement-breakpoint
CREATE TABLE "device_repositories" (
	"id" uuid PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"key" text NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"archived_at" timestamp(3) with time zone,
	"storage" "storage" NOT NULL,
	CONSTRAINT "device_repositories_key" UNIQUE("organization_id","key")
);
--> statement-breakpoint
CREATE TABLE "device_values" (
	"device_repository_id" uuid,
	"device" text,
	"field" text,
	"value" jsonb NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	CONSTRAINT "device_values_pkey" PRIMARY KEY("device_repository_id","device","field")
);
--> statement-breakpoint
CREATE TABLE "dns_records" (
	"name" text PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"host_id" uuid NOT NULL,
	"address" text NOT NULL,
	"ttl_seconds" integer NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "host_edges" (
	"from_state" "host_state",
	"to_state" "host_state",
	CONSTRAINT "host_edges_pkey" PRIMARY KEY("from_state","to_state")
);
--> statement-breakpoint
CREATE TABLE "hosts" (
	"id" uuid PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"key" text NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"archived_at" timestamp(3) with time zone,
	"labels" jsonb DEFAULT '{}' NOT NULL,
	"driver" text NOT NULL,
	"size" "host_size" NOT NULL,
	"dns_name" text NOT NULL CONSTRAINT "hosts_dns_name" UNIQUE,
	"subscription_id" uuid,
	"state" "host_state" DEFAULT 'OFFLINE'::"host_state" NOT NULL,
	"previous_state" "host_state",
	"state_since" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"sequence" integer DEFAULT 0 NOT NULL,
	"guard" bigint DEFAULT 0 NOT NULL,
	"last_transition" jsonb,
	"up" boolean GENERATED ALWAYS AS (state not in ('OFFLINE', 'FAILED_DEPLOYMENT')) STORED NOT NULL,
	"removing" boolean DEFAULT false NOT NULL,
	"failed_stage" "host_state",
	"failure" jsonb,
	"handle" jsonb,
	"address" text,
	"image_digest" text,
	"last_check_at" timestamp(3) with time zone,
	"last_ok_at" timestamp(3) with time zone,
	CONSTRAINT "hosts_key" UNIQUE("organization_id","key"),
	CONSTRAINT "hosts_up" UNIQUE("id","up"),
	CONSTRAINT "hosts_new" CHECK (sequence > 0 or state = 'OFFLINE')
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"organization_id" uuid,
	"caller" text,
	"field" text,
	"key" text,
	"input_hash" text NOT NULL,
	"operation_id" uuid,
	"resource_id" uuid,
	"created_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY("organization_id","caller","field","key")
);
--> statement-breakpoint
CREATE TABLE "instance_edges" (
	"from_state" "instance_state",
	"to_state" "instance_state",
	CONSTRAINT "instance_edges_pkey" PRIMARY KEY("from_state","to_state")
);
--> statement-breakpoint
CREATE TABLE "instances" (
	"id" uuid PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"key" text NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"archived_at" timestamp(3) with time zone,
	"labels" jsonb DEFAULT '{}' NOT NULL,
	"settings" jsonb DEFAULT '{}' NOT NULL,
	"solution_id" uuid NOT NULL,
	"solution_version_id" uuid,
	"subscription_id" uuid NOT NULL,
	"device_repository_id" uuid NOT NULL,
	"host_id" uuid,
	"edition" "edition" NOT NULL,
	"deployment_type" "deployment_type",
	"working_storage" "storage",
	"image_size" "host_size",
	"replicas" integer,
	"container_repository_id" uuid,
	"container_tag" text,
	"state" "instance_state" DEFAULT 'OFFLINE'::"instance_state" NOT NULL,
	"previous_state" "instance_state",
	"state_since" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"sequence" integer DEFAULT 0 NOT NULL,
	"guard" bigint DEFAULT 0 NOT NULL,
	"last_transition" jsonb,
	"desired" "desired_instance_state" DEFAULT 'RUNNING'::"desired_instance_state" NOT NULL,
	"reachability" "reachability" DEFAULT 'OK'::"reachability" NOT NULL,
	"unreachable_because" "unreachable_because",
	"last_seen_at" timestamp(3) with time zone,
	"counters" jsonb,
	"failure" jsonb,
	"run_id" uuid,
	"runtime_gone" boolean DEFAULT true NOT NULL,
	"endpoints" jsonb,
	"live_host_id" uuid GENERATED ALWAYS AS (case when state <> 'OFFLINE' then host_id end) STORED,
	"live_up" boolean GENERATED ALWAYS AS (case when state <> 'OFFLINE' then true end) STORED,
	CONSTRAINT "instances_key" UNIQUE("organization_id","key"),
	CONSTRAINT "instances_new" CHECK (sequence > 0 or state = 'OFFLINE'),
	CONSTRAINT "instances_live_host" CHECK (state = 'OFFLINE' or host_id is not null)
);
--> statement-breakpoint
CREATE TABLE "log" (
	"revision" bigint DEFAULT nextval('log_revisions'),
	"place" integer DEFAULT 0,
	"organization_id" uuid NOT NULL,
	"kind" "change_kind" NOT NULL,
	"resource_kind" "resource_kind" NOT NULL,
	"resource_id" uuid NOT NULL,
	"sequence" integer NOT NULL,
	"instance_from" "instance_state",
	"instance_to" "instance_state",
	"host_from" "host_state",
	"host_to" "host_state",
	"at" timestamp(3) with time zone NOT NULL,
	"operation_id" uuid,
	"caused_by_operation_id" uuid,
	"caused_by_resource_id" uuid,
	"caused_by_sequence" integer,
	"actor" jsonb NOT NULL,
	"details" jsonb DEFAULT '{}' NOT NULL,
	CONSTRAINT "log_pkey" PRIMARY KEY("revision","place"),
	CONSTRAINT "log_transition" CHECK ((kind = 'TRANSITION') = (num_nonnulls(instance_from, instance_to, host_from, host_to) = 2))
);
--> statement-breakpoint
CREATE TABLE "metering_intervals" (
	"id" uuid PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"meter" "meter" NOT NULL,
	"resource_kind" "resource_kind" NOT NULL,
	"resource_id" uuid NOT NULL,
	"opened_at" timestamp(3) with time zone NOT NULL,
	"opened_sequence" integer NOT NULL,
	"closed_at" timestamp(3) with time zone,
	"closed_sequence" integer,
	"priced" boolean NOT NULL
);
--> statement-breakpoint
CREATE TABLE "operations" (
	"id" uuid PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"kind" "operation_kind" NOT NULL,
	"status" "operation_status" NOT NULL,
	"phase" text,
	"progress" double precision,
	"resource_kind" "resource_kind" NOT NULL,
	"instance_id" uuid,
	"host_id" uuid,
	"requested_by" jsonb NOT NULL,
	"reason" text,
	"parent_id" uuid,
	"failure" jsonb,
	"created_at" timestamp(3) with time zone NOT NULL,
	"started_at" timestamp(3) with time zone,
	"ended_at" timestamp(3) with time zone,
	"deadline_at" timestamp(3) with time zone,
	CONSTRAINT "operations_resource" CHECK (num_nonnulls(instance_id, host_id) = 1)
);
--> statement-breakpoint
CREATE TABLE "organizations" (
	"id" uuid PRIMARY KEY,
	"key" text NOT NULL UNIQUE,
	"name" text NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "runs" (
	"id" uuid PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"instance_id" uuid NOT NULL,
	"solution_version_id" uuid,
	"image" text,
	"image_tag" text,
	"image_digest" text,
	"started_at" timestamp(3) with time zone NOT NULL,
	"ended_at" timestamp(3) with time zone
);
--> statement-breakpoint
CREATE TABLE "runtime_commands" (
	"id" uuid PRIMARY KEY,
	"ordinal" bigint GENERATED ALWAYS AS IDENTITY (sequence name "runtime_commands_ordinal_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"organization_id" uuid NOT NULL,
	"instance_id" uuid NOT NULL,
	"run_id" uuid NOT NULL,
	"kind" "runtime_command_kind" NOT NULL,
	"payload" jsonb NOT NULL,
	"created_at" timestamp(3) with time zone NOT NULL,
	"completed_at" timestamp(3) with time zone,
	"outcome" text,
	"message" text
);
--> statement-breakpoint
CREATE TABLE "runtime_logs" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "runtime_logs_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"organization_id" uuid NOT NULL,
	"instance_id" uuid NOT NULL,
	"run_id" uuid NOT NULL,
	"at" timestamp(3) with time zone NOT NULL,
	"level" "log_level" NOT NULL,
	"text" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "solution_versions" (
	"id" uuid PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"solution_id" uuid NOT NULL,
	"version" text NOT NULL,
	"ordinal" integer NOT NULL,
	"definition" jsonb NOT NULL,
	"published_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	CONSTRAINT "solution_versions_version" UNIQUE("solution_id","version"),
	CONSTRAINT "solution_versions_ordinal" UNIQUE("solution_id","ordinal")
);
--> statement-breakpoint
CREATE TABLE "solutions" (
	"id" uuid PRIMARY KEY,
	"organization_id" uuid NOT NULL,
	"key" text NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"updated_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"archived_at" timestamp(3) with time zone,
	"definition" jsonb,
	CONSTRAINT "solutions_key" UNIQUE("organization_id","key")
);
--> statement-breakpoint
CREATE TABLE "store_identity" (
	"id" integer PRIMARY KEY,
	"epoch" uuid NOT NULL,
	"cursor_secret" text NOT NULL,
	"created_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "work" (
	"resource_id" uuid,
	"kind" "work_kind",
	"organization_id" uuid NOT NULL,
	"resource_kind" "resource_kind" NOT NULL,
	"operation_id" uuid,
	"run_id" uuid,
	"sequence" integer NOT NULL,
	"due_at" timestamp with time zone NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"first_cause" jsonb,
	"worker" bigint,
	"token" bigint,
	CONSTRAINT "work_pkey" PRIMARY KEY("resource_id","kind")
);
--> statement-breakpoint
CREATE TABLE "workers" (
	"epoch" bigint PRIMARY KEY,
	"name" text NOT NULL,
	"beat" bigint DEFAULT 0 NOT NULL,
	"dead" boolean DEFAULT false NOT NULL,
	"started_at" timestamp(3) with time zone DEFAULT clock_timestamp() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "access_keys_run" ON "access_keys" ("run_id");--> statement-breakpoint
CREATE INDEX "hosts_list" ON "hosts" ("organization_id","created_at","id");--> statement-breakpoint
CREATE INDEX "instances_list" ON "instances" ("organization_id","created_at","id");--> statement-breakpoint
CREATE INDEX "instances_host" ON "instances" ("host_id");--> statement-breakpoint
CREATE UNIQUE INDEX "instances_device_repository" ON "instances" ("device_repository_id") WHERE archived_at is null;--> statement-breakpoint
CREATE INDEX "instances_silent" ON "instances" ("last_seen_at") WHERE reachability = 'OK' and state in ('RUNNING', 'PAUSED');--> statement-breakpoint
CREATE UNIQUE INDEX "log_history" ON "log" ("resource_id","sequence") WHERE kind = 'TRANSITION';--> statement-breakpoint
CREATE INDEX "log_organization" ON "log" ("organization_id","revision");--> statement-breakpoint
CREATE UNIQUE INDEX "metering_intervals_open" ON "metering_intervals" ("resource_id") WHERE closed_at is null;--> statement-breakpoint
CREATE INDEX "metering_intervals_resource" ON "metering_intervals" ("resource_id","opened_at");--> statement-breakpoint
CREATE UNIQUE INDEX "operations_active_instance" ON "operations" ("instance_id") WHERE status in ('QUEUED', 'RUNNING');--> statement-breakpoint
CREATE UNIQUE INDEX "operations_active_host" ON "operations" ("host_id") WHERE status in ('QUEUED', 'RUNNING');--> statement-breakpoint
CREATE INDEX "operations_list" ON "operations" ("organization_id","created_at","id");--> statement-breakpoint
CREATE INDEX "operations_instance" ON "operations" ("instance_id","created_at");--> statement-breakpoint
CREATE INDEX "operations_host" ON "operations" ("host_id","created_at");--> statement-breakpoint
CREATE INDEX "operations_parent" ON "operations" ("parent_id");--> statement-breakpoint
CREATE INDEX "runs_instance" ON "runs" ("instance_id","started_at");--> statement-breakpoint
CREATE INDEX "runtime_commands_run" ON "runtime_commands" ("run_id","ordinal");--> statement-breakpoint
CREATE INDEX "runtime_logs_instance" ON "runtime_logs" ("instance_id","id");--> statement-breakpoint
CREATE INDEX "work_due" ON "work" ("due_at") WHERE worker is null;--> statement-breakpoint
CREATE INDEX "work_worker" ON "work" ("worker") WHERE worker is not null;--> statement-breakpoint
ALTER TABLE "access_keys" ADD CONSTRAINT "access_keys_organization_id_organizations_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id");--> statement-breakpoint
ALTER TABLE "billing_subscriptions" ADD CONSTRAINT "billing_subscriptions_organization_id_organizations_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id");--> statement-breakpoint
ALTER TABLE "container_repositories" ADD CONSTRAINT "container_repositories_organization_id_organizations_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id");--> statement-breakpoint
ALTER TABLE "container_tags" ADD CONSTRAINT "container_tags_repository_id_container_repositories_id_fkey" FOREIGN KEY ("repository_id") REFERENCES "container_repositories"("id");--> statement-breakpoint
ALTER TABLE "device_repositories" ADD CONSTRAINT "device_repositories_organization_id_organizations_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id");--> statement-breakpoint
ALTER TABLE "device_values" ADD CONSTRAINT "device_values_device_repository_id_device_repositories_id_fkey" FOREIGN KEY ("device_repository_id") REFERENCES "device_repositories"("id");--> statement-breakpoint
ALTER TABLE "hosts" ADD CONSTRAINT "hosts_organization_id_organizations_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id");--> statement-breakpoint
ALTER TABLE "hosts" ADD CONSTRAINT "hosts_subscription_id_billing_subscriptions_id_fkey" FOREIGN KEY ("subscription_id") REFERENCES "billing_subscriptions"("id");--> statement-breakpoint
ALTER TABLE "hosts" ADD CONSTRAINT "hosts_edge" FOREIGN KEY ("previous_state","state") REFERENCES "host_edges"("from_state","to_state");--> statement-breakpoint
ALTER TABLE "instances" ADD CONSTRAINT "instances_organization_id_organizations_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id");--> statement-breakpoint
ALTER TABLE "instances" ADD CONSTRAINT "instances_solution_id_solutions_id_fkey" FOREIGN KEY ("solution_id") REFERENCES "solutions"("id");--> statement-breakpoint
ALTER TABLE "instances" ADD CONSTRAINT "instances_solution_version_id_solution_versions_id_fkey" FOREIGN KEY ("solution_version_id") REFERENCES "solution_versions"("id");--> statement-breakpoint
ALTER TABLE "instances" ADD CONSTRAINT "instances_subscription_id_billing_subscriptions_id_fkey" FOREIGN KEY ("subscription_id") REFERENCES "billing_subscriptions"("id");--> statement-breakpoint
ALTER TABLE "instances" ADD CONSTRAINT "instances_device_repository_id_device_repositories_id_fkey" FOREIGN KEY ("device_repository_id") REFERENCES "device_repositories"("id");--> statement-breakpoint
ALTER TABLE "instances" ADD CONSTRAINT "instances_host_id_hosts_id_fkey" FOREIGN KEY ("host_id") REFERENCES "hosts"("id");--> statement-breakpoint
ALTER TABLE "instances" ADD CONSTRAINT "instances_d5zqazvp4zQU_fkey" FOREIGN KEY ("container_repository_id") REFERENCES "container_repositories"("id");--> statement-breakpoint
ALTER TABLE "instances" ADD CONSTRAINT "instances_edge" FOREIGN KEY ("previous_state","state") REFERENCES "instance_edges"("from_state","to_state");--> statement-breakpoint
ALTER TABLE "instances" ADD CONSTRAINT "instances_host_up" FOREIGN KEY ("live_host_id","live_up") REFERENCES "hosts"("id","up");--> statement-breakpoint
ALTER TABLE "log" ADD CONSTRAINT "log_instance_edge" FOREIGN KEY ("instance_from","instance_to") REFERENCES "instance_edges"("from_state","to_state");--> statement-breakpoint
ALTER TABLE "log" ADD CONSTRAINT "log_host_edge" FOREIGN KEY ("host_from","host_to") REFERENCES "host_edges"("from_state","to_state");--> statement-breakpoint
ALTER TABLE "operations" ADD CONSTRAINT "operations_instance_id_instances_id_fkey" FOREIGN KEY ("instance_id") REFERENCES "instances"("id");--> statement-breakpoint
ALTER TABLE "operations" ADD CONSTRAINT "operations_host_id_hosts_id_fkey" FOREIGN KEY ("host_id") REFERENCES "hosts"("id");--> statement-breakpoint
ALTER TABLE "runs" ADD CONSTRAINT "runs_instance_id_instances_id_fkey" FOREIGN KEY ("instance_id") REFERENCES "instances"("id");--> statement-breakpoint
ALTER TABLE "runs" ADD CONSTRAINT "runs_solution_version_id_solution_versions_id_fkey" FOREIGN KEY ("solution_version_id") REFERENCES "solution_versions"("id");--> statement-breakpoint
ALTER TABLE "solution_versions" ADD CONSTRAINT "solution_versions_solution_id_solutions_id_fkey" FOREIGN KEY ("solution_id") REFERENCES "solutions"("id");--> statement-breakpoint
ALTER TABLE "solutions" ADD CONSTRAINT "solutions_organization_id_organizations_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id");