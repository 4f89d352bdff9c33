# What the environment's YAML repeats: `tt-ops env check --terraform` compares them. The rest is for people.

output "tt_ops" {
  description = "The values that the environment's YAML must have, by its keys."
  value = merge(
    {
      "aws.account"           = data.aws_caller_identity.current.account_id
      "aws.region"            = data.aws_region.current.region
      "service.cluster"       = module.service.cluster_name
      "service.name"          = module.service.service_name
      "service.container"     = module.service.container_name
      "service.minimum_tasks" = module.service.minimum_tasks
      "image.credentials"     = local.registry_secret
      "smoke_test.base_url"   = module.load_balancer.test_url
      "alarms"                = module.observability.deployment_alarm_names
      "secrets"               = local.container_secrets
      "records.bucket"        = module.state.bucket
      "database.instance"     = module.database.identifier

      "database.backup.retention" = "${module.database.backup_retention_days}d"
    },
    module.database.backup_copy == null ? {} : {
      "database.backup.copy.region"  = module.database.backup_copy.region
      "database.backup.copy.kms_key" = module.database.backup_copy.kms_key
    },
  )
}

output "url" {
  description = "What users type."
  value       = module.web.url
}

output "ci_role_arn" {
  description = "The role of the CI's deploy jobs."
  value       = module.ci_access.role_arn
}

output "web_bucket" {
  description = "Where the site's files go."
  value       = module.web.bucket
}

output "distribution_id" {
  description = "The distribution in front of everything."
  value       = module.web.distribution_id
}

output "master_secret_arn" {
  description = "Where RDS keeps the database's master password, for creating the service's user."
  value       = module.database.master_secret_arn
}

output "nat_addresses" {
  description = "What others see as the tasks' addresses."
  value       = module.network.nat_addresses
}
