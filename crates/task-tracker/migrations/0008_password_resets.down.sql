-- tt: phase=contract
drop table password_resets;
