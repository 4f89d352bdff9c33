-- tt: phase=contract
drop table tasks;
drop table projects;
