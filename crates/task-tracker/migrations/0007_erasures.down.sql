-- tt: phase=contract
drop table erasure_projects;
drop table erasures;
drop trigger memberships_leave_a_trace on memberships;
drop function memberships_leave_a_trace();
drop table past_members;
