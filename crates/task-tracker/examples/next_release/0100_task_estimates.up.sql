-- tt: phase=expand
-- Nullable and without a default: the release before inserts rows that know nothing of it.
alter table tasks add column estimate_minutes bigint;
