-- no-transaction
-- tt: phase=expand
-- The tasks of a project in the order of their priorities. The expression is that of `task/list.rs`.
create index concurrently tasks_urgency on tasks (
    project_id, (array_position(array['urgent', 'high', 'medium', 'low', 'none'], priority)), id
);
