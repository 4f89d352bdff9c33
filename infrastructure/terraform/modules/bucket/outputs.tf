output "name" {
  description = "The bucket's name: known in a plan, and usable once its policy is in place."
  value       = var.name
  depends_on  = [aws_s3_bucket_policy.this]
}

output "arn" {
  description = "The bucket's ARN."
  value       = aws_s3_bucket.this.arn
}

output "regional_domain_name" {
  description = "The bucket's address, as CloudFront wants it."
  value       = aws_s3_bucket.this.bucket_regional_domain_name
}
