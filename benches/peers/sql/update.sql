with old as (
  select tasks.* from tasks join memberships on memberships.project_id = tasks.project_id
  where tasks.id = $4 and memberships.user_id = $1 and memberships.role in ('owner', 'editor')
    and ($5::bigint[] is null or tasks.version = any($5))
    and ($12::uuid[] is null or cardinality($12) = (
    select count(*) from memberships as assigned
    where assigned.project_id = tasks.project_id and assigned.user_id = any($12)))
  and ($13::uuid[] is null or cardinality($13) = (
    select count(*) from labels where labels.project_id = tasks.project_id and labels.id = any($13)))
  for update of tasks
), changed as (
  update tasks
  set title = coalesce($6, tasks.title), description = coalesce($7, tasks.description),
      status = coalesce($8, tasks.status), priority = coalesce($9, tasks.priority),
      due_at = case when $10 then $11 else tasks.due_at end,
      assignee_ids = coalesce($12, tasks.assignee_ids), label_ids = coalesce($13, tasks.label_ids),
      version = tasks.version + 1, updated_at = now()
  from old where tasks.id = old.id
  returning tasks.*
), recorded as (
  insert into events (actor_id, token_id, action, request_id, project_id, target_id, before, after)
  select $1, $2, 'task.changed', $3, changed.project_id, changed.id,
         (select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(old))
          where value is distinct from to_jsonb(changed) -> key),
         (select jsonb_object_agg(key, value) from jsonb_each(to_jsonb(changed))
          where value is distinct from to_jsonb(old) -> key)
  from old join changed on changed.id = old.id
)
select id, changed.project_id, title, description, status, priority, due_at,
       coalesce(rank, 'a' || replace(id::text, '-', '') || 'V') as rank,
       assignee_ids, label_ids, place.parent_id, parts.total as parts_total, parts.done as parts_done,
       version, created_at, updated_at
from changed
left join subtasks as place on place.task_id = changed.id
cross join lateral (
  select count(*) as total, count(*) filter (where part.status = 'done') as done
  from subtasks as link join tasks as part on part.id = link.task_id where link.parent_id = changed.id
) as parts
