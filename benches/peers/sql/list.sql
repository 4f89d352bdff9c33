select id, tasks.project_id, title, description, status, priority, due_at,
       coalesce(rank, 'a' || replace(id::text, '-', '') || 'V') as rank,
       assignee_ids, label_ids, place.parent_id, parts.total as parts_total, parts.done as parts_done,
       version, created_at, updated_at
from tasks
left join subtasks as place on place.task_id = tasks.id
cross join lateral (
  select count(*) as total, count(*) filter (where part.status = 'done') as done
  from subtasks as link join tasks as part on part.id = link.task_id where link.parent_id = tasks.id
) as parts
where tasks.project_id = $1
  and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $2)
  and id > $3
order by id limit $4
