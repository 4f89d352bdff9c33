//! What an export says, list by list.
//!
//! Never a secret, nor what one is kept as.

/// One list: `$1` is the user, `$2` where the page before ended (null at the beginning), `$3` how many rows. Each row is its
/// place and what is said of it, in the order of the places.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// The one row of `$1`.
pub(super) const ACCOUNT: &str = "select jsonb_build_object('id', id, 'email', email, 'name', name,
        'created_at', created_at, 'password_changed_at', password_changed_at, 'erase_after', erase_after)
     from users where id = $1";

/// Rows that are the user's by a column, in the order of their ids.
macro_rules! by_id {
    ($from:literal, $id:literal, $($said:expr),+) => {
        concat!(
            "select ", $id, "::text as place, ", $($said,)+ " from ", $from, " and ($2::text is null or ", $id, " > $2::uuid)
             order by ", $id, " limit $3"
        )
    };
}

/// Tasks of the projects that the user is in, project by project. Of each project as many are looked at as a page has, so
/// that a page costs the same however large a project is.
macro_rules! of_tasks {
    ($among:literal, $where:literal) => {
        concat!(
            "select found.project_id || '/' || found.id as place,
                    case when ",
            $where,
            " then jsonb_build_object('id', found.id, 'project_id', found.project_id, 'parent_id',
                        (select parent_id from subtasks where subtasks.task_id = found.id), 'title', title,
                        'description', description, 'status', status, 'priority', priority, 'due_at', due_at,
                        'assignee_ids', assignee_ids,
                        'labels', (select coalesce(jsonb_agg(name order by name), '[]') from labels
                                   where labels.project_id = found.project_id and labels.id = any(found.label_ids)),
                        'created_at', found.created_at, 'updated_at', found.updated_at) end
             from memberships cross join lateral (
                select * from tasks
                where tasks.project_id = memberships.project_id
                  and tasks.id > case when memberships.project_id = split_part($2, '/', 1)::uuid
                                 then split_part($2, '/', 2)::uuid else '00000000-0000-0000-0000-000000000000' end
                order by tasks.id limit $3
             ) as found
             where memberships.user_id = $1 and ",
            $among,
            " and ($2::text is null or memberships.project_id >= split_part($2, '/', 1)::uuid)
             order by memberships.project_id, found.id limit $3"
        )
    };
}

pub(super) const SECTIONS: &[Section] = &[
    Section {
        name: "sessions",
        sql: by_id!(
            "sessions where user_id = $1",
            "id",
            "jsonb_build_object('user_agent', user_agent, 'created_at', created_at, 'last_used_at', last_used_at,
                                'expires_at', expires_at)"
        ),
    },
    Section {
        name: "api_tokens",
        sql: by_id!(
            "api_tokens where user_id = $1",
            "id",
            "jsonb_build_object('name', name, 'scopes', scopes, 'created_at', created_at, 'last_used_at', last_used_at,
                                'expires_at', expires_at)"
        ),
    },
    Section {
        name: "projects",
        sql: by_id!(
            "memberships join projects on projects.id = memberships.project_id where memberships.user_id = $1",
            "memberships.project_id",
            "jsonb_build_object('id', projects.id, 'name', projects.name, 'description', projects.description,
                                'role', memberships.role, 'since', memberships.created_at)"
        ),
    },
    Section {
        name: "labels",
        sql: by_id!(
            "memberships join labels on labels.project_id = memberships.project_id
             where memberships.user_id = $1 and memberships.role = 'owner'",
            "labels.id",
            "jsonb_build_object('project_id', labels.project_id, 'name', name, 'colour', colour,
                                'created_at', labels.created_at)"
        ),
    },
    Section {
        name: "tasks",
        sql: of_tasks!("memberships.role = 'owner'", "true"),
    },
    Section {
        name: "assigned_tasks",
        sql: of_tasks!("true", "$1 = any(assignee_ids)"),
    },
    Section {
        name: "comments",
        sql: by_id!(
            "comments where author_id = $1",
            "id",
            "jsonb_build_object('task_id', task_id, 'body', body, 'created_at', created_at, 'updated_at', updated_at)"
        ),
    },
    Section {
        name: "attachments",
        sql: by_id!(
            "attachments where author_id = $1",
            "id",
            "jsonb_build_object('task_id', task_id, 'name', name, 'content_type', content_type, 'size', size,
                                'created_at', created_at)"
        ),
    },
    Section {
        name: "invitations",
        sql: by_id!(
            "memberships join invitations on invitations.project_id = memberships.project_id
             where memberships.user_id = $1 and invitations.invited_by = $1",
            "invitations.id",
            "jsonb_build_object('project_id', invitations.project_id, 'role', invitations.role,
                                'created_at', invitations.created_at, 'expires_at', expires_at)"
        ),
    },
    Section {
        name: "webhooks",
        sql: by_id!(
            "memberships join webhooks on webhooks.project_id = memberships.project_id
             where memberships.user_id = $1 and memberships.role = 'owner'",
            "webhooks.id",
            "jsonb_build_object('project_id', webhooks.project_id, 'url', url, 'actions', actions, 'state', state,
                                'created_at', webhooks.created_at)"
        ),
    },
    Section {
        name: "saved_filters",
        sql: by_id!(
            "saved_filters where user_id = $1",
            "id",
            "jsonb_build_object('project_id', project_id, 'name', name, 'filter', filter, 'created_at', created_at)"
        ),
    },
    Section {
        name: "reminders",
        sql: by_id!(
            "reminders where user_id = $1",
            "id",
            "jsonb_build_object('task_id', task_id, 'at', at, 'minutes_before_due', minutes_before_due,
                                'delivered_at', delivered_at, 'created_at', created_at)"
        ),
    },
    Section {
        name: "notifications",
        sql: "select created_at || '/' || id as place,
                     jsonb_build_object('task_id', task_id, 'remind_at', remind_at, 'read_at', read_at,
                                        'created_at', created_at)
              from notifications
              where user_id = $1
                and ($2::text is null
                     or (created_at, id) > (split_part($2, '/', 1)::timestamptz, split_part($2, '/', 2)::uuid))
              order by created_at, id limit $3",
    },
    Section {
        name: "activity",
        sql: "select id::text as place,
                     jsonb_build_object('at', at, 'action', action, 'project_id', project_id, 'target_id', target_id,
                                        'before', before, 'after', after)
              from events where actor_id = $1 and ($2::text is null or id > $2::bigint)
              order by id limit $3",
    },
];
