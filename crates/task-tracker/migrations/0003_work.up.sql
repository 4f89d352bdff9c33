-- tt: phase=expand
-- Constant defaults and nullable columns only, without a constraint: nothing is rewritten and nothing is read. What may
-- stand in them is checked by the service.
alter table tasks
    add column priority     text        not null default 'none',
    add column due_at       timestamptz,
    add column rank         text        collate "C",
    add column assignee_ids uuid[]      not null default '{}',
    add column label_ids    uuid[]      not null default '{}';

create table labels (
    id         uuid        primary key,
    project_id uuid        not null references projects (id) on delete cascade,
    name       text        not null constraint labels_name_length check (char_length(name) between 1 and 200),
    colour     text        not null constraint labels_colour_form check (colour ~ '^#[0-9a-f]{6}$'),
    version    bigint      not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint labels_name_once unique (project_id, name)
);

create table comments (
    id         uuid        primary key,
    task_id    uuid        not null references tasks (id) on delete cascade,
    author_id  uuid        references users (id) on delete set null,
    body       text        not null constraint comments_body_length check (char_length(body) between 1 and 10000),
    version    bigint      not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index comments_task_id_id on comments (task_id, id);
create index comments_author_id on comments (author_id);
