//! The statements of an erasure. `$1` is the user, `$2` the lease and `$3` how many rows at once.

/// Takes up one user whose time has come, under the lease `$1`. The row of the user is locked until that is written down, so
/// that nobody takes the erasure back meanwhile.
pub(super) const CLAIM: &str = "with due as (
        select users.id from users left join erasures on erasures.user_id = users.id
        where users.erase_after <= now() and (erasures.user_id is null or erasures.leased_until <= now())
        order by users.erase_after limit 1 for update of users skip locked
     )
     insert into erasures (user_id, pseudonym, lease, leased_until)
     select id, gen_random_uuid(), $1, now() + interval '5 minutes' from due
     on conflict (user_id) do update set lease = excluded.lease, leased_until = excluded.leased_until
     returning user_id";

/// Holds on to the lease, and lets the trigger of events know what is going on. Without the lease `mine` is empty, and so is
/// everything that follows.
macro_rules! mine {
    () => {
        "with mine as (
            update erasures set leased_until = now() + interval '5 minutes'
            where user_id = $1 and lease = $2
            returning user_id, pseudonym, $3::bigint as most, set_config('task_tracker.curating', 'on', true)
         )"
    };
}

pub(super) use mine;

/// A step that ends in the rows of a CTE.
macro_rules! counted {
    ($($cte:expr),+ ; $counted:literal) => {
        concat!(mine!(), $($cte,)+ " select count(*) from ", $counted)
    };
}

/// Before or after of an event, without what names the user.
macro_rules! nameless {
    ($column:literal) => {
        concat!(
            "replace((case when events.target_id = $1 then events.",
            $column,
            " - 'name' else events.",
            $column,
            " end)::text, mine.user_id::text, mine.pseudonym::text)::jsonb"
        )
    };
}

pub(super) use nameless;

/// Of a project that nobody has come into since it was found to be nobody else's.
macro_rules! goes {
    () => {
        "listed.user_id = $1 and listed.goes
         and not exists (select from memberships where memberships.project_id = listed.project_id)"
    };
}

/// What the user made in others' projects is nobody's from now on. It lists these: there may be some of which nothing else is known.
macro_rules! authored {
    ($table:literal) => {
        counted!(
            ", old as materialized (
                select made.id, tasks.project_id from mine join ",
            $table,
            " as made on made.author_id = $1 join tasks on tasks.id = made.task_id limit $3
             ), listed as (
                insert into erasure_projects (user_id, project_id, goes)
                select distinct mine.user_id, project_id, false from old, mine
                on conflict on constraint erasure_projects_once do nothing
             ), freed as (
                update ",
            $table,
            " as made set author_id = null from old where made.id = old.id returning 1
             )";
            "freed"
        )
    };
}

/// Each until it has less to do than it might.
pub(super) const STEPS: &[&str] = &[
    DETACH,
    OWN_EVENTS,
    // What is large in a project goes bit by bit, and the rest with it.
    counted!(
        ", old as (
            select webhook_deliveries.id from mine cross join erasure_projects as listed
            join webhooks on webhooks.project_id = listed.project_id
            join webhook_deliveries on webhook_deliveries.webhook_id = webhooks.id
            where ",
        goes!(),
        " limit $3
         ), gone as (
            delete from webhook_deliveries using old where webhook_deliveries.id = old.id returning 1
         )";
        "gone"
    ),
    // Comments of a task may be many, so tasks wait until what is left of those is no more than goes along with them.
    counted!(
        ", batch as materialized (
            select tasks.id from mine cross join erasure_projects as listed
            join tasks on tasks.project_id = listed.project_id
            where ",
        goes!(),
        " limit $3
         ), remarks as materialized (
            select comments.id from batch join comments on comments.task_id = batch.id limit 2 * $3
         ), unsaid as (
            delete from comments using remarks where comments.id = remarks.id
         ), gone as (
            delete from tasks using batch where tasks.id = batch.id and (select count(*) from remarks) < 2 * $3
         ), met as (
            select id from batch union all select id from remarks
         )";
        "met"
    ),
    counted!(
        ", old as (
            select projects.id from mine cross join erasure_projects as listed
            join projects on projects.id = listed.project_id
            where ",
        goes!(),
        " limit $3
         ), gone as (delete from projects using old where projects.id = old.id returning 1)";
        "gone"
    ),
    authored!("comments"),
    authored!("attachments"),
    // What is left to be done for a project that this user was put out of, and what of it says who did it.
    counted!(
        ", gone as (delete from leftovers using mine where leftovers.subject_id = mine.user_id returning 1)";
        "gone"
    ),
    counted!(
        ", unnamed as (
            update leftovers set actor_id = mine.pseudonym from mine where leftovers.actor_id = mine.user_id returning 1
         )";
        "unnamed"
    ),
    counted!(
        ", old as (select id from webhooks, mine where created_by = $1 limit $3),
         freed as (
            update webhooks set created_by = mine.pseudonym from old, mine where webhooks.id = old.id returning 1
         )";
        "freed"
    ),
    // Filters that others have go on, and find nobody.
    counted!(
        ", naming as (
            select saved_filters.id from mine cross join erasure_projects as listed
            join saved_filters on saved_filters.project_id = listed.project_id
            where listed.user_id = $1 and saved_filters.filter::text like '%' || $1 || '%' limit $3
         ), freed as (
            update saved_filters
            set filter = replace(filter::text, mine.user_id::text, mine.pseudonym::text)::jsonb, version = version + 1,
                updated_at = now()
            from naming, mine where saved_filters.id = naming.id returning 1
         )";
        "freed"
    ),
    // The rest would go with the row of the user, all at once.
    counted!(
        ", old as (select operation, key from idempotency_keys, mine where idempotency_keys.user_id = $1 limit $3),
         gone as (
            delete from idempotency_keys as kept using old
            where kept.user_id = $1 and kept.operation = old.operation and kept.key = old.key returning 1
         )";
        "gone"
    ),
    counted!(
        ", old as (select id from notifications, mine where notifications.user_id = $1 limit $3),
         gone as (delete from notifications using old where notifications.id = old.id returning 1)";
        "gone"
    ),
    counted!(
        ", old as (select id from reminders, mine where reminders.user_id = $1 limit $3),
         gone as (delete from reminders using old where reminders.id = old.id returning 1)";
        "gone"
    ),
];

