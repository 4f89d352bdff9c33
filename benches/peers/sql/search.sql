select id, project_id, title, description, status, priority, due_at,
       coalesce(rank, 'a' || replace(id::text, '-', '') || 'V') as rank,
       assignee_ids, label_ids, version, created_at, updated_at
from tasks
where project_id = $1::uuid
  and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $2)
  and id > $3
  and (array_to_tsvector(array['in ' || project_id::text]) || to_tsvector('simple', title || ' ' || description))
      @@ (websearch_to_tsquery('simple', $5) && ('''in ' || $1::text || '''')::tsquery)
  and numnode(websearch_to_tsquery('simple', $5)) > 0
order by id limit $4
