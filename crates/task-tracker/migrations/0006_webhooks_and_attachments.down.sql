-- tt: phase=contract
-- Objects of attachments stay in the bucket; nothing knows of them any more.
drop trigger events_to_webhooks on events;
drop function events_to_webhooks();
drop table webhook_deliveries;
drop table webhooks;
drop table discarded_objects;
drop table attachments;
drop function attachments_discard();
