-- no-transaction
-- tt: phase=expand
-- The tasks of a project in the order of their due dates, those without one last. The expression is that of `task/list.rs`. A
-- change of anything else stays within its page, as before.
create index concurrently tasks_due on tasks (project_id, (coalesce(due_at, 'infinity')), id);
