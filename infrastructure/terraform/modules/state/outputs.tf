output "bucket" {
  description = "The bucket's name."
  value       = module.records.name
}

output "arn" {
  description = "The bucket."
  value       = module.records.arn
}

output "key_arn" {
  description = "The key that the records are encrypted with."
  value       = module.key.arn
}
