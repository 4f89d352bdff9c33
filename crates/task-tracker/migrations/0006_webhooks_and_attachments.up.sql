-- tt: phase=expand
-- New tables, and a trigger on events that does nothing while a project has no webhook. A trigger rather than a part of the
-- service's statements: what the release before writes during a deploy is told of as well.
create table webhooks (
    id                    uuid        primary key,
    project_id            uuid        not null references projects (id) on delete cascade,
    url                   text        not null constraint webhooks_url_length check (char_length(url) between 1 and 4000),
    -- What it is told of; everything when empty.
    actions               text[]      not null default '{}',
    state                 text        not null default 'active' constraint webhooks_state_known check (state in ('active', 'paused', 'disabled')),
    reason                text,
    failing_since         timestamptz,
    -- Nothing is sent before, for all its messages: a receiver that is down is not asked once per message.
    not_before            timestamptz,
    -- Sealed by the service; the database cannot open them.
    secret                bytea       not null,
    previous_secret       bytea,
    previous_secret_until timestamptz,
    version               bigint      not null default 1,
    created_at            timestamptz not null default now(),
    updated_at            timestamptz not null default now()
);
create index webhooks_project_id_id on webhooks (project_id, id);

-- The outbox. Holds no copy of an event: what retention and erasure take out of events is not sent any more.
create table webhook_deliveries (
    id           uuid        primary key,
    -- In which order they were made.
    number       bigint      generated always as identity,
    webhook_id   uuid        not null references webhooks (id) on delete cascade,
    -- Null for a test message.
    event_id     bigint,
    action       text        not null,
    state        text        not null default 'pending' constraint webhook_deliveries_state_known check (state in ('pending', 'delivered', 'dead')),
    attempts     smallint    not null default 0,
    -- While somebody is at it: when somebody else may take it up.
    next_at      timestamptz not null default now(),
    -- Who is at it.
    lease        uuid,
    last_at      timestamptz,
    last_status  smallint,
    last_error   text,
    created_at   timestamptz not null default now(),
    delivered_at timestamptz
);
create index webhook_deliveries_due on webhook_deliveries (next_at) where state = 'pending';
create index webhook_deliveries_webhook_id_number on webhook_deliveries (webhook_id, number);
create index webhook_deliveries_created_at on webhook_deliveries (created_at);

create function events_to_webhooks() returns trigger language plpgsql as $$
begin
    -- A webhook that is being deleted is left out rather than waited for: its deletion must not fail anybody's change.
    insert into webhook_deliveries (id, webhook_id, event_id, action)
    select gen_random_uuid(), webhooks.id, fresh.id, fresh.action
    from fresh join webhooks on webhooks.project_id = fresh.project_id
    where webhooks.state = 'active' and fresh.action not like 'webhook.%'
      and (cardinality(webhooks.actions) = 0 or fresh.action = any (webhooks.actions)
           or split_part(fresh.action, '.', 1) || '.*' = any (webhooks.actions))
    order by fresh.id
    for key share of webhooks skip locked;
    return null;
end
$$;
create trigger events_to_webhooks after insert on events referencing new table as fresh
    for each statement execute function events_to_webhooks();

create table attachments (
    id           uuid        primary key,
    task_id      uuid        not null references tasks (id) on delete cascade,
    author_id    uuid        references users (id) on delete set null,
    name         text        not null constraint attachments_name_length check (char_length(name) between 1 and 200),
    content_type text        not null,
    size         bigint      not null constraint attachments_size_positive check (size > 0),
    object_key   text        not null,
    -- Until then the upload may begin; nobody sees the attachment before it is stored.
    upload_until timestamptz not null,
    stored_at    timestamptz,
    version      bigint      not null default 1,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now()
);
create index attachments_task_id_id on attachments (task_id, id);
create index attachments_author_id on attachments (author_id);
create index attachments_unfinished on attachments (upload_until) where stored_at is null;

-- Objects of attachments that are gone, until the bucket has let go of them too.
create table discarded_objects (
    object_key text        primary key,
    -- While somebody is at it: when somebody else may take it up.
    due_at     timestamptz not null
);
create index discarded_objects_due_at on discarded_objects (due_at);

create function attachments_discard() returns trigger language plpgsql as $$
begin
    -- However the row went: with its task, its project, or by the release before. Not before its upload has had its time:
    -- it could come after the deletion.
    insert into discarded_objects (object_key, due_at)
    select gone.object_key, greatest(now(), gone.upload_until + interval '15 minutes') from gone
    on conflict (object_key) do nothing;
    return null;
end
$$;
create trigger attachments_discard after delete on attachments referencing old table as gone
    for each statement execute function attachments_discard();
