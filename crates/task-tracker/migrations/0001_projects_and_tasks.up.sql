-- tt: phase=expand
create table projects (
    id          uuid        primary key,
    name        text        not null constraint projects_name_length check (char_length(name) between 1 and 200),
    description text        not null default '' constraint projects_description_length check (char_length(description) <= 10000),
    version     bigint      not null default 1,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);

create table tasks (
    id          uuid        primary key,
    project_id  uuid        not null references projects (id) on delete cascade,
    title       text        not null constraint tasks_title_length check (char_length(title) between 1 and 200),
    description text        not null default '' constraint tasks_description_length check (char_length(description) <= 10000),
    status      text        not null default 'open' constraint tasks_status_known check (status in ('open', 'in_progress', 'done')),
    version     bigint      not null default 1,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);

-- Serves the keyset page (project, then id) and the cascade from projects.
create index tasks_project_id_id on tasks (project_id, id);
