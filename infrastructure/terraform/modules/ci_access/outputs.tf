output "role_arn" {
  description = "The role that a CI job takes; its variable `AWS_ROLE_ARN`."
  value       = aws_iam_role.this.arn
}
