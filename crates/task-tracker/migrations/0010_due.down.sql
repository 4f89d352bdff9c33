-- no-transaction
-- tt: phase=expand
drop index concurrently tasks_due;
