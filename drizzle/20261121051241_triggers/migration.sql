-- A state change without sequence + 1 is refused, and so is a sequence without a state change.
-- The row remembers the state it left: together with the state it must be an edge (foreign key).
CREATE FUNCTION guard_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state IS DISTINCT FROM OLD.state THEN
    IF NEW.sequence <> OLD.sequence + 1 THEN
      RAISE EXCEPTION 'state of % % changes without the next sequence', TG_TABLE_NAME, OLD.id
        USING ERRCODE = 'check_violation';
    END IF;
    NEW.previous_state := OLD.state;
  ELSIF NEW.sequence <> OLD.sequence OR NEW.previous_state IS DISTINCT FROM OLD.previous_state THEN
    RAISE EXCEPTION 'sequence of % % changes without its state', TG_TABLE_NAME, OLD.id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER instances_transition BEFORE UPDATE ON instances
  FOR EACH ROW EXECUTE FUNCTION guard_transition();
--> statement-breakpoint
CREATE TRIGGER hosts_transition BEFORE UPDATE ON hosts
  FOR EACH ROW EXECUTE FUNCTION guard_transition();
--> statement-breakpoint
-- A row of the log that is a transition must go on from the one before it.
CREATE FUNCTION guard_history() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  before_state text;
BEGIN
  SELECT coalesce(instance_to::text, host_to::text) INTO before_state FROM log
    WHERE resource_id = NEW.resource_id AND sequence = NEW.sequence - 1 AND kind = 'TRANSITION';
  IF coalesce(before_state, CASE WHEN NEW.sequence = 1 THEN 'OFFLINE' END)
     IS DISTINCT FROM coalesce(NEW.instance_from::text, NEW.host_from::text)
     AND (before_state IS NOT NULL OR NEW.sequence = 1) THEN
    RAISE EXCEPTION 'history of % has a hole before sequence %', NEW.resource_id, NEW.sequence
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE TRIGGER log_history BEFORE INSERT ON log
  FOR EACH ROW WHEN (NEW.kind = 'TRANSITION') EXECUTE FUNCTION guard_history();
