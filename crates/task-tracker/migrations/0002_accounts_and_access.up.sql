-- tt: phase=expand
-- Only new tables: the release before neither reads nor misses them.
create table users (
    id                  uuid        primary key,
    email               text        not null constraint users_email_length check (char_length(email) between 3 and 254),
    name                text        not null constraint users_name_length check (char_length(name) between 1 and 200),
    password_hash       text        not null,
    password_changed_at timestamptz not null default now(),
    version             bigint      not null default 1,
    created_at          timestamptz not null default now(),
    updated_at          timestamptz not null default now(),
    -- Set when the user asked to be forgotten; from then on nobody can log in as this user.
    erase_after         timestamptz,
    constraint users_email_once unique (email)
);

create table sessions (
    id           uuid        primary key,
    user_id      uuid        not null references users (id) on delete cascade,
    token_sha256 bytea       not null constraint sessions_token_once unique,
    user_agent   text        not null default '' constraint sessions_user_agent_length check (char_length(user_agent) <= 200),
    created_at   timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    expires_at   timestamptz not null
);
create index sessions_user_id on sessions (user_id);

create table api_tokens (
    id           uuid        primary key,
    user_id      uuid        not null references users (id) on delete cascade,
    name         text        not null constraint api_tokens_name_length check (char_length(name) between 1 and 200),
    token_sha256 bytea       not null constraint api_tokens_token_once unique,
    scopes       text[]      not null constraint api_tokens_scopes_some check (cardinality(scopes) > 0),
    created_at   timestamptz not null default now(),
    last_used_at timestamptz,
    expires_at   timestamptz not null
);
create index api_tokens_user_id on api_tokens (user_id);

create table memberships (
    project_id uuid        not null references projects (id) on delete cascade,
    user_id    uuid        not null references users (id) on delete cascade,
    role       text        not null constraint memberships_role_known check (role in ('owner', 'editor', 'viewer')),
    version    bigint      not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (project_id, user_id)
);
-- Serves the list of a user's projects.
create index memberships_user_id_project_id on memberships (user_id, project_id);

create table invitations (
    id           uuid        primary key,
    project_id   uuid        not null references projects (id) on delete cascade,
    role         text        not null constraint invitations_role_known check (role in ('owner', 'editor', 'viewer')),
    token_sha256 bytea       not null constraint invitations_token_once unique,
    invited_by   uuid        not null references users (id) on delete cascade,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null
);
create index invitations_project_id on invitations (project_id, id);

-- What happened, in the transaction in which it happened: audit trail, activity feed and outbox in one. No foreign keys:
-- a record outlives what it is about.
create table events (
    id         bigint      generated always as identity primary key,
    -- Identity values become visible out of order; readers that follow along go by transaction first.
    tx         xid8        not null default pg_current_xact_id(),
    at         timestamptz not null default now(),
    actor_id   uuid,
    token_id   uuid,
    action     text        not null,
    project_id uuid,
    target_id  uuid,
    request_id text        not null default '',
    before     jsonb,
    after      jsonb
);
create index events_tx_id on events (tx, id);
create index events_project_id on events (project_id, tx, id);
create index events_actor_id on events (actor_id, id);

create function events_are_append_only() returns trigger language plpgsql as $$
begin
    -- Retention and erasure say so, in their own transaction; nothing else changes what was recorded.
    if current_setting('task_tracker.curating', true) is distinct from 'on' then
        raise exception 'events are append-only' using errcode = 'insufficient_privilege';
    end if;
    return case tg_op when 'DELETE' then old else new end;
end
$$;
create trigger events_append_only before update or delete on events
    for each row execute function events_are_append_only();
create trigger events_not_truncated before truncate on events
    for each statement execute function events_are_append_only();

create table idempotency_keys (
    user_id     uuid        not null references users (id) on delete cascade,
    operation   text        not null,
    key         text        not null,
    body_sha256 bytea       not null,
    status      smallint    not null,
    answer      jsonb,
    created_at  timestamptz not null default now(),
    constraint idempotency_keys_once primary key (user_id, operation, key)
);
create index idempotency_keys_created_at on idempotency_keys (created_at);

-- Counts that a crash may forget: unlogged, so that counting costs no write to the log and no flush.
create unlogged table throttles (
    key     text        primary key,
    -- When the allowance is whole again; the further ahead, the less is left.
    full_at timestamptz not null
);
create index throttles_full_at on throttles (full_at);
