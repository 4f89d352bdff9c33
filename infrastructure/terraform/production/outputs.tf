output "tt_ops" {
  description = "The values that environments/production.yaml must have, by its keys; `tt-ops env check --terraform` compares them."
  value       = module.environment.tt_ops
}

output "url" {
  description = "What users type."
  value       = module.environment.url
}

output "ci_role_arn" {
  description = "The role of the CI's deploy jobs: their variable `AWS_ROLE_ARN`."
  value       = module.environment.ci_role_arn
}

output "web_bucket" {
  description = "Where the site's files go."
  value       = module.environment.web_bucket
}

output "distribution_id" {
  description = "The distribution in front of everything."
  value       = module.environment.distribution_id
}

output "master_secret_arn" {
  description = "Where RDS keeps the database's master password, for creating the service's user."
  value       = module.environment.master_secret_arn
}

output "nat_addresses" {
  description = "What others see as the tasks' addresses."
  value       = module.environment.nat_addresses
}
