-- tt: phase=expand
-- Only a new table: the release before neither reads nor misses it.
create table password_resets (
    -- One at a time: another one takes its place.
    user_id      uuid        primary key references users (id) on delete cascade,
    token_sha256 bytea       not null constraint password_resets_token_once unique,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null
);
