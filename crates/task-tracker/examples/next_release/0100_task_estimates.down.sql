-- tt: phase=expand
alter table tasks drop column estimate_minutes;
