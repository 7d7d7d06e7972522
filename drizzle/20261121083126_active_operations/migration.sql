DROP INDEX "operations_active_instance";--> statement-breakpoint
CREATE UNIQUE INDEX "operations_active_instance" ON "operations" ("instance_id") WHERE status in ('QUEUED', 'RUNNING') and instance_id is not null;--> statement-breakpoint
DROP INDEX "operations_active_host";--> statement-breakpoint
CREATE UNIQUE INDEX "operations_active_host" ON "operations" ("host_id") WHERE status in ('QUEUED', 'RUNNING') and host_id is not null;