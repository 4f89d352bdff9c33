output "identifier" {
  description = "The instance's identifier."
  value       = aws_db_instance.this.identifier
}

output "arn" {
  description = "The instance."
  value       = aws_db_instance.this.arn
}

output "endpoint" {
  description = "Host and port."
  value       = aws_db_instance.this.endpoint
}

output "security_group_id" {
  description = "The group that the service's module adds its rule to."
  value       = aws_security_group.this.id
}

output "master_secret_arn" {
  description = "Where RDS keeps the master password."
  value       = aws_db_instance.this.master_user_secret[0].secret_arn
}

output "key_arn" {
  description = "The key that storage and snapshots are encrypted with."
  value       = module.key.arn
}

output "backup_key_arn" {
  description = "The key of the backups in the other Region; null without one."
  value       = one(module.backup_key[*].arn)
}

output "backup_retention_days" {
  description = "For how many days any second can be restored."
  value       = aws_db_instance.this.backup_retention_period
}

output "backup_copy" {
  description = "The Region that backups are replicated to and the name of the key there; null without one."
  value       = var.backup_region == null ? null : { region = var.backup_region, kms_key = module.backup_key[0].alias }
}
