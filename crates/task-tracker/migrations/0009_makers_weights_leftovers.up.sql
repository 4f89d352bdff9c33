-- tt: phase=expand
-- tt-waive: ban-replace-view-function the trigger stays as it is; both releases are told of the same events, but for invitations where no owner answers
-- A nullable column, new tables, and triggers that look into small indexes: the release before neither reads nor misses them.

-- Who answers for it. Nobody knows of one that the release before made; the nil UUID: nobody ever will.
alter table webhooks add column created_by uuid;

-- Whichever way an owner goes: removed, made less, erased, or by the release before. One whose maker is not known might be
-- theirs, so it stops as well, until an owner makes it active.
create function memberships_pause_webhooks() returns trigger language plpgsql as $$
begin
    with paused as (
        update webhooks
        set state = 'paused', version = version + 1, updated_at = now(),
            reason = 'who made it, or made it active last, is no owner of the project any more'
        where project_id = old.project_id and state = 'active'
          and coalesce(nullif(created_by, '00000000-0000-0000-0000-000000000000'), old.user_id) = old.user_id
        returning id, project_id, reason
    )
    insert into events (action, project_id, target_id, before, after)
    select 'webhook.paused', project_id, id, jsonb_build_object('state', 'active'),
           jsonb_build_object('state', 'paused', 'reason', reason)
    from paused
    -- Of a project that goes as a whole there is nothing more to tell.
    where exists (select from projects where projects.id = paused.project_id)
      and not exists (select from leftovers where leftovers.project_id = paused.project_id and what = 'project');
    return null;
end
$$;
create trigger memberships_pause_webhooks_gone after delete on memberships
    for each row when (old.role = 'owner') execute function memberships_pause_webhooks();
create trigger memberships_pause_webhooks_less after update of role on memberships
    for each row when (old.role = 'owner' and new.role <> 'owner') execute function memberships_pause_webhooks();

-- Which invitations there are is for owners: no webhook for which no owner answers tells of them.
create or replace function events_to_webhooks() returns trigger language plpgsql as $$
begin
    -- A webhook that is being deleted is left out rather than waited for: its deletion must not fail anybody's change.
    insert into webhook_deliveries (id, webhook_id, event_id, action)
    select gen_random_uuid(), webhooks.id, fresh.id, fresh.action
    from fresh join webhooks on webhooks.project_id = fresh.project_id
    where webhooks.state = 'active' and fresh.action not like 'webhook.%'
      and (cardinality(webhooks.actions) = 0 or fresh.action = any (webhooks.actions)
           or split_part(fresh.action, '.', 1) || '.*' = any (webhooks.actions))
      and (fresh.action not like 'invitation.%' or exists (
              select from memberships
              where memberships.project_id = webhooks.project_id and memberships.user_id = webhooks.created_by
                and memberships.role = 'owner'))
    order by fresh.id
    for key share of webhooks skip locked;
    return null;
end
$$;

-- How much of a project's room each attachment takes, from its announcement on. A table of its own: a column of attachments
-- would want an index on all of them, and a task that goes takes the way to its project along.
create table attachment_weights (
    attachment_id uuid   primary key references attachments (id) on delete cascade,
    project_id    uuid   not null,
    size          bigint not null
);
create index attachment_weights_project_id on attachment_weights (project_id) include (size);

create function attachments_have_weight() returns trigger language plpgsql as $$
begin
    insert into attachment_weights (attachment_id, project_id, size)
    select new.id, tasks.project_id, new.size from tasks where tasks.id = new.task_id;
    return null;
end
$$;
create trigger attachments_have_weight after insert on attachments
    for each row execute function attachments_have_weight();

-- Two files that fit each by itself can be too much together, so whoever announces one waits for who is at it; and what is
-- added up after the wait is what that one left (PostgreSQL manual, 38.7, as for the tree of subtasks).
create function attachment_fits(project uuid, more bigint, room bigint) returns boolean language plpgsql as $$
begin
    perform pg_advisory_xact_lock(1953653877, hashtext(project::text) & 255);
    return more + coalesce((select sum(size) from attachment_weights where project_id = project), 0) <= room;
end
$$;

-- What a change leaves to be done in portions: a project that is deleted, a label or a former member that many tasks have.
create table leftovers (
    id         uuid        primary key,
    project_id uuid        not null,
    what       text        not null constraint leftovers_what_known check (what in ('project', 'label', 'assignee')),
    -- The label, or the user.
    subject_id uuid,
    -- Who did it, for the events that are yet to come.
    actor_id   uuid,
    token_id   uuid,
    request_id text        not null default '',
    -- Tasks up to this one are done.
    reached    uuid        not null default '00000000-0000-0000-0000-000000000000',
    created_at timestamptz not null default now()
);
create index leftovers_project_id on leftovers (project_id);
