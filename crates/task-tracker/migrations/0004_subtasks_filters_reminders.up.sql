-- tt: phase=expand
-- New tables, and a trigger that does nothing until one of them has rows: the release before neither reads nor misses them.

-- Which task stands below which. A table of its own, because a column of tasks would want an index on all of them.
create table subtasks (
    task_id    uuid not null primary key references tasks (id) on delete cascade,
    parent_id  uuid not null references tasks (id) on delete cascade,
    project_id uuid not null references projects (id) on delete cascade
);
create index subtasks_parent_id on subtasks (parent_id);
create index subtasks_project_id on subtasks (project_id);

-- Two moves that are fine each by itself can make a circle together, so whoever changes a project's tree waits for who is
-- at it; and what is looked at after the wait is what that one left (PostgreSQL manual, 38.7: a volatile function sees
-- what was committed before each of its queries).
create function subtasks_are_a_tree() returns trigger language plpgsql as $$
declare
    above  integer;
    below  integer;
    circle boolean;
begin
    -- So few numbers that a statement about many projects does not fill the table of locks.
    perform pg_advisory_xact_lock(1953653876, hashtext(new.project_id::text) & 255);
    with recursive chain (id, level) as (
        select new.parent_id, 1
        union all
        select subtasks.parent_id, chain.level + 1 from chain join subtasks on subtasks.task_id = chain.id
        where chain.id <> new.task_id and chain.level < 10
    )
    select max(level), bool_or(id = new.task_id) into above, circle from chain;
    if circle then
        raise exception 'a task does not stand below itself'
            using errcode = 'check_violation', constraint = 'subtasks_no_circle';
    end if;
    if (select count(*) from tasks where id in (new.task_id, new.parent_id) and project_id = new.project_id) <> 2 then
        raise exception 'a subtask and what it stands below are of one project'
            using errcode = 'check_violation', constraint = 'subtasks_one_project';
    end if;
    with recursive tree (id, level) as (
        select new.task_id, 0
        union all
        select subtasks.task_id, tree.level + 1 from tree join subtasks on subtasks.parent_id = tree.id
        where tree.level < 10
    )
    select max(level) into below from tree;
    if above + below > 4 then
        raise exception 'tasks stand five deep at most'
            using errcode = 'check_violation', constraint = 'subtasks_not_too_deep';
    end if;
    if (select count(*) from subtasks where parent_id = new.parent_id and task_id <> new.task_id) >= 100 then
        raise exception 'a task has a hundred subtasks at most'
            using errcode = 'check_violation', constraint = 'subtasks_not_too_many';
    end if;
    return new;
end
$$;
create trigger subtasks_are_a_tree before insert or update on subtasks
    for each row execute function subtasks_are_a_tree();

create table saved_filters (
    id         uuid        not null primary key,
    project_id uuid        not null references projects (id) on delete cascade,
    -- Whose alone it is; null: every member's.
    user_id    uuid        references users (id) on delete cascade,
    name       text        not null constraint saved_filters_name_length check (char_length(name) between 1 and 200),
    -- The parameters of the list of tasks.
    filter     jsonb       not null,
    version    bigint      not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index saved_filters_project_id_id on saved_filters (project_id, id);
create index saved_filters_user_id on saved_filters (user_id);

create table reminders (
    id                 uuid        not null primary key,
    task_id            uuid        not null references tasks (id) on delete cascade,
    user_id            uuid        not null references users (id) on delete cascade,
    -- One of the two.
    at                 timestamptz,
    minutes_before_due bigint,
    -- When it is to be delivered; null: it was, or its task has no due date.
    fires_at           timestamptz,
    delivered_at       timestamptz,
    created_at         timestamptz not null default now(),
    constraint reminders_at_some_time check (num_nonnulls(at, minutes_before_due) = 1)
);
create index reminders_task_id_id on reminders (task_id, id);
create index reminders_user_id on reminders (user_id);
create index reminders_fires_at on reminders (fires_at) where fires_at is not null;

-- Before the year 1 there are no dates that clients can read.
create function moment_before(due timestamptz, minutes bigint) returns timestamptz language sql stable as $$
    select case when due is not null
        then greatest(due - make_interval(mins => minutes::integer), timestamptz '0001-01-01 00:00:00+00')
    end
$$;

-- Whichever release moves a due date, the reminders before it move along. One that was delivered is delivered again only
-- when its new moment is yet to come.
create function reminders_follow_the_due_date() returns trigger language plpgsql as $$
begin
    update reminders
    set fires_at = case
            when fires_at is not null or delivered_at is null or moment_before(new.due_at, minutes_before_due) > now()
            then moment_before(new.due_at, minutes_before_due)
        end
    where task_id = new.id and minutes_before_due is not null;
    return null;
end
$$;
create trigger reminders_follow_the_due_date after update of due_at on tasks
    for each row when (old.due_at is distinct from new.due_at) execute function reminders_follow_the_due_date();

-- What a user is told. One row for a reminder and its moment, however often it is delivered.
create table notifications (
    id          uuid        not null primary key,
    user_id     uuid        not null references users (id) on delete cascade,
    task_id     uuid        not null references tasks (id) on delete cascade,
    reminder_id uuid        not null,
    remind_at   timestamptz not null,
    read_at     timestamptz,
    created_at  timestamptz not null default now(),
    constraint notifications_once unique (reminder_id, remind_at)
);
create index notifications_user_id on notifications (user_id, created_at, id);
create index notifications_task_id on notifications (task_id);
create index notifications_created_at on notifications (created_at);
