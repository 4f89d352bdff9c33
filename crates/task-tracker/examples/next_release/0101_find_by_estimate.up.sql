-- no-transaction
-- tt: phase=expand
create index concurrently tasks_project_id_estimate on tasks (project_id, estimate_minutes);
