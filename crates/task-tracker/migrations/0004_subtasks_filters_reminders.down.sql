-- tt: phase=contract
drop table notifications;
drop trigger reminders_follow_the_due_date on tasks;
drop function reminders_follow_the_due_date();
drop function moment_before(timestamptz, bigint);
drop table reminders;
drop table saved_filters;
drop table subtasks;
drop function subtasks_are_a_tree();
