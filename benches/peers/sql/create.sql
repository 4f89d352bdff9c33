with made as (
  insert into tasks (id, project_id, title, description, status, priority, due_at, rank, assignee_ids, label_ids)
  select $4, memberships.project_id, $6, $7, $8, $9, $10, $11, $12, $13 from memberships
  where memberships.project_id = $5 and memberships.user_id = $1 and memberships.role in ('owner', 'editor')
    and ($12::uuid[] is null or cardinality($12) = (
    select count(*) from memberships as assigned
    where assigned.project_id = $5 and assigned.user_id = any($12)))
  and ($13::uuid[] is null or cardinality($13) = (
    select count(*) from labels where labels.project_id = $5 and labels.id = any($13)))
  returning *
), recorded as (
  insert into events (actor_id, token_id, action, request_id, project_id, target_id, after)
  select $1, $2, 'task.created', $3, project_id, id, to_jsonb(made) from made
)
select id, project_id, title, description, status, priority, due_at,
       coalesce(rank, 'a' || replace(id::text, '-', '') || 'V') as rank,
       assignee_ids, label_ids, null::uuid as parent_id, 0::bigint as parts_total, 0::bigint as parts_done,
       version, created_at, updated_at
from made
