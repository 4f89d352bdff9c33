-- no-transaction
-- tt: phase=expand
-- The words of a task, and the project it is in as one word that nobody can write: it has a space. So a search reads what
-- this one project has of a word, not what all projects have. The expression is that of `task/words.rs`.
create index concurrently tasks_words on tasks using gin (
    (array_to_tsvector(array['in ' || project_id::text]) || to_tsvector('simple', title || ' ' || description))
);
