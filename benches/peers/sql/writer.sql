with hit as (
  select api_tokens.id, api_tokens.user_id, api_tokens.scopes
  from api_tokens join users on users.id = api_tokens.user_id
  where api_tokens.token_sha256 = $1 and api_tokens.expires_at > now() and users.erase_after is null
), noted as (
  update api_tokens set last_used_at = now() from hit
  where api_tokens.id = hit.id
    and (api_tokens.last_used_at is null or api_tokens.last_used_at < now() - interval '5 minutes')
), charged as (
  insert into throttles as t (key, full_at)
  select 'writes/' || user_id, now() + make_interval(secs => $2) from hit
  on conflict (key) do update
  set full_at = greatest(t.full_at, now()) + make_interval(secs => $2)
  where greatest(t.full_at, now()) + make_interval(secs => $2) <= now() + make_interval(secs => $3)
  returning extract(epoch from full_at - now())::float8 as level
)
select id, user_id, scopes, (select level from charged) as level from hit
