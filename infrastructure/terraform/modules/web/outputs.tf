output "url" {
  description = "What users type."
  value       = "https://${var.domain_name}"
}

output "bucket" {
  description = "Where the site's files go."
  value       = module.files.name
}

output "distribution_id" {
  description = "The distribution."
  value       = aws_cloudfront_distribution.this.id
}
