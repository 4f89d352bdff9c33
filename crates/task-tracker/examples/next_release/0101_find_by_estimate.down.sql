-- no-transaction
-- tt: phase=expand
drop index concurrently tasks_project_id_estimate;
