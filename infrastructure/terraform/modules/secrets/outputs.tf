output "arns" {
  description = "Name → ARN."
  value       = { for name, secret in aws_secretsmanager_secret.this : name => secret.arn }
}

output "key_arn" {
  description = "The key that they are encrypted with."
  value       = module.key.arn
}
