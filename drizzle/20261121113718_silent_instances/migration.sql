DROP INDEX "instances_silent";--> statement-breakpoint
CREATE INDEX "instances_silent" ON "instances" ("last_seen_at") WHERE reachability = 'OK' and live_up;