# Snapshots and transaction logs go to another Region as they are made: when this one is lost, any second of the retention can
# be restored there (Amazon RDS User Guide, "Replicating automated backups to another AWS Region").

module "backup_key" {
  source = "../key"
  count  = var.backup_region == null ? 0 : 1

  region      = var.backup_region
  name        = "${var.identifier}-backup"
  description = "Backups of ${var.identifier} from ${data.aws_region.current.region}"
}

resource "aws_db_instance_automated_backups_replication" "this" {
  count = var.backup_region == null ? 0 : 1

  region                 = var.backup_region
  source_db_instance_arn = aws_db_instance.this.arn
  kms_key_id             = module.backup_key[0].arn
  retention_period       = var.backup_retention_days
}
