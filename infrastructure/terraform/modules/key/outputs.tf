output "arn" {
  description = "The key's ARN; usable once its policy is in place."
  value       = aws_kms_key.this.arn
}

output "alias" {
  description = "The key's name, as AWS takes it in place of its ARN."
  value       = "alias/${var.name}"
}
