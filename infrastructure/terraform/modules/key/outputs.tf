output "arn" {
  description = "The key's ARN; usable once its policy is in place."
  value       = aws_kms_key.this.arn
}
