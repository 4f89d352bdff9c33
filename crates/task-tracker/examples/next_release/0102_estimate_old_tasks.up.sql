-- tt: phase=backfill batch=500
update tasks set estimate_minutes = 30 where estimate_minutes is null;