/// Writes down where the user may be named, and takes the user out of all projects. One keeps an owner: the editor, or else
/// the viewer, who has been there longest. What is taken away here leaves a trace in `past_members`, so a second time finds
/// the same.
const DETACH: &str = counted!(
    ", known as (
        select project_id from memberships where user_id = $1
        union select project_id from past_members where user_id = $1
     ), listed as (
        insert into erasure_projects (user_id, project_id, goes)
        select mine.user_id, known.project_id,
               exists (select from memberships where project_id = known.project_id and memberships.user_id = $1)
               and not exists (select from memberships where project_id = known.project_id and memberships.user_id <> $1)
        from known, mine
        on conflict on constraint erasure_projects_once do nothing
     ), orphaned as (
        select project_id from memberships join mine on memberships.user_id = mine.user_id
        where role = 'owner' and not exists (
            select from memberships as others
            where others.project_id = memberships.project_id and others.role = 'owner' and others.user_id <> $1)
     ), heirs as (
        select distinct on (memberships.project_id) memberships.project_id, memberships.user_id
        from memberships join orphaned on orphaned.project_id = memberships.project_id
        where memberships.user_id <> $1
        order by memberships.project_id, memberships.role, memberships.created_at
     ), inherited as (
        update memberships set role = 'owner', version = version + 1, updated_at = now() from heirs
        where memberships.project_id = heirs.project_id and memberships.user_id = heirs.user_id
     ), uninvited as (
        delete from invitations using mine where invitations.invited_by = mine.user_id
     ), left_behind as (
        delete from memberships using mine where memberships.user_id = mine.user_id
     ), done as (select where false)";
    "done"
);

/// What the user did loses its words where nobody else was, or is left, to read them. A batch is not met again, since it has
/// another actor then.
const OWN_EVENTS: &str = counted!(
    ", picked as materialized (
        select events.id, events.project_id,
               not exists (select from projects where projects.id = events.project_id)
               -- It is deleted, and has not been cleared away yet.
               or exists (select from leftovers where leftovers.project_id = events.project_id and what = 'project')
               or exists (select from erasure_projects as listed
                          where listed.user_id = $1 and listed.project_id = events.project_id and listed.goes) as is_private
        from events where events.actor_id = $1 order by events.id limit $3
     ), listed as (
        insert into erasure_projects (user_id, project_id, goes)
        select distinct mine.user_id, project_id, false from picked, mine where project_id is not null
        on conflict on constraint erasure_projects_once do nothing
     ), told as (
        update events
        set actor_id = mine.pseudonym,
            target_id = case events.target_id when $1 then mine.pseudonym else events.target_id end,
            before = case when not picked.is_private then ",
    nameless!("before"),
    " end,
            after = case when not picked.is_private then ",
    nameless!("after"),
    " end
        from picked, mine where events.id = picked.id
     )";
    "picked, mine"
);

/// The end: the user, with whatever still belongs to the row, and a word of it in the record.
pub(super) const FORGET: &str = counted!(
    ", unthrottled as (
        delete from throttles using mine
        where key in ('writes/' || mine.user_id, 'password/' || mine.user_id)
     ), recorded as (
        insert into events (action, target_id) select 'account.erased', pseudonym from mine
     ), gone as (
        delete from users using mine where users.id = mine.user_id returning 1
     )";
    "gone"
);
