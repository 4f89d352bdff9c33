-- tt: phase=expand
-- New tables, and a trigger that only writes into one of them: the release before neither reads nor misses them.

-- Who was a member of what, also of what is gone since: where the record may still name somebody who is to be forgotten.
create table past_members (
    user_id    uuid not null references users (id) on delete cascade,
    project_id uuid not null,
    constraint past_members_once primary key (user_id, project_id)
);

create function memberships_leave_a_trace() returns trigger language plpgsql as $$
begin
    -- A user who is being deleted is left out rather than waited for: the deletion must not fail anybody's change.
    insert into past_members (user_id, project_id)
    select users.id, gone.project_id from gone join users on users.id = gone.user_id
    for key share of users skip locked
    on conflict on constraint past_members_once do nothing;
    return null;
end
$$;
create trigger memberships_leave_a_trace after delete on memberships referencing old table as gone
    for each statement execute function memberships_leave_a_trace();

-- Users who are being erased, which is many statements, by whichever process.
create table erasures (
    user_id      uuid        primary key references users (id) on delete cascade,
    -- What the record calls the user from now on.
    pseudonym    uuid        not null,
    -- Who is at it, and when somebody else may take it up.
    lease        uuid        not null,
    leased_until timestamptz not null
);

-- Projects whose record is looked through for the user.
create table erasure_projects (
    user_id    uuid    not null references erasures (user_id) on delete cascade,
    project_id uuid    not null,
    -- Nobody else's: it goes with the user.
    goes       boolean not null,
    constraint erasure_projects_once primary key (user_id, project_id)
);
